#!/bin/sh
# examples/Makefile as its users run it: everything is built, nothing a second time, and what changes is built again, with -j too. Takes
# the folder of the programs and the root of the tree.
set -eu
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$2"/examples/* "$work/"
cd "$work"
unset MAKEFLAGS MAKELEVEL MFLAGS
export ONNX_OPT="$bin/onnx-opt" ONNX_RUN="$bin/onnx-run"

die() { echo "$*"; exit 1; }
builds() { # what, target, files that must be made again
    what=$1 target=$2; shift 2
    make -j2 "$target" > log.txt 2>&1 || { cat log.txt; die "$what: make failed"; }
    for file in "$@"; do grep -q -- "-o $file" log.txt || { cat log.txt; die "$what: $file was not built again"; }; done
}
idle() { make -q "$1" || { make -n "$1"; die "$2: there is still something to do"; }; }

sed 's/sample (/second (/; s/producer_name.*/producer_name: "another"/' sample.onnxtxt > second.onnxtxt
builds 'at first' all sample.onnx sample.opt.onnx second.opt.onnx
idle all 'after the first run'
[ -s sample.opt.onnx.data ] || die 'no external data'
[ -s sample.report.json ] || die 'no report'
for read in sample.onnx ./pipeline.yaml ./ours.rules; do grep -q -- "$read" sample.opt.d || die "$read is not in the dependency file"; done
"$ONNX_RUN" inspect sample.opt.onnx | grep -q ReduceMean || die 'our rule was not applied'

builds 'external data in' sample.single.onnx sample.single.onnx
idle sample.single.onnx 'after the second stage'
[ "$(wc -c < sample.single.onnx)" -gt "$(wc -c < sample.opt.onnx.data)" ] || die 'the weights are not inside'
touch sample.opt.onnx.data
builds 'touched: external data' sample.single.onnx sample.single.onnx
idle sample.single.onnx 'after the data'

for file in ours.rules pipeline.yaml; do
    sleep 0.02
    touch $file
    builds "touched: $file" all sample.opt.onnx second.opt.onnx
    idle all "after $file"
done
sleep 0.02
touch second.onnxtxt
builds 'touched: a model' all second.onnx second.opt.onnx
if grep -q 'sample' log.txt; then cat log.txt; die 'the other model was built again'; fi
idle all 'after a model'

before=$(cksum < sample.opt.onnx)
make clean > log.txt
[ ! -e sample.opt.onnx ] || die 'make clean leaves models'
builds 'after clean' all sample.opt.onnx
[ "$before" = "$(cksum < sample.opt.onnx)" ] || die 'other bytes the second time'

echo 'rule broken {' >> ours.rules
if make all > log.txt 2>&1; then die 'a broken rule is no error'; fi
grep -q 'ours.rules:' log.txt || { cat log.txt; die 'the broken rule is not named'; }
[ "$before" = "$(cksum < sample.opt.onnx)" ] || die 'a failed build did not leave the good file'
