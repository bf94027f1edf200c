#!/bin/sh
# What passes have no say in: external data around an optimization, tensors inside attributes, order and names, files beside each other.
# Takes the folder of the programs. TAP.
set -u
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
n=0 failed=0

# check NAME COMMAND...: the command must succeed
check() {
    name=$1; shift
    n=$((n + 1))
    if "$@" >out.txt 2>err.txt </dev/null; then echo "ok $n - $name"
    else failed=1; echo "not ok $n - $name"; echo "# $(head -c 300 err.txt)"; fi
}
refused() { name=$1 code=$2; shift 2; check "$name" sh -c '"$@"; [ $? -eq '"$code"' ]' sh "$@"; }
numbers() { seq -s ', ' 1 "$1"; }
opt() { "$bin/onnx-opt" "$@"; }

# Two layers, large enough for a file of their own; one weight in a branch.
cat > model.txt <<EOT
<ir_version: 8, opset_import: ["" : 17]>
g (float[N,32] x, bool c) => (float[N,16] y) <float[32,16] w = {$(numbers 512)}, float[16] b = {$(numbers 16)}, float zero = {0}> {
   m = MatMul (x, w)
   a = Add (m, b)
   i = Identity (a)
   e = Add (i, zero)
   y = If (c) <
      then_branch = t () => (float[N,16] p) { k = Constant <value = float[16,16] {$(numbers 256)}> ()  p = MatMul (e, k) },
      else_branch = f () => (float[N,16] q) { q = Neg (e) }
   >
}
EOT
mkdir in out
"$bin/onnx-run" parse model.txt -o plain.onnx || { echo 'Bail out! the model does not parse'; exit 1; }
check 'trap 70: a model with external data' opt plain.onnx -o in/model.onnx --passes=canonicalize,external-data
check 'trap 71: the tensor of an attribute went out as well' sh -c '[ "$(stat -c %s in/model.onnx)" -lt 1200 ] && [ "$(stat -c %s in/model.onnx.data)" -ge 3072 ]'
cp in/model.onnx before.onnx && cp in/model.onnx.data before.data

# ---- trap 70
check 'trap 70: the result in another folder' opt in/model.onnx -o out/model.onnx
check 'trap 70: it has its own data' sh -c 'cd / && "$1" compare "$2/plain.onnx" "$2/out/model.onnx"' sh "$bin/onnx-run" "$work"
check 'trap 70: the input is as it was' sh -c 'cmp in/model.onnx before.onnx && cmp in/model.onnx.data before.data'
check 'trap 70: the result beside the input' opt in/model.onnx -o in/small.onnx
check 'trap 70: both can be read' sh -c '"$1" compare in/model.onnx in/small.onnx && "$1" compare plain.onnx in/small.onnx' sh "$bin/onnx-run"
check 'trap 70: the data of the input are as they were' cmp in/model.onnx.data before.data
touch out/small.onnx.data && echo mine > small.onnx.data
check 'trap 70: a file of that name in the current folder is nobody else'\''s' sh -c '"$1" in/model.onnx -o out/small.onnx --passes=external-data,dce && [ "$(cat small.onnx.data)" = mine ]' sh "$bin/onnx-opt"
check 'trap 70: in one file again' sh -c '"$1" in/model.onnx -o one.onnx --passes=internal-data && "$2" compare plain.onnx one.onnx' sh "$bin/onnx-opt" "$bin/onnx-run"
refused 'trap 70: in place' 73 "$bin/onnx-opt" in/model.onnx -o in/../in/model.onnx
cat > shared.txt <<EOT
<ir_version: 8, opset_import: ["" : 17]>
g (float[64] x) => (float[64] y) <float[64] a = ["location": "model.onnx.data", "offset": "0", "length": "256"], float[64] b = ["location": "model.onnx.data", "offset": "128", "length": "256"],
                                  float[64] c = ["location": "model.onnx.data", "offset": "0", "length": "256"]> {
   p = Add (x, a)
   q = Mul (p, b)
   r = Sub (q, c)
   y = Identity (r)
}
EOT
"$bin/onnx-run" parse shared.txt -o in/shared.onnx 2>err.txt
check 'trap 70: tensors that overlap, and one that stands twice' opt in/shared.onnx -o in/apart.onnx
check 'trap 70: it says the same' "$bin/onnx-run" compare in/shared.onnx in/apart.onnx
sed 's/"location": "model.onnx.data"/"location": "..\/before.data"/' shared.txt > outside.txt
"$bin/onnx-run" parse outside.txt -o in/outside.onnx 2>err.txt
refused 'trap 70: data outside the folder of the model' 77 "$bin/onnx-opt" in/outside.onnx -o out/outside.onnx

# ---- trap 74: names, places and earlier runs make no difference
check 'trap 74: once' opt plain.onnx -o a.onnx
check 'trap 74: from elsewhere' sh -c 'mkdir -p d/e && cp plain.onnx d/e/other.onnx && cd d/e && "$1" other.onnx -o ../../b.onnx --threads=2' sh "$bin/onnx-opt"
check 'trap 74: the same bytes' cmp a.onnx b.onnx
check 'trap 74: optimized again' opt a.onnx -o c.onnx
check 'trap 74: the same bytes again' cmp a.onnx c.onnx

echo "1..$n"
exit $failed
