#!/bin/sh
# The laws of the house, kept by a test: includes go one way, libraries are seen only where they belong, the library neither prints nor exits,
# file names are unique, long files say why. Takes the root of the tree.
set -u
cd "$1" || exit 1
bad=0
say() { echo "$*"; bad=1; }

# folder: what it may include (by the first folder of the path in quotes)
allowed() {
    case $1 in
    lib/base) echo 'base' ;;
    lib/yaml) echo 'base yaml' ;;
    lib/ir) echo 'base ir' ;;
    lib/cpu) echo 'cpu' ;;
    lib/op) echo 'base cpu ir op' ;;
    lib/onnx) echo 'base ir op onnx onnx.pb-c.h' ;;
    lib/exec) echo 'base cpu ir op exec' ;;
    passes) echo "base ir op onnx exec yaml passes ox.h" ;;
    quant) echo 'base ir op onnx exec yaml passes quant' ;;
    tools) echo 'base cpu ir op onnx exec yaml passes quant tools ox.h' ;;
    esac
}
for dir in lib/base lib/cpu lib/yaml lib/ir lib/op lib/onnx lib/exec passes quant tools; do
    ok=" $(allowed "$dir") "
    for file in "$dir"/*.c "$dir"/*.h; do
        [ -f "$file" ] || continue
        for inc in $(sed -n 's/^# *include "\([^"]*\)".*/\1/p' "$file"); do
            top=${inc%%/*}
            case $ok in *" $top "*) ;; *) say "$file includes $inc: not allowed from $dir" ;; esac
        done
    done
done

only() { # header pattern, folders that may see it
    pattern=$1; shift
    for file in $(grep -rlE "# *include <($pattern)" lib passes quant tools --include='*.c' --include='*.h' 2>/dev/null); do
        inside=no
        for dir in "$@"; do case $file in "$dir"/*) inside=yes ;; esac; done
        [ $inside = yes ] || say "$file sees $pattern: only $* may"
    done
}
only 'protobuf-c' lib/onnx
only 'yaml.h' lib/yaml
only 'cblas|oneapi' lib/op lib/exec
only 'cuda' lib/cuda
only 'zip.h' lib/exec
only 'jpeglib|png.h|tiffio|webp/|openjpeg' lib/op

for file in $(grep -lE '(^|[^a-z_])(exit|abort|_exit|printf|puts|perror)\(|fprintf\((stderr|stdout)' lib/*/*.c passes/*.c 2>/dev/null); do
    case $file in passes/embed.c) ;; *) say "$file prints or exits: the library must not" ;; esac
done

for name in $(find lib passes quant tools -name '*.[ch]' | sed 's|.*/||' | sort | uniq -d); do say "file name $name stands twice"; done

for file in $(find lib passes quant tools tests -name '*.[ch]'); do
    lines=$(wc -l < "$file")
    [ "$lines" -le 800 ] || head -20 "$file" | grep -qi 'long because' || say "$file has $lines lines: split it, or say at its top why it is 'long because ...'"
    head -1 "$file" | grep -q '^/\*' || say "$file does not open with what it does"
done
exit $bad
