#!/bin/sh
# Installs what the build needs and is missing: Debian packages when we may, else says exactly what to install.
set -eu

packages='gcc make meson ninja-build pkg-config protobuf-c-compiler libprotobuf-c-dev libyaml-dev libjansson-dev libxxhash-dev
libzip-dev zlib1g-dev libopenblas0-openmp libcmocka-dev'

missing=
for p in $packages; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing:$missing"
    apt-get update -qq >/dev/null
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    exit 0
fi

# Not root: fine as long as the tools and libraries are there in some other way.
lacking=
for tool in cc meson ninja pkg-config protoc-c; do command -v "$tool" >/dev/null || lacking="$lacking $tool"; done
for lib in libprotobuf-c yaml-0.1 jansson libxxhash libzip zlib cmocka; do pkg-config --exists "$lib" 2>/dev/null || lacking="$lacking $lib"; done
if [ -n "$lacking" ]; then
    echo "missing:$lacking" >&2
    echo "please run: sudo apt-get install$missing" >&2
    exit 1
fi
