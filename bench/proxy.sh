#!/usr/bin/env bash
# What it costs to go through `plaza serve gateway`, 64 connections.
# First beside nginx: both forward the same request, one that needs no token (`/.well-known/jwks.json`), to the same upstream
# over kept connections. The upstream is another nginx with a fixed answer, because services take requests only with tokens
# that nginx cannot sign. Then `/me`: through a gateway alone in its process to the services of another process, beside the
# same request to that other process. Rounds alternate; medians are compared.
set -euo pipefail
source "$(dirname "$0")/platform.sh"
seconds=${1:-5} rounds=${2:-3}
PATH=$PATH:/usr/sbin
need wrk wrk
need nginx nginx-light
pids=()
stop_all() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    stop_plaza
}
trap stop_all EXIT

# start_nginx NAME: with the `http` block that comes in.
start_nginx() {
    mkdir "$work/$1"
    {
        echo "daemon off; pid $work/$1/pid; error_log stderr warn; worker_processes auto;"
        echo "events { worker_connections 1024; }"
        echo "http { access_log off; keepalive_requests 1000000000;"
        for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $work/$1/$kind;"; done
        cat
        echo "}"
    } >"$work/$1/conf"
    # Modules that the distribution loads by its own configuration are not needed.
    nginx -p "$work/$1" -c "$work/$1/conf" -e stderr 2>"$work/$1/err" &
    pids+=($!)
}

# start_gateway NAME SERVICES: a gateway alone; prints nothing, sets $gateway to its URL.
start_gateway() {
    local services=()
    for service in IDENTITY TENANCY ACCESS NOTIFICATION BROADCAST; do services+=("PLAZA_SERVICES__$service=$2"); done
    env "${services[@]}" PLAZA_INTERNAL_KEY="$internal_key" PLAZA_DATA="$work/$1" PLAZA_LOG=warn \
        PLAZA_LISTEN=127.0.0.1:0 PLAZA_INTERNAL_LISTEN=127.0.0.1:0 "$plaza" serve gateway >"$work/$1.out" 2>"$work/$1.err" &
    pids+=($!)
    for _ in $(seq 100); do
        if grep -q 'is ready' "$work/$1.out"; then
            gateway=$(sed -n 's/.*"public_url": "\([^"]*\)".*/\1/p' "$work/$1/addresses.json")
            return
        fi
        sleep 0.1
    done
    cat "$work/$1.out" "$work/$1.err" >&2
    exit 1
}

# answers URL [HEADER…]: waits until it is answered with 200.
answers() {
    local url=$1
    shift
    for _ in $(seq 100); do
        [ "$(curl -sS -o /dev/null -w '%{http_code}' "$@" "$url" 2>/dev/null)" = 200 ] && return
        sleep 0.1
    done
    echo "$url does not answer" >&2
    exit 1
}

# load URL [WRK'S OPTIONS…]: requests a second.
load() {
    local url=$1
    shift
    wrk -t2 -c64 -d"${seconds}s" --latency "$@" "$url" >"$work/wrk"
    if grep -E 'Non-2xx|Socket errors' "$work/wrk" >&2; then echo "$url" >&2; fi
    sed -n 's/^Requests\/sec: *//p' "$work/wrk"
}
tail_of() { sed -n 's/^ *99% *//p' "$work/wrk"; }

# compare NAME URL NAME URL [WRK'S OPTIONS…]
compare() {
    local ours=$1 our_url=$2 theirs=$3 their_url=$4 a b a99 b99
    shift 4
    load "$our_url" "$@" >/dev/null
    load "$their_url" "$@" >/dev/null
    : >"$work/ours"
    : >"$work/theirs"
    for round in $(seq "$rounds"); do
        # Not in `$(…)` at once: the tail of one run must not be that of the other.
        load "$our_url" "$@" >>"$work/ours" && a=$(tail -n1 "$work/ours") a99=$(tail_of)
        load "$their_url" "$@" >>"$work/theirs" && b=$(tail -n1 "$work/theirs") b99=$(tail_of)
        echo "round $round: $ours $a requests/s (p99 $a99), $theirs $b requests/s (p99 $b99)"
    done
    a=$(median <"$work/ours") b=$(median <"$work/theirs")
    echo "median: $ours $a, $theirs $b, ratio $(awk "BEGIN {printf \"%.2f\", $a / $b}")"
}

build_plaza
internal_key=$(openssl rand -hex 32)
keys=/.well-known/jwks.json
upstream=127.0.0.1:$(free_port) front=127.0.0.1:$(free_port)
start_nginx upstream <<END
server { listen $upstream; default_type application/json; location / { return 200 '{"keys":[$(printf '%0200d' 1 | sed 's/.*/"&"/')]}'; } }
END
start_nginx front <<END
upstream service { server $upstream; keepalive 64; keepalive_requests 1000000000; }
server {
    listen $front;
    location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host \$host; }
}
END
start_gateway gateway-before-nginx "http://$upstream"
answers "http://$front$keys"
answers "$gateway$keys"
echo "forwarding to the same upstream"
compare "gateway" "$gateway$keys" "nginx" "http://$front$keys"

start_plaza PLAZA_LISTEN=127.0.0.1:0 PLAZA_INTERNAL_LISTEN=127.0.0.1:0 PLAZA_SIMULATOR_LISTEN=127.0.0.1:0 PLAZA_INTERNAL_KEY="$internal_key"
make_owner
start_gateway gateway "$(sed -n 's/.*"internal_url": "\([^"]*\)".*/\1/p' .plaza/addresses.json)"
token="Authorization: Bearer $owner"
answers "$gateway/api/v1/auth/me" -H "$token"
echo "/me, identity in another process"
compare "through a gateway" "$gateway/api/v1/auth/me" "at that process" "$api/api/v1/auth/me" -H "$token"
