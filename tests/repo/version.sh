#!/usr/bin/env bash
# One version everywhere: what CMakeLists.txt says is what the chart and the binaries say.
#
#   version.sh ROOT BUILD
set -euo pipefail
root=$1
build=$2
# shellcheck source=tests/repo/report.sh
. "$root/tests/repo/report.sh"

version=$(sed -n 's/^project(.* VERSION \([0-9.]*\) .*/\1/p' "$root/CMakeLists.txt")
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail CMakeLists.txt "no version: '$version'"

same() { # name, what it says
    if [ "$2" = "$version" ]; then pass; else fail "$1" "'$2', but CMakeLists.txt says '$version'"; fi
}

chart() { sed -n "s/^$1: \"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$root/charts/plankton/Chart.yaml"; }

same 'the chart' "$(chart version)"
same "the chart's appVersion" "$(chart appVersion)"
for service in users auth gateway; do
    same "$service" "$("$build/bin/$service" version | sed "s/^$service //")"
done

report
