#!/usr/bin/env bash
# `GET /api/v1/auth/me` through gateway and database, 64 connections, beside pgbench doing the same pipelined transaction as
# the same role on the same socket. Rounds alternate; the median of each is compared.
set -euo pipefail
source "$(dirname "$0")/platform.sh"
seconds=${1:-5} rounds=${2:-3}
need wrk wrk
need pgbench postgresql
start_plaza PLAZA_LISTEN=127.0.0.1:0 PLAZA_INTERNAL_LISTEN=127.0.0.1:0 PLAZA_SIMULATOR_LISTEN=127.0.0.1:0
make_owner

# The role that identity runs as.
database_of identity
cat >"$work/me.sql" <<SQL
\startpipeline
BEGIN READ ONLY;
SET LOCAL statement_timeout = 250;
SET LOCAL lock_timeout = 100;
SET LOCAL app.tenant_id = '$tenant';
SELECT u.id AS user_id, u.email, m.name, m.role, (u.email_verified_at IS NOT NULL OR u.verified_at IS NOT NULL) AS email_verified,
       m.locale, m.timezone, m.version FROM identity.memberships AS m
  JOIN identity.users AS u ON u.id = m.user_id
 WHERE m.user_id = '$user' AND m.status = 'active' AND u.status = 'active';
COMMIT;
\endpipeline
SQL
pg() {
    PGPASSWORD=$password pgbench -n -h "$socket" -U plaza_identity -M prepared -c 16 -j 2 -T "$seconds" -f "$work/me.sql" plaza 2>/dev/null |
        sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}
me() {
    wrk -t2 -c64 -d"${seconds}s" --latency -H "Authorization: Bearer $owner" "$api/api/v1/auth/me" >"$work/wrk"
    grep -E 'Non-2xx|Socket errors' "$work/wrk" >&2 || true
    sed -n 's/^Requests\/sec: *//p' "$work/wrk"
}
curl -sS -H "Authorization: Bearer $owner" "$api/api/v1/auth/me" | grep -q '"owner"' || { echo "/me does not answer" >&2; exit 1; }
me >/dev/null
for round in $(seq "$rounds"); do
    p=$(pg) m=$(me)
    echo "$p" >>"$work/pg"
    echo "$m" >>"$work/me"
    echo "round $round: /me $m requests/s (p99 $(sed -n 's/^ *99% *//p' "$work/wrk")), pgbench $p transactions/s"
done
m=$(median <"$work/me") p=$(median <"$work/pg")
echo "median: /me $m, pgbench $p, ratio $(awk "BEGIN {printf \"%.2f\", $m / $p}")"
