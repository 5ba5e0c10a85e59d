#!/usr/bin/env bash
# Exported symbols carry a prefix of their library, so that static linking never meets two of a name.
#
#   symbols.sh ROOT BUILD NM
set -euo pipefail
root=$1
build=$2
nm=$3
# shellcheck source=tests/repo/report.sh
. "$root/tests/repo/report.sh"

# foreign_symbols ARCHIVE PREFIX...: those that none of the prefixes fits. Names with two underscores
# belong to the compiler (sanitizers, coverage).
foreign_symbols() {
    local archive=$1 pattern
    shift
    pattern=$(IFS='|' && echo "^(__|$*)")
    "$nm" --extern-only --defined-only --format=posix "$archive" |
        awk 'NF > 1 { print $1 }' | sort -u | grep -vE "$pattern" || true
}

check_archive() {
    local lib=$1 archive=$build/libs/$1/lib$1.a foreign
    shift
    if [ ! -e "$archive" ]; then
        fail "$lib" "there is no $archive"
        return
    fi
    foreign=$(foreign_symbols "$archive" "$@")
    if [ -z "$foreign" ]; then
        pass
    else
        fail "$lib: not static, and without a prefix of its PREFIXES ($*)" "$foreign"
    fi
}

while read -r lib prefixes; do
    # shellcheck disable=SC2086  # prefixes are words
    check_archive "$lib" $prefixes
done <"$build/prefixes.txt"

# The check itself: with one prefix of base missing, its symbols and no others are found.
others=$(sed -n 's/^base //p' "$build/prefixes.txt" | sed 's/ uuid_//')
# shellcheck disable=SC2086  # prefixes are words
foreign=$(foreign_symbols "$build/libs/base/libbase.a" $others)
if [ "$foreign" = $'uuid_is_valid\nuuid_new\nuuid_next' ]; then
    pass
else
    fail 'a missing prefix is found' "$foreign"
fi

report
