#!/usr/bin/env bash
# What cmake/EmbedMigrations.cmake makes of a migration's first line, and which ones stop the build.
#
#   migrations.sh ROOT WORK CMAKE      WORK is a directory to be made anew
set -euo pipefail
root=$1
work=$2
cmake=$3
# shellcheck source=tests/repo/report.sh
. "$root/tests/repo/report.sh"

readonly TABLE='CREATE TABLE towns (name TEXT);\n-- with; a [comment]\n'

# embed FILE TEXT: what is made of it in $work/out.c, and what is said in $said
embed() {
    rm -rf "$work"
    mkdir -p "$work"
    printf '%b' "$2" >"$work/$1"
    said=$("$cmake" -DNAME=shop "-DFILES=$work/$1" "-DOUT=$work/out.c" \
        -P "$root/cmake/EmbedMigrations.cmake" 2>&1)
}

# The text that is embedded, and its works_with.
embedded() {
    sed -n 's/^static const char text_0\[\] = {\(.*\)0};$/\1/p' "$work/out.c" |
        sed 's/0x\(..\),/\\x\1/g'
}

taken() { # name, first line, works_with
    if ! embed 0012_towns.sql "$2$TABLE"; then
        fail "$1" "$said"
    elif ! grep -q "\.works_with = $3}" "$work/out.c"; then
        fail "$1" "$(grep works_with "$work/out.c")"
    elif [ "$(printf '%b' "$(embedded)")" != "$(printf '%b' "${4:-}$TABLE")" ]; then
        fail "$1" "$(printf '%b' "$(embedded)")"
    else
        pass
    fi
}

refused() { # name, text, line, what it says
    if embed 0012_towns.sql "$2"; then
        fail "$1" "it was taken"
    elif ! [[ $(tr -s ' \n' ' ' <<<"$said") = *"0012_towns.sql:$3: $4"* ]]; then
        fail "$1" "$said"
    else
        pass
    fi
}

taken 'no line' '' 0
taken 'another comment' '-- Towns.\n' 0 '-- Towns.\n'
taken 'the one before' '-- works with: 0011\n' 11
taken 'an early one, in octal digits' '-- works with: 0010\n' 10
taken 'with a carriage return' '-- works with: 0011\r\n' 11
taken 'the first' '-- works with: 0001\n' 1

form='not "-- works with: NNNN" on the first line'
refused 'itself' "-- works with: 0012\n$TABLE" 1 'works with 0012, which is none before 0012'
refused 'none' "-- works with: 0000\n$TABLE" 1 'works with 0000, which is none before 0012'
refused 'not four digits' "-- works with: 11\n$TABLE" 1 "$form"
refused 'a fifth digit' "-- works with: 00011\n$TABLE" 1 "$form"
refused 'no colon' "-- works with 0011\n$TABLE" 1 "$form"
refused 'no number' "-- works with: the last\n$TABLE" 1 "$form"
refused 'upper case' "-- Works with: 0011\n$TABLE" 1 "$form"
refused 'more behind it' "-- works with: 0011, 0010\n$TABLE" 1 "$form"
refused 'indented' " --works with: 0011\n$TABLE" 1 "$form"
refused 'on the second line' "-- Towns.\n-- works with: 0011\n$TABLE" 2 "$form"
refused 'at the end' "$TABLE-- works with: 0011" 3 "$form"
refused 'twice' "-- works with: 0011\n$TABLE\n-- works with: 0010\n" 5 "$form"

report
