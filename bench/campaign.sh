#!/usr/bin/env bash
# A campaign to everybody of a tenant, from `send` until it is completed, the provider's simulator being a process of its own that
# answers at once and sends no receipts: for 8 and for 64 messages in flight. Beside pgbench doing what has to be done to the rows of
# the messages and no more: insert them by 500, then settle as many as are in flight and claim as many in one transaction, on a table with the
# same columns and indexes. And what the processor did for a message, how memory went, and what our own histograms say of where the time went.
set -euo pipefail
source "$(dirname "$0")/platform.sh"
messages=${1:-200000} rounds=${2:-1}
need pgbench postgresql
simulator_pid=
stop_all() {
    if [ -n "$simulator_pid" ]; then
        kill "$simulator_pid" 2>/dev/null || true
        wait "$simulator_pid" 2>/dev/null || true
    fi
    stop_plaza
}
trap stop_all EXIT

build_plaza
simulator=127.0.0.1:$(free_port)
(cd "$work" && exec env PLAZA_LOG=warn "$plaza" simulator --listen "$simulator" >"$work/simulator.out" 2>&1) &
simulator_pid=$!
variables=(PLAZA_LISTEN=127.0.0.1:0 PLAZA_INTERNAL_LISTEN=127.0.0.1:0 PLAZA_DEVELOPMENT__SIMULATOR_URL="http://$simulator"
    PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET="a secret of both" PLAZA_NOTIFICATION__DEFAULT_RATE=0)
start_plaza "${variables[@]}"
make_owner
database_of notification
example make_recipients "$messages" clean >"$work/people.csv"
id=$(curl -sS -H "Authorization: Bearer $owner" -F "file=@$work/people.csv" "$api/api/v1/broadcast/recipients/import" | field id)
until curl -sS -H "Authorization: Bearer $owner" "$api/api/v1/broadcast/imports/$id" | grep -q '"state":"done"'; do sleep 0.5; done
template=$(json POST /api/v1/broadcast/templates "$owner" \
    '{"name":"hello","language":"en","category":"UTILITY","body":"Hello {{1}}!","variables":["name"]}' | field id)

# ticks PID: hundredths of a second that a process, with children that have ended, had of the processor.
ticks() { awk '{sub(/.*\) /, ""); print $12 + $13 + $14 + $15}' "/proc/$1/stat" 2>/dev/null || echo 0; }
# postgres_ticks: the same of the server and all its sessions.
postgres_ticks() {
    local postmaster sum pid
    postmaster=$(head -n1 "$socket/.s.PGSQL.5432.lock")
    sum=$(ticks "$postmaster")
    for pid in $(pgrep -P "$postmaster"); do sum=$((sum + $(ticks "$pid"))); done
    echo "$sum"
}
psql_as_superuser() { as_superuser psql -X -q -v ON_ERROR_STOP=1 "$@"; }
# spent: the sums of our histograms, by name and labels, in seconds.
spent() {
    curl -sS "$(sed -n 's/.*"internal_url": "\([^"]*\)".*/\1/p' .plaza/addresses.json)/metrics" |
        sed -nE 's/^(plaza_[a-z_]*_seconds)_sum(\{[^}]*\})? ([0-9.e+-]+)$/\1\2 \3/p' | sort
}

# send: a campaign; sets $took, $cpu and $server (microseconds a message), and $memory.
send() {
    local campaign begun state ours theirs first=0 last=0
    campaign=$(json POST /api/v1/broadcast/campaigns "$owner" "{\"name\":\"Spring\",\"template_id\":\"$template\",\"class\":\"utility\"}" | field id)
    spent >"$work/before"
    ours=$(ticks "$plaza_pid") theirs=$(postgres_ticks)
    # From now on the kernel keeps the most that was resident.
    echo 5 >"/proc/$plaza_pid/clear_refs"
    begun=$EPOCHREALTIME
    json POST "/api/v1/broadcast/campaigns/$campaign/send" "$owner" '{}' >/dev/null
    until state=$(curl -sS -H "Authorization: Bearer $owner" "$api/api/v1/broadcast/campaigns/$campaign" | field state) && [ "$state" = completed ]; do
        [ "$state" != failed ] || { echo "the campaign failed" >&2; exit 1; }
        last=$(resident VmRSS)
        [ "$first" != 0 ] || [ "$(awk "BEGIN {print ($EPOCHREALTIME - $begun > 5)}")" = 0 ] || first=$last
        # A token is good for ten minutes.
        [ "$(awk "BEGIN {print ($EPOCHREALTIME - $begun > 480)}")" = 0 ] || log_in
        # Each time all messages are counted.
        sleep 2
    done
    took=$(awk "BEGIN {print $EPOCHREALTIME - $begun}")
    cpu=$(((($(ticks "$plaza_pid") - ours) * 10000) / messages)) server=$(((($(postgres_ticks) - theirs) * 10000) / messages))
    memory="$((first / 1024)) MiB after five seconds, $((last / 1024)) MiB at the end, at the most $(($(resident VmHWM) / 1024)) MiB"
    spent >"$work/after"
}
log_in() {
    owner=$(json POST /api/v1/auth/login none \
        '{"email":"owner@acme.example","password":"purple monkey dishwasher 42"}' | field access_token)
}

# floor BATCH: the rows alone; sets $least, in seconds.
floor() {
    local begun
    psql_as_superuser >/dev/null <<SQL
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;
CREATE TABLE bench.messages (LIKE notification.messages INCLUDING ALL);
SQL
    cat >"$work/insert.sql" <<'SQL'
INSERT INTO bench.messages (tenant_id, id, source, sender_id, channel, address, content, state, due_at, created_at, updated_at)
SELECT '00000000-0000-0000-0000-000000000001',
       (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || substr(md5(random()::text), 1, 20))::uuid,
       'campaign:00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000002', 'whatsapp',
       '+49151' || lpad((random() * 99999999)::int::text, 8, '0'), repeat('x', 200), 'queued', now(), now(), now()
  FROM generate_series(1, 500);
SQL
    cat >"$work/turn.sql" <<SQL
BEGIN;
UPDATE bench.messages SET state = 'accepted', provider_id = 'wamid.' || id, lease_until = NULL, updated_at = now()
 WHERE tenant_id = '00000000-0000-0000-0000-000000000001' AND state = 'leased' AND lease_until > now();
WITH due AS (
    SELECT id FROM bench.messages
     WHERE tenant_id = '00000000-0000-0000-0000-000000000001' AND sender_id = '00000000-0000-0000-0000-000000000002'
       AND state = 'queued' AND due_at <= now()
     ORDER BY due_at, id LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE bench.messages AS m
   SET state = 'leased', epoch = epoch + 1, attempts = attempts + 1, lease_until = now() + interval '1 minute', updated_at = now()
  FROM due WHERE m.tenant_id = '00000000-0000-0000-0000-000000000001' AND m.id = due.id;
COMMIT;
SQL
    begun=$EPOCHREALTIME
    bench_rows "$((messages / 500))" "$work/insert.sql"
    psql_as_superuser -c 'ANALYZE bench.messages'
    bench_rows "$((messages / $1 + 1))" "$work/turn.sql"
    least=$(awk "BEGIN {print $EPOCHREALTIME - $begun}")
    [ "$(psql_as_superuser -Atc "SELECT count(*) FROM bench.messages WHERE state = 'accepted'")" -ge $((messages / 500 * 500 - $1)) ] ||
        { echo "pgbench did not settle them all" >&2; exit 1; }
}
bench_rows() { as_superuser pgbench -n -M prepared -c 1 -t "$1" -f "$2" >"$work/pgbench" 2>&1 || { cat "$work/pgbench" >&2; exit 1; }; }

for in_flight in 8 64; do
    kill "$plaza_pid"
    wait "$plaza_pid" || true
    start_plaza "${variables[@]}" PLAZA_NOTIFICATION__IN_FLIGHT="$in_flight"
    api=$(sed -n 's/.*"public_url": "\([^"]*\)".*/\1/p' .plaza/addresses.json)
    : >"$work/ours"
    : >"$work/theirs"
    for round in $(seq "$rounds"); do
        log_in
        send
        floor "$in_flight"
        awk "BEGIN {print $messages / $took}" >>"$work/ours"
        awk "BEGIN {print $messages / $least}" >>"$work/theirs"
        echo "in flight $in_flight, round $round: $(tail -n1 "$work/ours") messages/s, rows alone $(tail -n1 "$work/theirs")/s; processor for a message: $cpu µs here, $server µs in PostgreSQL; memory: $memory"
    done
    a=$(median <"$work/ours") b=$(median <"$work/theirs")
    echo "in flight $in_flight, median: $a messages/s, rows alone $b/s, ratio $(awk "BEGIN {printf \"%.2f\", $a / $b}")"
    echo "where the time went, in seconds of the last round:"
    join "$work/before" "$work/after" -a 2 -e 0 -o 0,1.2,2.2 | awk '$3 - $2 > 0.1 {printf "  %8.1f  %s\n", $3 - $2, $1}' | sort -rn | head -n 12
done
