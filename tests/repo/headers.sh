#!/usr/bin/env bash
# Public headers compile alone, with nothing but their library's own and lower layers in reach.
#
#   headers.sh ROOT BUILD
set -euo pipefail
root=$1
build=$2
# shellcheck source=tests/repo/report.sh
. "$root/tests/repo/report.sh"

output=$(cmake --build "$build" --target all_verify_interface_header_sets -- -k 0 2>&1) || true
while read -r header; do
    name=${header#"$root"/libs/*/include/}
    if object=$(find "$build/libs" -path "*_verify_interface_header_sets/$name.c.o" \
        -newer "$header") && [ -n "$object" ]; then
        pass
    else
        fail "$name" "$(grep -A 20 "FAILED.*/$name" <<<"$output" || echo "$output")"
    fi
done < <(find "$root"/libs/*/include -name '*.h' | sort)

report
