#!/usr/bin/env bash
# A file of recipients through the upload, the importer and row-level security into the table; beside psql, which copies the rows
# that came of it into a temporary table and inserts them into the same table, as the same role, for another tenant. Rounds alternate;
# the medians are compared. And how much memory the program takes meanwhile (PostgreSQL is not in it).
set -euo pipefail
source "$(dirname "$0")/platform.sh"
rows=${1:-1000000} rounds=${2:-3}
need psql postgresql-client
start_plaza PLAZA_LISTEN=127.0.0.1:0 PLAZA_INTERNAL_LISTEN=127.0.0.1:0 PLAZA_SIMULATOR_LISTEN=127.0.0.1:0
make_owner
example make_recipients "$rows" >"$work/people.csv"
echo "$rows rows, $(($(stat -c %s "$work/people.csv") / 1000000)) MB"

database_of broadcast
as_broadcast() { PGPASSWORD=$password psql -X -q -v ON_ERROR_STOP=1 -h "$socket" -U plaza_broadcast -d plaza "$@"; }
columns="id, phone, external_id, name, country, timezone, locale, attrs, consent, consent_source, consent_at, import_row"
# clean TENANT: what an import made of the file, for psql.
clean() {
    as_broadcast -c "BEGIN" -c "SET LOCAL app.tenant_id = '$1'" -c "\\copy (SELECT $columns FROM broadcast.recipients) TO '$work/clean.csv' (FORMAT csv)"
}
# insert: the clean rows into the table of a tenant that has none yet; prints seconds.
insert() {
    local tenant
    tenant=$(cat /proc/sys/kernel/random/uuid)
    cat >"$work/insert.sql" <<SQL
BEGIN READ WRITE;
SET LOCAL app.tenant_id = '$tenant';
SET LOCAL statement_timeout = 0;
CREATE TEMP TABLE clean AS SELECT $columns FROM broadcast.recipients WHERE false;
\\copy clean FROM '$work/clean.csv' (FORMAT csv)
INSERT INTO broadcast.recipients (tenant_id, $columns, import_id, created_at, updated_at)
SELECT '$tenant', $columns, '$tenant', now(), now() FROM clean ON CONFLICT (tenant_id, phone) DO UPDATE SET name = excluded.name;
COMMIT;
SQL
    local begun=$EPOCHREALTIME
    as_broadcast -f "$work/insert.sql"
    awk "BEGIN {print $EPOCHREALTIME - $begun}"
}
# import: the file for a tenant that has nobody yet; sets $import (its last answer) and $seconds.
import() {
    local id
    id=$(curl -sS -H "Authorization: Bearer $owner" -F "file=@$work/people.csv" "$api/api/v1/broadcast/recipients/import" | field id)
    until import=$(curl -sS -H "Authorization: Bearer $owner" "$api/api/v1/broadcast/imports/$id") &&
        grep -qE '"state":"(done|done_with_errors|failed|cancelled)"' <<<"$import"; do
        sleep 0.1
    done
    grep -qE '"state":"done(_with_errors)?"' <<<"$import" || { echo "$import" >&2; exit 1; }
    # From the moment that the file was here to the last commit.
    seconds=$(awk "BEGIN {print $(date -d "$(field finished_at <<<"$import")" +%s.%N) - $(date -d "$(field created_at <<<"$import")" +%s.%N)}")
}

for round in $(seq "$rounds"); do
    make_tenant "import$round"
    # From now on the kernel keeps the most that was resident.
    before=$(resident VmRSS)
    echo 5 >"/proc/$plaza_pid/clear_refs"
    import
    grown=$((($(resident VmHWM) - before) / 1024))
    valid=$(sed -n 's/.*"valid":\([0-9]*\).*/\1/p' <<<"$import")
    clean "$tenant"
    p=$(insert)
    awk "BEGIN {print $rows / $seconds}" >>"$work/ours"
    awk "BEGIN {print $valid / $p}" >>"$work/theirs"
    echo "$grown" >>"$work/grown"
    echo "round $round: import $(tail -n1 "$work/ours") rows/s, psql $(tail -n1 "$work/theirs") clean rows/s, $grown MiB more memory"
    [ "$round" -gt 1 ] || echo "$import" | grep -o '"counts":{[^}]*}'
done
a=$(median <"$work/ours") b=$(median <"$work/theirs")
echo "median: import $a, psql $b, ratio $(awk "BEGIN {printf \"%.2f\", $a / $b}"); at the most $(sort -n "$work/grown" | tail -n1) MiB more memory"
