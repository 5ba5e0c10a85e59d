#!/usr/bin/env bash
# ./dev up and its kin on the fixed ports, as a newcomer uses them. Prints `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

passed=0
failed=0
output=$(mktemp)
trap './dev down >/dev/null 2>&1; rm -f "$output"*' EXIT

# check NAME COMMAND...: what it prints is shown when it fails.
check() {
    local name=$1
    shift
    if "$@" >"$output" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL  %s\n' "$name"
        sed 's/^/      /' "$output"
    fi
}

readonly API=http://127.0.0.1:8080/api/v1

nothing_runs() {
    local port
    for port in 4222 5433 8080 8081 8082 9090 9091 9092; do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "port $port still answers"
            return 1
        fi
    done
}

says() {
    local wanted=$1
    shift
    "$@" >"$output.said" 2>&1
    local status=$?
    cat "$output.said"
    [ $status -eq 0 ] && grep -q -- "$wanted" "$output.said"
}

refuses() {
    local wanted=$1
    shift
    ! "$@" >"$output.refusal" 2>&1 && grep -q -- "$wanted" "$output.refusal"
    local result=$?
    cat "$output.refusal"
    rm -f "$output.refusal"
    return $result
}

post() { curl -sf "$API/$1" -H 'Content-Type: application/json' -d "$2"; }

tour() {
    local email=tour-$RANDOM$RANDOM@example.com body token
    body="{\"email\":\"$email\",\"password\":\"correct horse battery\"}"
    post auth/register "${body%\}},\"name\":\"Ann\"}" || return 1
    token=$(post auth/login "$body" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
    body=$(curl -sf "$API/users/me" -H "Authorization: Bearer $token")
    [[ $body == *"$email"* ]] || return 1
    body=$(curl -sf -X PATCH "$API/users/me" -H "Authorization: Bearer $token" \
        -H 'Content-Type: application/json' -d '{"name":"Ann B."}')
    [[ $body == *'Ann B.'* ]] || return 1
    curl -sf -X POST "$API/auth/logout" -H "Authorization: Bearer $token"
}

# The lines of the README as they are pasted; the address may be registered already.
readme_tour() {
    sed -n '/^## A tour/,/^`/s/^    //p' README.md >"$output.tour"
    [ "$(wc -l <"$output.tour")" -eq 5 ] && bash -e "$output.tour" | tail -n 1 | grep 'Ann B.'
}

admin_signs_in() {
    # shellcheck source=/dev/null
    . var/admin.env
    [ "$(stat -c %a var/admin.env)" = 600 ] || return 1
    post auth/login \
        "{\"email\":\"$BOOTSTRAP_ADMIN_EMAIL\",\"password\":\"$BOOTSTRAP_ADMIN_PASSWORD\"}"
}

data_stays() {
    ./dev down && ./dev up --detach && admin_signs_in
}

postgres() {
    local shown
    ./dev up --detach --postgres && shown=$(./dev status) &&
        grep -q '^postgres running' <<<"$shown" && tour &&
        refuses 'the other database' ./dev up --detach && ./dev logs postgres && ./dev down
}

port_taken() {
    python3 -c 'import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 8081)); s.listen(); print("bound", flush=True); time.sleep(60)' >"$output.bound" &
    local holder=$! result
    until [ -s "$output.bound" ]; do sleep 0.02; done
    refuses 'port 8081, which users needs, is taken by process' ./dev up --detach
    result=$?
    kill "$holder"
    wait "$holder" 2>/dev/null
    rm -f "$output.bound"
    [ $result -eq 0 ] && nothing_runs
}

# Runs a command as a terminal would: in a process group of its own, SIGINT not ignored (as the shell has
# it for what runs in the background).
readonly AS_IN_A_TERMINAL='import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.setsid()
os.execvp(sys.argv[1], sys.argv[1:])'

# Ctrl-C in the foreground: SIGINT to the process group.
interrupt() {
    python3 -c "$AS_IN_A_TERMINAL" ./dev up >"$output.up" 2>&1 &
    local pid=$!
    until grep -q 'Plankton is ready' "$output.up"; do
        kill -0 $pid 2>/dev/null || { cat "$output.up"; return 1; }
        sleep 0.1
    done
    kill -INT -- "-$pid"
    wait $pid
    local status=$?
    cat "$output.up"
    rm -f "$output.up"
    [ $status -eq 130 ] && nothing_runs
}

check 'nothing runs before' nothing_runs
check 'up --detach' ./dev up --detach
check 'status' ./dev status
check 'a tour' tour
check 'the tour of the README' readme_tour
check 'the bootstrap admin signs in' admin_signs_in
check 'a second up says what runs' says 'Already running' ./dev up --detach
check 'logs' says 'listening' ./dev logs users
check 'data stays over down and up' data_stays
check 'down' ./dev down
check 'nothing runs after down' nothing_runs
check 'a second down says so' says 'Nothing was running' ./dev down
check 'up --postgres' postgres
check 'a taken port' port_taken
check 'Ctrl-C' interrupt
check 'an unknown verb' refuses "there is no verb 'nonsense'" ./dev nonsense
check 'an unknown option' refuses 'is not an option' ./dev up --nonsense
check 'two filters' refuses 'is too much' ./dev test one --two

printf '%d passed, %d failed\n' $passed $failed
[ $failed -eq 0 ]
