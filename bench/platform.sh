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
    for _ in $(seq 600); do
        grep -q 'is ready' "$work/out" && return
        sleep 0.1
    done
    echo "it is not ready" >&2
    cat "$work/out" "$work/err" >&2
    exit 1
}

free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

# resident VmRSS|VmHWM: kilobytes of the program now, or at the most.
resident() { sed -n "s/^$1:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$plaza_pid/status"; }

# example NAME [ARGUMENT…]: an example of broadcast.
example() {
    local name=$1
    shift
    (cd "$root" && cargo build --profile "$profile" --locked --quiet --package plaza-broadcast --example "$name")
    "$root/target/${profile/#dev/debug}/examples/$name" "$@"
}

# database_of SERVICE: how psql and pgbench log in as the service: sets $password and $socket.
database_of() {
    local role_key
    # Its password is HMAC-SHA256 of the role's name under the folder's role key.
    role_key=$(sed -n 's/^role_key = "\(.*\)"/\1/p' .plaza/secrets.toml)
    password=$(printf 'plaza_%s' "$1" | openssl dgst -sha256 -hmac "$role_key" | sed 's/.* //')
    # The cluster's socket folder stands percent-encoded where a URL has its host.
    socket=$(sed 's/.*@\([^:/]*\).*/\1/' .plaza/database-url)
    socket=$(printf '%b' "${socket//%/\\x}")
}

# psql and pgbench as the cluster's superuser, after database_of.
as_superuser() {
    local program=$1
    shift
    PGPASSWORD=$(cat "$work/.plaza/postgres.password") PGHOST=$socket PGUSER=plaza_superuser PGDATABASE=plaza "$program" "$@"
}

field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# json METHOD PATH TOKEN BODY
json() { curl -sS -X "$1" "$api$2" -H "Authorization: Bearer $3" -H 'Content-Type: application/json' -d "$4"; }

# An administrator, a tenant `acme` and its owner: sets $admin and what make_tenant sets.
make_owner() {
    local setup
    api=$(sed -n 's/.*"public_url": "\([^"]*\)".*/\1/p' .plaza/addresses.json)
    setup=$(sed 's/.*token=//' .plaza/setup-link)
    json POST /api/v1/auth/setup none \
        "{\"token\":\"$setup\",\"email\":\"admin@plaza.example\",\"password\":\"correct horse battery staple\"}" >/dev/null
    admin=$(json POST /api/v1/auth/login none \
        '{"email":"admin@plaza.example","password":"correct horse battery staple"}' | field access_token)
    make_tenant acme
}

# make_tenant SLUG: one more, and its owner: sets $owner (a token), $tenant and $user.
make_tenant() {
    local link
    tenant=$(json POST /api/v1/admin/tenants "$admin" \
        "{\"slug\":\"$1\",\"name\":\"$1\",\"admin_email\":\"owner@$1.example\"}" | field id)
    until link=$(json POST "/api/v1/admin/tenants/$tenant/owner-link" "$admin" '{}' | field token) && [ -n "$link" ]; do
        sleep 0.2
    done
    user=$(json POST /api/v1/auth/setup none \
        "{\"token\":\"$link\",\"email\":\"owner@$1.example\",\"password\":\"purple monkey dishwasher 42\"}" | field user_id)
    owner=$(json POST /api/v1/auth/login none \
        "{\"email\":\"owner@$1.example\",\"password\":\"purple monkey dishwasher 42\"}" | field access_token)
}

median() { sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
