#!/bin/sh
# What `make install` leaves: programs that run from there, and a library a C program is built with by pkg-config alone. Takes meson, the build
# folder, the root of the tree and the C compiler.
set -eu
meson=$1 build=$2 root=$3 cc=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
die() { echo "$*"; exit 1; }

"$meson" install -C "$build" --no-rebuild --destdir "$work/stage" > "$work/log.txt" 2>&1 || { cat "$work/log.txt"; exit 1; }
pc=$(find "$work/stage" -name ox.pc)
[ -n "$pc" ] || die 'no ox.pc'
prefix=$work/moved
mv "$work/stage$(sed -n 's/^prefix=//p' "$pc")" "$prefix"
libdir=$(dirname "$(find "$prefix" -name libox.so)")
for file in bin/onnx-opt bin/onnx-run include/ox.h include/onnx-tools/ox_pass.h include/onnx-tools/passes/pass.h \
    share/onnx-tools/profiles/portable.yaml share/onnx-tools/rules/cleanup.rules; do
    [ -s "$prefix/$file" ] || die "not installed: $file"
done
[ -s "$libdir/libox.a" ] || die 'not installed: libox.a'
if command -v scdoc > /dev/null; then
    for page in onnx-opt onnx-run; do
        [ -n "$(find "$prefix" -name "$page.1")" ] || die "not installed: the man page of $page"
    done
fi

# The programs, from where they were moved to
cd "$work"
"$prefix/bin/onnx-run" parse "$root/examples/sample.onnxtxt" -o sample.onnx
"$prefix/bin/onnx-opt" sample.onnx -o sample.opt.onnx

# The library
export PKG_CONFIG_PATH="$libdir/pkgconfig"
cflags=$(pkg-config --define-prefix --cflags ox) libs=$(pkg-config --define-prefix --libs ox)
# shellcheck disable=SC2086
"$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror "$root/examples/smaller.c" -o smaller $cflags $libs
LD_LIBRARY_PATH=$libdir ./smaller sample.onnx smaller.onnx > said.txt
grep -q '^[0-9]* nodes became [0-9]*, same results$' said.txt || { cat said.txt; die 'smaller.c says something else'; }
cmp smaller.onnx sample.opt.onnx || die 'the library and the program give other bytes'
if LD_LIBRARY_PATH=$libdir ./smaller none.onnx x.onnx 2> said.txt; then die 'a missing model is no error'; fi
grep -q 'none.onnx' said.txt || die 'the missing model is not named'

# The headers of the second tier stand alone, and libox.a has what they declare
cat > tier.c <<'END'
#include <ox_pass.h>
int main(void) {
    ox_ctx *ctx = ox_ctx_new();
    const ox_pass *p = ox_pass_find("dce");
    ox_ctx_free(ctx);
    return !p;
}
END
# shellcheck disable=SC2086
"$cc" -std=gnu11 tier.c -o tier -I"$prefix/include/onnx-tools" "$libdir/libox.a" $(pkg-config --static --define-prefix --libs ox | sed 's/-lox\b//') -fopenmp
./tier || die 'the static library does not work'

# Nothing but what ox.h declares is visible
nm -D --defined-only "$libdir/libox.so" | awk '$2 != "A" { print $3 }' | sort > visible.txt
sed -n 's/.*OX_API .*[ *]\(ox_[a-z0-9_]*\)(.*/\1/p' "$prefix/include/ox.h" | sort > declared.txt
diff declared.txt visible.txt || die 'libox.so shows other names than ox.h declares'
