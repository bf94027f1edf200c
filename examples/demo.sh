#!/bin/sh
# What `make demo` shows: a model written from text, optimized, verified, compared. Takes the folder of the programs.
set -eu
bin=$1
here=$(dirname "$0")
out=$(dirname "$bin")/demo
mkdir -p "$out"

run() { echo "\$ $*"; program=$1; shift; (cd "$out" && "$bin/$program" "$@" 2>&1); echo; }
case $bin in /*) ;; *) bin=$PWD/$bin ;; esac

"$bin/onnx-run" parse "$here/sample.onnxtxt" -o "$out/sample.onnx"
run onnx-run inspect sample.onnx
run onnx-opt sample.onnx -o sample.opt.onnx -v
run onnx-run compare sample.onnx sample.opt.onnx -v
echo "file: $(wc -c < "$out/sample.onnx") bytes before, $(wc -c < "$out/sample.opt.onnx") after; both are in $out"
