# Sourced by the benchmarks: a release Plaza in a folder of its own, and its end.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Another profile (`dev`) only shows that a script works.
profile=${PLAZA_BENCH_PROFILE:-release}
plaza=$root/target/${profile/#dev/debug}/plaza
work=$(mktemp -d)
chmod 711 "$work"
plaza_pid=

need() {
    command -v "$1" >/dev/null || { echo "$1 is missing; on Debian: apt-get install $2" >&2; exit 1; }
}

stop_plaza() {
    if [ -n "$plaza_pid" ]; then
        kill "$plaza_pid" 2>/dev/null || true
        wait "$plaza_pid" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap stop_plaza EXIT

build_plaza() {
    (cd "$root" && cargo build --profile "$profile" --locked --quiet --package plaza)
}

# start_plaza [VARIABLE=VALUE…]: waits until it is ready; the data folder is $work/.plaza.
start_plaza() {
    build_plaza
    cd "$work"
    env "$@" PLAZA_LOG=warn "$plaza" >"$work/out" 2>"$work/err" &
    plaza_pid=$!
    for _ in $(seq 100); do
        grep -q 'is ready' "$work/out" && return
        sleep 0.1
    done
    cat "$work/out" "$work/err" >&2
    exit 1
}

field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# json METHOD PATH TOKEN BODY
json() { curl -sS -X "$1" "$api$2" -H "Authorization: Bearer $3" -H 'Content-Type: application/json' -d "$4"; }

# An administrator, a tenant `acme` and its owner: sets $owner (a token), $tenant and $user.
make_owner() {
    local setup admin link
    api=$(sed -n 's/.*"public_url": "\([^"]*\)".*/\1/p' .plaza/addresses.json)
    setup=$(sed 's/.*token=//' .plaza/setup-link)
    json POST /api/v1/auth/setup none \
        "{\"token\":\"$setup\",\"email\":\"admin@plaza.example\",\"password\":\"correct horse battery staple\"}" >/dev/null
    admin=$(json POST /api/v1/auth/login none \
        '{"email":"admin@plaza.example","password":"correct horse battery staple"}' | field access_token)
    tenant=$(json POST /api/v1/admin/tenants "$admin" \
        '{"slug":"acme","name":"Acme","admin_email":"owner@acme.example"}' | field id)
    until link=$(json POST "/api/v1/admin/tenants/$tenant/owner-link" "$admin" '{}' | field token) && [ -n "$link" ]; do
        sleep 0.2
    done
    user=$(json POST /api/v1/auth/setup none \
        "{\"token\":\"$link\",\"email\":\"owner@acme.example\",\"password\":\"purple monkey dishwasher 42\"}" | field user_id)
    owner=$(json POST /api/v1/auth/login none \
        '{"email":"owner@acme.example","password":"purple monkey dishwasher 42"}' | field access_token)
}

median() { sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
