#!/bin/bash
# The tour of README.md: runs every "$ command" of its blocks that begin with ```sh tour, in one folder and in their order, and compares
# what comes out with what stands there. Times and paths of the machine may differ, the rest may not. Takes the folder of the programs and
# the root of the tree; with a third argument writes what came out into the README.
set -u
bin=$(cd "$1" && pwd) root=$(cd "$2" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PATH=$bin:$PATH LC_ALL=C
unset MAKEFLAGS MAKELEVEL MFLAGS ONNX_OPT ONNX_RUN
grep -q '^```sh tour' "$root/README.md" || { echo 'README.md has no tour'; exit 1; }
mkdir "$work/tour"
cp -r "$root/examples" "$work/tour/"

# Numbers with a unit of time and what belongs to the machine are not compared.
stable() {
    sed -E -e 's/(greatest difference) .*/\1 #/' -e 's/[0-9]+\.[0-9]+( ms|,|;|$)/#\1/g' -e 's/ +#/ #/g' \
        -e 's/(arena|lower bound|without sharing) [0-9]+/\1 #/g' -e 's/[0-9]+ buffers/# buffers/' -e 's/(order: [a-z ]*; packing: ).*/\1#/' -e 's/^(products by|threads|compiler|libraries) .*/\1 #/'
}

# A README with the blocks run again, on standard output.
again() {
    local line inside='' skipping=''
    while IFS= read -r line; do
        case $line in
        '```sh tour') inside=yes; skipping=''; printf '%s\n' "$line" ;;
        '```') inside=''; skipping=''; printf '%s\n' "$line" ;;
        '$ '*)
            printf '%s\n' "$line"
            if [ -n "$inside" ]; then
                (cd "$work/tour" && eval "${line#\$ }" 2>&1 </dev/null)
                skipping=yes
            fi ;;
        *) [ -n "$skipping" ] || printf '%s\n' "$line" ;;
        esac
    done
}

again < "$root/README.md" > "$work/README.md"
if [ $# -gt 2 ]; then
    cat "$work/README.md" > "$root/README.md"
elif ! diff -u <(stable < "$root/README.md") <(stable < "$work/README.md"); then
    echo "the tour does not say what the programs say; $0 $1 $2 write"
    exit 1
fi
