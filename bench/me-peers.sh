#!/usr/bin/env bash
# `GET /api/v1/auth/me` beside the same question to small services in Go (chi, pgx) and Node (Fastify, pg) on the same PostgreSQL, with as many
# people in it: verify a token, read one row, answer JSON; 64 connections. The peers once as such services are written, with the tenant in the
# predicate of one statement, and once with a transaction that sets the tenant, as isolation by the database needs. Plaza is always isolated, and
# checks session and permission besides. Rounds alternate; the medians are compared.
set -euo pipefail
source "$(dirname "$0")/platform.sh"
seconds=${1:-5} rounds=${2:-3} people=${3:-100000}
need wrk wrk
need psql postgresql-client
need go "golang-go golang-github-go-chi-chi-dev golang-github-jackc-pgx-v4-dev golang-github-golang-jwt-jwt-dev"
need npm nodejs
pids=()
stop_all() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    stop_plaza
}
trap stop_all EXIT

start_plaza PLAZA_LISTEN=127.0.0.1:0 PLAZA_INTERNAL_LISTEN=127.0.0.1:0 PLAZA_SIMULATOR_LISTEN=127.0.0.1:0
make_owner
database_of identity
as_superuser psql -X -q -v ON_ERROR_STOP=1 <<SQL
-- As many users as the peers have.
INSERT INTO identity.users (id, email, email_norm, created_at)
SELECT gen_random_uuid(), 'person' || n || '@acme.example', 'person' || n || '@acme.example', now() FROM generate_series(1, $people) n;
INSERT INTO identity.memberships (tenant_id, user_id, email_norm, role, status, created_at)
SELECT '$tenant', id, email_norm, 'member', 'active', now() FROM identity.users WHERE email LIKE 'person%';
CREATE SCHEMA peers;
CREATE TABLE peers.people (
    tenant_id uuid NOT NULL, user_id uuid NOT NULL, email text NOT NULL, name text NOT NULL, role text NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
INSERT INTO peers.people SELECT '$tenant', id, email, 'somebody', 'member' FROM identity.users;
CREATE ROLE peer LOGIN PASSWORD 'peer';
ALTER ROLE peer SET search_path = peers;
GRANT USAGE ON SCHEMA peers TO peer;
GRANT SELECT ON peers.people TO peer;
-- The policy that keeps tenants apart; a service that names the tenant itself runs under it as well and pays nothing for it.
CREATE TABLE peers.isolated (LIKE peers.people INCLUDING ALL);
INSERT INTO peers.isolated SELECT * FROM peers.people;
ALTER TABLE peers.isolated ENABLE ROW LEVEL SECURITY;
CREATE POLICY guard ON peers.isolated TO peer USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT ON peers.isolated TO peer;
CREATE SCHEMA apart;
CREATE VIEW apart.people WITH (security_invoker = true) AS SELECT * FROM peers.isolated;
GRANT USAGE ON SCHEMA apart TO peer;
GRANT SELECT ON apart.people TO peer;
ANALYZE;
SQL
secret=$(openssl rand -hex 32)
# jwt: a token of the peers, HS256.
jwt() {
    local head body
    b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
    head=$(printf '{"alg":"HS256","typ":"JWT"}' | b64)
    body=$(printf '{"sub":"%s","tid":"%s","exp":%s}' "$user" "$tenant" "$(($(date +%s) + 36000))" | b64)
    printf '%s.%s.%s' "$head" "$body" "$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -hmac "$secret" -binary | b64)"
}
token=$(jwt)

mkdir -p "$root/target/peers/fastify"
(cd "$root/bench/peers/chi" && GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$root/target/peers/go" go build -o "$root/target/peers/chi" main.go)
cp "$root"/bench/peers/fastify/{main.js,package.json,package-lock.json} "$root/target/peers/fastify"
(cd "$root/target/peers/fastify" && npm ci --silent --no-audit --no-fund)

# start_peer NAME ISOLATED COMMAND…: sets $url once it is ready.
start_peer() {
    local name=$1 isolated=$2 schema
    shift 2
    schema=$([ "$isolated" = 1 ] && echo apart || echo peers)
    # Over the socket, as Plaza is connected.
    env SECRET="$secret" ISOLATED="$isolated" \
        DATABASE_URL="postgresql://peer:peer@/plaza?host=$socket&options=-csearch_path%3D$schema${pool:-}" "$@" >"$work/$name.out" 2>"$work/$name.err" &
    pids+=($!)
    for _ in $(seq 100); do
        if grep -q 'is ready' "$work/$name.out"; then
            url=$(sed -n 's/ is ready//p' "$work/$name.out")/me
            curl -sSf -H "Authorization: Bearer $token" "$url" | grep -q "$user" || { echo "$name does not answer" >&2; exit 1; }
            return
        fi
        sleep 0.1
    done
    cat "$work/$name.out" "$work/$name.err" >&2
    exit 1
}
declare -A urls
pool="&pool_max_conns=16"
start_peer chi 0 "$root/target/peers/chi" && urls[chi]=$url
start_peer chi-isolated 1 "$root/target/peers/chi" && urls[chi-isolated]=$url
pool=
start_peer fastify 0 node "$root/target/peers/fastify/main.js" && urls[fastify]=$url
start_peer fastify-isolated 1 node "$root/target/peers/fastify/main.js" && urls[fastify-isolated]=$url
urls[plaza]=$api/api/v1/auth/me

# load NAME: requests a second.
load() {
    local bearer=$token
    [ "$1" != plaza ] || bearer=$owner
    wrk -t2 -c64 -d"${seconds}s" --latency -H "Authorization: Bearer $bearer" "${urls[$1]}" >"$work/wrk"
    grep -E 'Non-2xx|Socket errors' "$work/wrk" >&2 || true
    sed -n 's/^Requests\/sec: *//p' "$work/wrk"
}
names=(plaza chi chi-isolated fastify fastify-isolated)
for name in "${names[@]}"; do load "$name" >/dev/null; done
for round in $(seq "$rounds"); do
    line=
    for name in "${names[@]}"; do
        load "$name" >>"$work/$name.rates"
        line+=" $name $(tail -n1 "$work/$name.rates") (p99 $(sed -n 's/^ *99% *//p' "$work/wrk"))"
    done
    echo "round $round:$line"
done
a=$(median <"$work/plaza.rates")
for name in "${names[@]:1}"; do
    b=$(median <"$work/$name.rates")
    echo "median: plaza $a, $name $b, ratio $(awk "BEGIN {printf \"%.2f\", $a / $b}")"
done
