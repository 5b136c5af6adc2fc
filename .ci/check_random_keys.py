#!/usr/bin/env python3
"""Checks that Envoy's memory stays flat in runs of the scenario random-keys, and that nobody else paid.

Usage: check_random_keys.py SUMMARY RUNS
"""
import csv
import json
import pathlib
import sys

# Everything that is bounded is at its bound after the first quarter. What a record of each further key
# would take is more than 100 MB in a run of a million keys.
MOST_GROWN_BYTES = 8 << 20


def problems(summary, runs):
    for scenario in summary["scenarios"]:
        if scenario["errors"] != 0:
            yield f"{scenario['errors']} requests were not answered as expected: {scenario['errors_by_class']}"
        if scenario["admitted"] != scenario["reported"]:
            yield f"admitted {scenario['admitted']}, but reported {scenario['reported']}"
    series = sorted(pathlib.Path(runs).glob("*/random-keys.series.csv"))
    if not series:
        yield f"no run of random-keys below {runs}"
    for path in series:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row["envoy_rss_bytes"]) > 0]
        if len(rows) < 8:
            yield f"{path}: {len(rows)} seconds are too few"
            continue
        before, after = (int(rows[at]["envoy_rss_bytes"]) for at in (len(rows) // 4, -1))
        misses = sum(int(row["misses"]) for row in rows)
        print(f"random keys: {misses} misses, Envoy's memory went from {before} to {after} bytes")
        if after - before > MOST_GROWN_BYTES:
            yield f"{path}: memory grew by {after - before} bytes"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        found = list(problems(json.load(file), sys.argv[2]))
    for problem in found:
        print(f"random keys: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
