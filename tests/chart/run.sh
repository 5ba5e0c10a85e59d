#!/usr/bin/env bash
# ./dev chart [--update]: everything about charts/plankton that needs no cluster. Prints `N passed, N failed`.
#
# The network is used for the packages of package-lock.json alone, once.
set -euo pipefail
cd "$(dirname "$0")/../.."

# shellcheck source=tests/chart/modules.sh
. tests/chart/modules.sh
exec node tests/chart/main.mjs "$@"
