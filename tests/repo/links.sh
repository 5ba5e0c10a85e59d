#!/usr/bin/env bash
# Links of the Markdown pages lead to files that are there, and to headings that they have.
#
#   links.sh ROOT
set -euo pipefail
root=$1
# shellcheck source=tests/repo/report.sh
. "$root/tests/repo/report.sh"

# As GitHub makes them: lower case, spaces to hyphens, other punctuation dropped.
anchors() {
    sed -n 's/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

while read -r page; do
    while read -r link; do
        file=${link%%#*}
        target=$page
        [ -z "$file" ] || target=$(dirname "$page")/$file
        if [ ! -e "$target" ]; then
            fail "$page" "$link: there is no such file"
        elif [[ $link == *'#'* ]] && ! grep -qx -- "${link#*#}" <<<"$(anchors "$target")"; then
            fail "$page" "$link: there is no such heading"
        else
            pass
        fi
    done < <(grep -oE '\]\([^) ]+\)' "$page" | sed 's/^](//; s/)$//' | grep -vE '^[a-z]+:' || true)
done < <(find "$root" -name '*.md' -not -path "$root/build/*" -not -path "$root/var/*" | sort)

report
