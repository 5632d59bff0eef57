#!/usr/bin/env bash
# What a warm permission check costs, and a call between two services: in process, and over a socket of the loopback address
# with its signed token. The contracts' own measurement, in a release build; one call after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --profile "${PLAZA_BENCH_PROFILE:-release}" --locked --quiet --package plaza-contracts --test it latency:: -- --nocapture --test-threads 1 |
    grep -oE '(warm check|call in process|call over loopback): .*'
