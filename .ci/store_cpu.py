#!/usr/bin/env python3
"""CPU time of `lab backend` for one call, with memory and with Redis as its store.

    .ci/store_cpu.py LAB CALLS [redis]

Calls come one after another on one connection. The figures are utime and stime of the processes
divided by the calls, counting included; the totals have to add up at the end.
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
APPLICATIONS = 1000
WARM_UP = 2000
POPULATION = {
    "services": [{"id": "1", "provider_key": "k", "backend_version": "1"}],
    "service_tokens": [{"token": "t", "service_id": "1"}],
    "metrics": [
        {"service_id": "1", "id": "10", "name": "hits"},
        {"service_id": "1", "id": "11", "name": "items", "parent_id": "10"},
    ],
    "usage_limits": [
        {"service_id": "1", "plan_id": "5", "metric_id": "10", "period": period, "value": 10**9}
        for period in ("minute", "day", "eternity")
    ],
    "applications": [
        {"service_id": "1", "id": str(number), "plan_id": "5", "user_key": f"u{number}"}
        for number in range(APPLICATIONS)
    ],
}


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def process(arguments, ready):
    """Runs a program from the line of its output that holds `ready`."""
    running = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        line = next((line for line in running.stdout if ready in line), None)
        if line is None:
            sys.exit(f"{arguments[0]} ended before it was ready")
        yield running, line
    finally:
        running.terminate()
        running.wait()


def measure(lab, calls, store=None, redis=None):
    arguments = [lab, "backend", "--listen", "127.0.0.1:0", "--internal-auth", "user:password"]
    if store:
        arguments += ["--store", store]
    with process(arguments, "listening on http://") as (backend, line):
        connection = http.client.HTTPConnection(line.strip().rsplit("/", 1)[1])

        def call(method, target, body=None):
            connection.request(method, target, body, FORM if body else {})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                sys.exit(f"{method} {target}: {answer.status} {text}")
            return text

        call("POST", "/control/population", json.dumps(POPULATION))
        for name in ("authorize", "authrep"):
            target = f"/transactions/{name}.xml?service_token=t&service_id=1&usage[items]=1&user_key=u"
            for number in range(WARM_UP):
                call("GET", target + str(number % APPLICATIONS))
            call("GET", "/control/settle")
            processes = [running for running in (backend, redis) if running]
            before = [cpu_seconds(running) for running in processes]
            started = time.monotonic()
            for number in range(calls):
                call("GET", target + str(number % APPLICATIONS))
            wall = time.monotonic() - started
            call("GET", "/control/settle")
            used = [cpu_seconds(running) - then for running, then in zip(processes, before)]
            columns = [f"{1e6 * seconds / calls:8.1f}" for seconds in used]
            print(f"{'Redis' if store else 'memory':<8}{name:<10}{1e6 * wall / calls:8.0f}", *columns)
        stats = json.loads(call("GET", "/control/stats"))
        counted = stats["ledger"]["usage"]["1"]["items"]
        if counted != calls + WARM_UP:
            sys.exit(f"{counted} items are counted, not {calls + WARM_UP}")


def main():
    lab, calls = sys.argv[1], int(sys.argv[2])
    print("store   call       wall us  CPU us  of Redis us")
    measure(lab, calls)
    if sys.argv[3:] == ["redis"]:
        with tempfile.TemporaryDirectory() as folder:
            socket = f"{folder}/redis.sock"
            arguments = ["redis-server", "--port", "0", "--unixsocket", socket, "--save", ""]
            arguments += ["--dir", folder]
            with process(arguments, "eady to accept connections") as (redis, _):
                measure(lab, calls, f"redis+unix://{socket}", redis)


if __name__ == "__main__":
    main()
