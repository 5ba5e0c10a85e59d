#!/usr/bin/env bash
# ./dev lint: formatting, clang-tidy, shellcheck and the house rules. Every finding is an error.
# shellcheck disable=SC2317  # the functions are called through check()
set -euo pipefail
cd "$(dirname "$0")/../.."

failed=0
check() {
    local name=$1
    shift
    if "$@"; then
        printf 'ok    %s\n' "$name"
    else
        printf 'FAIL  %s\n' "$name"
        failed=1
    fi
}

c_files() { git ls-files -co --exclude-standard -- "$@"; }
scripts() { git ls-files -co --exclude-standard -- dev .ci/run '*.sh'; }

# One version decides, since the versions of clang-format differ among themselves.
formatting() {
    if ! [[ $(clang-format --version) = *'version 14.'* ]]; then
        echo "      skipped: $(clang-format --version); Debian 12's version 14 is the one that decides"
        return 0
    fi
    c_files '*.c' '*.h' | xargs clang-format --dry-run --Werror
}

# The build comes first: some sources are made by it. cmake/static is no part of it.
tidy() {
    { cmake --preset debug && cmake --build build/debug; } >/dev/null || return 1
    c_files '*.c' ':!cmake/static' | xargs -P "$(nproc)" -n 4 clang-tidy -p build/debug --quiet \
        --extra-arg=-Wno-unknown-warning-option 2>/dev/null
}

shell() { scripts | xargs shellcheck; }

rules() { /usr/bin/python3 tests/lint/rules.py; }

check formatting formatting
check shellcheck shell
check 'house rules' rules
check clang-tidy tidy
exit $failed
