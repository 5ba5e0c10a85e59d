# shellcheck shell=bash
# Sourced by the scripts beside it: counts cases, prints the failed ones with what was seen.
passed=0
failed=0

pass() { passed=$((passed + 1)); }

fail() { # name, what was seen
    failed=$((failed + 1))
    printf 'FAIL  %s\n%s\n' "$1" "$2" | sed '2,$s/^/      /'
}

report() {
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
