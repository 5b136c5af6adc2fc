"""Checks the JSON of a simulation: python3 .ci/check_simulation.py FILE RUNS"""

import json
import sys

path, runs = sys.argv[1], int(sys.argv[2])
with open(path, encoding="utf-8") as file:
    found = json.load(file)

names = {
    "runs": int,
    "violations": int,
    "overshoot_max": int,
    "overshoot_max_percent": (int, float),
    "false_denials_percent": (int, float),
    "backend_calls_per_minute": (int, float),
    "worst_seed": int,
    "requests": int,
    "admitted": int,
}
wrong = [name for name, kind in names.items() if not isinstance(found.get(name), kind)]
if wrong:
    sys.exit(f"{path}: not there, or of another type: {', '.join(wrong)}")
if found["runs"] != runs or found["violations"] != 0:
    sys.exit(f"{path}: expected {runs} runs without violations, found {found}")
# Runs in which nothing happens would find nothing.
if found["requests"] < 100 * runs or found["admitted"] * 10 < found["requests"]:
    sys.exit(f"{path}: hardly anything happened: {found}")
print(f"{runs} runs, {found['requests']} requests, {found['events']} events: nothing is wrong")
