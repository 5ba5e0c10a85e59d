#!/bin/sh
# cmake/static/fetch.sh DIRECTORY: what the static build needs and no Debian package has as an
# archive that could be installed:
#
#   DIRECTORY/civetweb   from Debian's source packages, with Debian's patches
#   DIRECTORY/cjson      likewise
#   DIRECTORY/postgres   libpgcommon_shlib.a and libpgport_shlib.a, which libpq.a needs, out of a
#                        package that would bring LLVM along
#
# All of it comes from where this system has its packages from (apt's own sources, with their keys).
# Nothing is installed, and apt's lists stay as they are. Debian 13 or newer, as any user.
set -eu

directory=${1:?usage: fetch.sh DIRECTORY}
mkdir -p "$directory/apt/lists/partial" "$directory/download"
directory=$(cd "$directory" && pwd)
cd "$directory/download"

say() { printf '    %s\n' "$*" >&2; }
die() {
    printf 'fetch.sh: %s\n' "$*" >&2
    exit 1
}

# "uri suite" of each Debian archive that packages come from, and, after them, of newer releases: a
# mirror may lack a file of one, and the pins say what is right.
suites() {
    # shellcheck disable=SC2016  # the names are apt's
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' \
        'Created-By: Packages' |
        awk '$3 == "main" && $4 ~ /^Debian/ && !seen[$1, $2]++ {
                 print $1, $2
                 if ($2 !~ /-/ && !main) main = $1
             }
             END { if (main) { print main, "forky"; print main, "sid" } }'
}

# apt_run get|cache ...: apt-get or apt-cache for one suite's sources alone, with lists of its own.
apt_run() {
    program=apt-$1
    shift
    "$program" -qq -o Dir::Etc::SourceList="$directory/apt/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$directory/apt/lists" \
        -o Dir::Cache="$directory/apt" -o APT::Sandbox::User="$(id -un)" "$@"
}

# try_source SUITE PACKAGE LEAST_VERSION ORIG_SHA256...: from that suite, which apt_run is set to.
try_source() {
    suite=$1
    shift
    version=$(apt_run cache showsrc "$1" |
        sed -n "/^Package: $1\$/,/^\$/s/^Version: //p" | sort -V | tail -n 1)
    if [ -z "$version" ] || dpkg --compare-versions "$version" lt "$2"; then
        say "$1: $suite has ${version:-none}, not $2 or newer"
        return 1
    fi
    rm -f "$1"_*
    # Not the .dsc: apt checks both files against the signed index, and it would add nothing.
    apt_run get source --download-only --tar-only "$1=$version" &&
        apt_run get source --download-only --diff-only "$1=$version" || return 1
    case " $* " in
    *" $(sha256sum "$1"_*.orig.tar.* | cut -d' ' -f1) "*) say "$1 $version from $suite" ;;
    *)
        say "$1: the upstream tarball of $version in $suite is not the pinned one"
        return 1
        ;;
    esac
}

# fetch_source PACKAGE LEAST_VERSION ORIG_SHA256...: into DIRECTORY/PACKAGE, Debian's patches
# applied.
fetch_source() {
    [ ! -e "$directory/$1" ] || return 0
    suites >"$directory/apt/suites"
    found=
    while [ -z "$found" ] && read -r uri suite; do
        echo "deb-src $uri $suite main" >"$directory/apt/sources.list"
        apt_run get update && try_source "$suite" "$@" && found=yes
    done <"$directory/apt/suites"
    [ -n "$found" ] || die "no suite has the sources of $1: see above"
    rm -rf "$1.new"
    mkdir "$1.new"
    tar -C "$1.new" --strip-components=1 -xf "$(echo "$1"_*.orig.tar.*)"
    tar -C "$1.new" -xf "$(echo "$1"_*.debian.tar.*)"
    sed 's/[[:space:]]*\(#.*\)\{0,1\}$//' "$1.new/debian/patches/series" | while read -r patch; do
        [ -z "$patch" ] || patch -s -p1 -d "$1.new" <"$1.new/debian/patches/$patch"
    done
    mv "$1.new" "$directory/$1"
}

fetch_postgres() {
    [ ! -e "$directory/postgres" ] || return 0
    # shellcheck disable=SC2016  # the name is dpkg's
    version=$(dpkg-query -W -f '${Version}' libpq-dev) || die "libpq-dev is not installed"
    package=postgresql-server-dev-${version%%.*}
    apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$package=$version" ||
        die "$package $version, of which libpq-dev is, cannot be had: apt-get update and upgrade"
    rm -rf postgres.new
    mkdir postgres.new
    dpkg-deb --fsys-tarfile "$package"_*.deb | tar -C postgres.new --strip-components=6 -x \
        "./usr/lib/postgresql/${version%%.*}/lib/libpgcommon_shlib.a" \
        "./usr/lib/postgresql/${version%%.*}/lib/libpgport_shlib.a"
    say "libpgcommon_shlib.a, libpgport_shlib.a of $package $version"
    mv postgres.new "$directory/postgres"
}

# The versions: older ones have known holes. The pins: upstream's tarballs as Debian has them.
fetch_source civetweb 1.16+dfsg-2+deb13u1 \
    41dbfd68cd3b914ce440a5813f21058813b61a972600cc04fb8233a0d2d04fe4
fetch_source cjson 1.7.18-3.1+deb13u1 \
    3aa806844a03442c00769b83e99970be70fbef03735ff898f4811dd03b9f5ee5 \
    7fa616e3046edfa7a28a32d5f9eacfd23f92900fe1f8ccd988c1662f30454562
fetch_postgres
rm -rf "$directory/apt" "$directory/download"
