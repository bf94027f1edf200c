#!/bin/sh
# What `make demo` shows: a model written from text, optimized, compared. Takes the folder of the programs.
set -eu
bin=$1
here=$(dirname "$0")
out=$bin/../demo
mkdir -p "$out"

"$bin/onnx-run" parse "$here/sample.onnxtxt" -o "$out/sample.onnx"
echo "\$ onnx-opt sample.onnx -o sample.opt.onnx -v"
"$bin/onnx-opt" "$out/sample.onnx" -o "$out/sample.opt.onnx" -v
echo "file: $(wc -c < "$out/sample.onnx") bytes -> $(wc -c < "$out/sample.opt.onnx") bytes"
echo
echo "\$ onnx-run print sample.opt.onnx"
"$bin/onnx-run" print "$out/sample.opt.onnx"
