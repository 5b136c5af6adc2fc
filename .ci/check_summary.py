#!/usr/bin/env python3
"""Checks what must hold in the summary of a headline run, whatever the machine's speed."""
import json
import sys


def problems(summary):
    by_name = {scenario["name"]: scenario for scenario in summary["scenarios"]}
    for name in ("passthrough", "authrep", "cache"):
        if name not in by_name:
            yield f"scenario {name} is missing"
            continue
        scenario = by_name[name]
        if scenario["requests"] == 0:
            yield f"{name}: no request was measured"
        if scenario["errors"] != 0:
            yield f"{name}: {scenario['errors']} errors: {scenario['errors_by_class']}"
        if scenario["admitted"] != scenario["reported"]:
            yield f"{name}: admitted {scenario['admitted']}, but reported {scenario['reported']}"
        sent = scenario["requests"] + scenario["warmup_requests"]
        if scenario["upstream_requests"] != sent:
            yield f"{name}: sent {sent}, but {scenario['upstream_requests']} arrived at the upstream"
        if name != "passthrough" and scenario["admitted"] != sent:
            yield f"{name}: sent {sent}, but admitted {scenario['admitted']}"
    if not {"authrep", "cache"} <= by_name.keys():
        return
    per_1000 = by_name["authrep"]["backend_calls_per_1000"]
    if not 990 <= per_1000 <= 1010:
        yield f"authrep: {per_1000} backend calls per 1,000 requests instead of 1,000"
    per_1000 = by_name["cache"]["backend_calls_per_1000"]
    if per_1000 > 5:
        yield f"cache: {per_1000} backend calls per 1,000 requests, at most 5 are allowed"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        found = list(problems(json.load(file)))
    for problem in found:
        print(f"summary: {problem}", file=sys.stderr)
    if not found:
        print("summary: usage is exact, and backend calls are as stated")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
