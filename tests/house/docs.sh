#!/bin/sh
# Examples of the documents hold: pipelines and rules that stand there are read without an error, and links lead to files. Takes the folder of the
# programs and the root of the tree.
set -eu
bin=$(cd "$1" && pwd)
root=$(cd "$2" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
bad=0
"$bin/onnx-run" parse "$root/examples/sample.onnxtxt" -o sample.onnx

# blocks LANGUAGE FILE: each block of that language as a file N.LANGUAGE
blocks() {
    rm -f ./*."$1"
    awk -v begin='```'"$1" -v name="$1" '$0 == begin { inside = 1; n++; next } /^```/ { inside = 0 } inside { print > (n "." name) }' "$2"
}

for page in README.md docs/pipelines.md docs/rules.md; do
    blocks yaml "$root/$page"
    for file in ./*.yaml; do
        [ -e "$file" ] || continue
        cp "$root"/examples/*.rules .
        "$bin/onnx-opt" sample.onnx -o out.onnx --profile="$file" --verify=off || { bad=1; echo "in $page, pipeline $file:"; cat "$file"; }
    done
done
cd "$root"
for page in README.md docs/*.md; do
    for link in $(grep -o '](\([^)#:]*\))' "$page" | sed 's/^](//; s/)$//'); do
        [ -e "$(dirname "$page")/$link" ] || { bad=1; echo "$page: no such file: $link"; }
    done
done
exit $bad
