#!/usr/bin/env bash
# Shows that cmake/Layers.cmake stops what the layer table forbids: each case is a small project that
# is configured, and built where the configure step is to succeed.
#
#   layers.sh ROOT WORK      ROOT is the repository, WORK a directory to be made anew
set -euo pipefail
root=$1
work=$2
# shellcheck source=tests/repo/report.sh
. "$root/tests/repo/report.sh"

# A project of three libraries (low, its neighbour and, above both, high) and a service; each call
# of layers_case changes one thing in it.
make_project() {
    rm -rf "$work"
    mkdir -p "$work"/{low,neighbour,high,shop}
    cat >"$work/CMakeLists.txt" <<EOF
cmake_minimum_required(VERSION 3.25)
project(throw_away LANGUAGES C)
list(APPEND CMAKE_MODULE_PATH "$root/cmake")
include(Flags)
include(Layers)
add_subdirectory(low)
add_subdirectory(neighbour)
add_subdirectory(high)
add_subdirectory(shop)
plankton_check_layers()
EOF
    local lib
    for lib in low neighbour high; do
        mkdir -p "$work/$lib"/{src,include/$lib}
        printf 'int %s_answer(void);\n' $lib >"$work/$lib/include/$lib/$lib.h"
        printf '#include <%s/%s.h>\nint %s_answer(void)\n{\n    return 42;\n}\n' \
            $lib $lib $lib >"$work/$lib/src/$lib.c"
    done
    echo 'plankton_library(low LAYER 1 PREFIXES low_)' >"$work/low/CMakeLists.txt"
    echo 'plankton_library(neighbour LAYER 1 PREFIXES neighbour_)' >"$work/neighbour/CMakeLists.txt"
    echo 'plankton_library(high LAYER 2 PREFIXES high_ DEPENDS low)' >"$work/high/CMakeLists.txt"
    echo 'plankton_service(shop DEPENDS high)' >"$work/shop/CMakeLists.txt"
    printf '#include <high/high.h>\nint main(void)\n{\n    return high_answer();\n}\n' \
        >"$work/shop/main.c"
    printf '#include <low/low.h>\nint shop_open(void);\nint shop_open(void)\n{\n%s\n}\n' \
        '    return low_answer();' >"$work/shop/shop.c"
}

run() {
    cmake -S "$work" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug 2>&1 || return 1
    cmake --build "$work/build" 2>&1 || return 2
}

# layers_case NAME STEP MESSAGE FILE [LINE...]: the lines are appended to FILE; then STEP (configure,
# build) fails with MESSAGE, or with STEP "none" everything works.
layers_case() {
    local name=$1 step=$2 message=$3 file=$4 output code=0 expected
    shift 4
    make_project
    printf '%s\n' "$@" >>"$work/$file"
    output=$(run) || code=$?
    case $step in none) expected=0 ;; configure) expected=1 ;; build) expected=2 ;; esac
    # CMake breaks the lines of its messages.
    if [ "$code" -eq "$expected" ] && [[ $(tr -s ' \n' ' ' <<<"$output") = *"$message"* ]]; then
        pass
    else
        fail "$name" "$output"
    fi
}

layers_case 'what the table allows' none '' low/CMakeLists.txt ''

layers_case 'same layer' configure \
    'layers: neighbour (layer 1) may not depend on low (layer 1): only on lower layers' \
    neighbour/CMakeLists.txt 'target_link_libraries(neighbour PUBLIC low)'
layers_case 'higher layer, in DEPENDS' configure \
    'layers: extra (layer 0) may not depend on high (layer 2): only on lower layers' \
    low/CMakeLists.txt 'plankton_library(extra LAYER 0 PREFIXES extra_ DEPENDS high)'
layers_case 'higher layer, PRIVATE' configure \
    'layers: low (layer 1) may not depend on high (layer 2): only on lower layers' \
    low/CMakeLists.txt 'target_link_libraries(low PRIVATE high)'
layers_case 'higher layer, linked from another directory' configure \
    'layers: low (layer 1) may not depend on high (layer 2): only on lower layers' \
    high/CMakeLists.txt 'target_link_libraries(low INTERFACE high)'
layers_case 'another service' configure \
    'layers: shop_service (layer 5) may not depend on rival_service (layer 5): only on lower layers' \
    shop/CMakeLists.txt 'plankton_service(rival)' 'target_link_libraries(shop_service PUBLIC rival_service)'

layers_case "someone else's third-party library" configure \
    'layers: extra may not use sqlite3: it belongs to sql' \
    low/CMakeLists.txt 'plankton_library(extra LAYER 0 PREFIXES extra_ THIRD_PARTY sqlite3)'
for link in sqlite3 -lsqlite3 /usr/lib/libsqlite3.so '$<1:sqlite3>'; do
    layers_case "someone else's third-party library by plain link: $link" configure \
        "layers: low may not link $link: it is no library of ours" \
        low/CMakeLists.txt "target_link_libraries(low PRIVATE \"$link\")"
done
layers_case 'its own third-party library, but PUBLIC' configure \
    'layers: sql must link sqlite3 PRIVATE' \
    high/CMakeLists.txt 'plankton_library(sql LAYER 3 PREFIXES sql_)' \
    'target_link_libraries(sql PUBLIC sqlite3)'
layers_case 'no layer' configure 'layers: extra: LAYER and PREFIXES are needed' \
    low/CMakeLists.txt 'plankton_library(extra PREFIXES extra_)'

for header in sqlite3.h openssl/rand.h cjson/cJSON.h sodium.h civetweb.h nats/nats.h; do
    layers_case "header of someone else's library: $header" build "<$header> belongs to" \
        low/src/low.c "#include <$header>"
done
layers_case 'header of a library that it does not depend on' build 'neighbour/neighbour.h' \
    low/src/low.c '#include <neighbour/neighbour.h>'

report
