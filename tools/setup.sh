#!/bin/sh
# Installs what the build needs and is missing: Debian packages when we may, else says exactly what to install. Says nothing when all is there.
set -eu

packages='gcc libc6-dev make meson ninja-build pkg-config protobuf-c-compiler libprotobuf-c-dev libyaml-dev libjansson-dev libxxhash-dev
libzip-dev zlib1g-dev libopenblas0-openmp libcmocka-dev scdoc libjpeg62-turbo-dev libpng-dev libtiff-dev libwebp-dev libopenjp2-7-dev'

# Packages of the list that are not installed, in one question.
missing_packages() {
    # shellcheck disable=SC2086
    there=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $packages 2>/dev/null | sed -n 's/^installed //p')
    for p in $packages; do
        case "
$there
" in *"
$p
"*) ;; *) printf ' %s' "$p" ;; esac
    done
}

missing=
if command -v dpkg-query >/dev/null; then
    missing=$(missing_packages)
    [ -n "$missing" ] || exit 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing:$missing"
        apt-get update -qq >/dev/null
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
        exit 0
    fi
fi

# Not root, or not Debian: fine as long as tools and libraries are there in some other way (OpenBLAS, scdoc and the image libraries are optional).
lacking=
for tool in cc meson ninja pkg-config protoc-c; do
    command -v "$tool" >/dev/null || lacking="$lacking $tool"
done
for lib in libprotobuf-c yaml-0.1 jansson libxxhash libzip zlib cmocka; do
    pkg-config --exists "$lib" 2>/dev/null || lacking="$lacking $lib"
done
[ -n "$lacking" ] || exit 0
echo "missing:$lacking" >&2
if [ -n "$missing" ]; then
    echo "please run: sudo apt-get install$missing" >&2
else
    echo 'please install these tools and the development files of these libraries (names as pkg-config has them)' >&2
fi
exit 1
