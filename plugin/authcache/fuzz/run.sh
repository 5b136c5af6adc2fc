#!/usr/bin/env bash
# Fuzzes every parser of authcache with libFuzzer, on the stable toolchain.
#
#   run.sh [SECONDS_PER_TARGET] [TARGET...]
#
# Starts from the seeds in corpus/ and keeps what it finds under target/, so that the next run goes on
# from there. An input that breaks a target is kept in target/artifacts/ and makes this script fail.
# Needs a C++ compiler.
set -euo pipefail

cd "$(dirname "$0")"
seconds=${1:-20}
shift || true
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    targets=(authority config credentials mapping response)
fi

# What cargo-fuzz would set, as far as a stable compiler has it: edges counted for libFuzzer. The
# sanitizers need a nightly compiler; safe code without them still panics on what is wrong.
coverage="-Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"

# Naming the target keeps the instrumentation away from build scripts and macros, which have no
# libFuzzer to talk to.
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="$coverage" CARGO_TARGET_DIR=target \
    cargo build --release --locked --target "$host"

for target in "${targets[@]}"; do
    found=target/corpus/$target
    mkdir -p "$found" target/artifacts
    echo "== $target, $seconds s"
    "target/$host/release/$target" "$found" "corpus/$target" \
        -max_total_time="$seconds" -max_len=8192 -timeout=5 -rss_limit_mb=1024 \
        -seed=1 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="target/artifacts/$target-" \
        2>"target/$target.log" || {
        tail -n 40 "target/$target.log"
        echo "== $target failed" >&2
        exit 1
    }
    grep -E 'cov:|number_of_executed_units' "target/$target.log" | tail -n 2
done
