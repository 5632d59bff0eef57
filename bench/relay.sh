#!/usr/bin/env bash
# Events a second through the relay to RabbitMQ, beside a bare loop that publishes messages of the same size with confirms, as
# many at once, to the same queue. Rounds alternate; the median of each is compared.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
events=${1:-20000} rounds=${2:-3}
cd "$root"
cargo run --profile "${PLAZA_BENCH_PROFILE:-release}" --locked --quiet --package plaza-messaging --example relay_bench -- "$events" "$rounds"
