#!/usr/bin/env bash
# Resident memory of the release program (PostgreSQL is not in it) 60 s after the walk of the README.
set -euo pipefail
source "$(dirname "$0")/platform.sh"
start_plaza
ln -s "$root/testdata" "$work/testdata"
before=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$plaza_pid/status")
# The commands of the walk, as they are printed; the first one starts the program, which runs already.
awk '/^## A walk/{on=1; next} /^## /{on=0} on && /^```sh$/{code=1; next} /^```$/{code=0} on && code' "$root/README.md" |
    grep -v '^cargo run' >"$work/walk.sh"
bash "$work/walk.sh" >"$work/walk.out" 2>&1
peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$plaza_pid/status")
sleep 60
after=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$plaza_pid/status")
echo "resident memory: $((before / 1024)) MB at the start, $((peak / 1024)) MB at the most, $((after / 1024)) MB 60 s after the walk"
