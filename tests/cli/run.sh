#!/bin/sh
# The commands of onnx-run that run models: inspect with its memory plan, profile, bench, tune, and what run reads and writes. Takes the
# folder of the programs and the root of the tree. TAP.
set -u
bin=$(cd "$1" && pwd)
root=$(cd "$2" && pwd)
run=$bin/onnx-run
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset MAKEFLAGS MAKELEVEL MFLAGS
n=0 failed=0

# check NAME CODE PATTERN COMMAND...: runs it; exit code and (when not empty) a pattern in what it says
check() {
    name=$1 code=$2 pattern=$3; shift 3
    n=$((n + 1))
    "$@" >out.txt 2>err.txt </dev/null
    got=$?
    if [ $got -ne "$code" ]; then
        failed=1; echo "not ok $n - $name"; echo "# exit code $got, not $code: $(head -c 300 err.txt)"
    elif [ -n "$pattern" ] && ! cat out.txt err.txt | grep -q -- "$pattern"; then
        failed=1; echo "not ok $n - $name"; echo "# no '$pattern' in: $(cat out.txt err.txt | head -c 300)"
    else
        echo "ok $n - $name"
    fi
}
is() { # NAME GOT WANT
    n=$((n + 1))
    if [ "$2" = "$3" ]; then echo "ok $n - $1"; else failed=1; echo "not ok $n - $1"; echo "# got '$2', not '$3'"; fi
}
# Whether a file is what its ending says, by a strict parser where there is one.
if command -v python3 > /dev/null; then
    xml() { python3 -c 'import sys, xml.etree.ElementTree as e; e.parse(sys.argv[1])' "$1"; }
    json() { python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$1"; }
else
    xml() { head -1 "$1" | grep -q '^<?xml' && tail -1 "$1" | grep -q '^</svg>$'; }
    json() { tail -1 "$1" | grep -q '^[]}]$'; }
fi

"$run" parse "$root/examples/sample.onnxtxt" -o sample.onnx || { echo 'Bail out! the sample does not parse'; exit 1; }
cat > odd.txt <<'END_OF_MODEL'
<ir_version: 8, opset_import: ["" : 17]>
odd (float["a<b>&",4] "x\"'\x07&<", float[2] unused) => (float["a<b>&",4] "y</title>", float["a<b>&",4] z)
{
  "in&side" = Exp ("x\"'\x07&<")
  "y</title>" = Sin ("in&side")
  z = Cos ("in&side")
}
END_OF_MODEL
"$run" parse odd.txt -o odd.onnx || { echo 'Bail out! odd.txt does not parse'; exit 1; }
cat > alien.txt <<'END_OF_MODEL'
<ir_version: 8, opset_import: ["" : 17, "alien" : 1]>
alien (float[2] x) => (float[2] y) { y = alien.Land (x) }
END_OF_MODEL
"$run" parse alien.txt -o alien.onnx
cat > loop.txt <<'END_OF_MODEL'
<ir_version: 8, opset_import: ["" : 17]>
loop (float[2] x) => (float[2] y)
<int64 trips = {3}, bool go = {1}, float[2] one = {1, 2}>
{
  k = Neg (one)
  s = Add (x, k)
  y = Loop (trips, go, s) <body = b (int64 i, bool c, float[2] v) => (bool c2, float[2] w) { c2 = Identity (c) w = Add (v, v) }>
}
END_OF_MODEL
"$run" parse loop.txt -o loop.onnx || { echo 'Bail out! loop.txt does not parse'; exit 1; }

printf '%s\n' '<ir_version: 8, opset_import: ["" : 17]>' 'wide (float[N,W] x) => (float[N,W] y) { y = Exp (x) }' > wide.txt
"$run" parse wide.txt -o wide.onnx

# ---- inspect
check 'inspect tells the memory plan' 0 '^memory  *arena [0-9]* bytes, lower bound [0-9]*, without sharing' "$run" inspect sample.onnx
check 'in JSON too' 0 '"lower_bound_bytes": [1-9]' "$run" inspect sample.onnx --json=-
small=$("$run" inspect sample.onnx --dim N=1 | sed -n 's/.*arena \([0-9]*\).*/\1/p')
large=$("$run" inspect sample.onnx --dim N=9 | sed -n 's/.*arena \([0-9]*\).*/\1/p')
check 'sizes count' 0 '' test "$large" -gt $((4 * small))
check 'no plan without a kernel, but the rest' 0 'no plan: .*alien::Land' "$run" inspect alien.onnx
check 'the same as JSON' 0 'memory_plan_error.*alien::Land' "$run" inspect alien.onnx --json=-
check 'off' 0 '' "$run" inspect sample.onnx --memory-plan=off
is 'nothing of a plan then' "$(grep -c memory out.txt)" 0
check 'picture and JSON' 0 '' "$run" inspect sample.onnx --memory-plan=p.svg --json=p.json
check 'the picture is XML' 0 '' xml p.svg
buffers=$(sed -n 's/.*"buffers": \([0-9]*\),/\1/p' p.json)
is 'a rectangle per buffer' "$(grep -c '<rect class="[a-z]*" x="[0-9.]*" y="[0-9.]*" width="[0-9.]*" height="[0-9.]*"><title>' p.svg)" "$buffers"
check 'table' 0 '' "$run" inspect sample.onnx --memory-plan=p.csv
is 'a line per buffer' "$(sed 1d p.csv | wc -l)" "$buffers"
is 'its head' "$(head -1 p.csv)" 'name,node,first,last,offset,bytes,kind'
is 'one output' "$(grep -c ',output$' p.csv)" 1
check 'the same picture again' 0 '' sh -c "'$run' inspect sample.onnx --memory-plan=q.svg --threads=1 && cmp p.svg q.svg"
check 'odd names in a picture' 0 '' "$run" inspect odd.onnx --memory-plan=odd.svg --dim 'a<b>&=3'
check 'XML all the same' 0 '' xml odd.svg
check 'odd names in a table' 0 '' "$run" inspect odd.onnx --memory-plan=-.csv
check 'another ending' 64 'svg or .csv' "$run" inspect sample.onnx --memory-plan=p.png
check 'no such dimension' 64 "'M'" "$run" inspect sample.onnx --dim M=1
check 'a picture of no plan' 69 'alien::Land' "$run" inspect alien.onnx --memory-plan=none.svg
check 'is not there' 1 '' test -e none.svg
check 'no folder for the picture' 73 '' "$run" inspect sample.onnx --memory-plan=no/p.svg --json=late.json
check 'then no JSON either' 1 '' test -e late.json

# ---- profile
check 'profile' 0 '^by shape' "$run" profile sample.onnx -o t.json --roof=100,10
check 'the trace is JSON' 0 '' json t.json
is 'an event per node' "$(grep -c '"cat":"Node"' t.json)" 22
is 'of all' "$(grep '"cat":"Node"' t.json | grep -o '"name":"[a-z_0-9]*"' | sort -u | wc -l)" 22
steps=$(grep '"ph":"X"' t.json | grep -v '"cat":"Session"' | grep -vc fused_into)
is 'a counter for each that takes time, and one at the end' "$(grep -c '"ph":"C"' t.json)" $((steps + 1))
is 'the session' "$(grep -o '"cat":"Session".*"name":"[a-z_]*"' t.json | sed 's/.*"name":"//; s/"//' | tr '\n' ' ')" \
    'model_loading_uri session_initialization first_run model_run '
check 'macs of a convolution' 0 '' grep -q '"name":"stem_kernel_time".*"op_name":"Conv".*"macs":55296,' t.json
check 'three runs' 0 '^run  *[1-9]' "$run" profile sample.onnx -o t.json --roof=100,10 --repeat=3 --by=op
is 'all in the trace' "$(grep -c '"cat":"Node"' t.json)" 66
is 'one table only' "$(grep -c '^by ' out.txt)" 1
check 'with bodies' 0 '' "$run" profile loop.onnx -o t.json --json=t2.json --roof=100,10
is 'of which every run counts' "$(grep -c '"depth":1' t.json)" 6
is 'nodes of constants once' "$(grep '"cat":"Node"' t.json | head -1 | grep -c '"op_name":"Neg"')" 1
if command -v python3 > /dev/null; then
    cat > nest.py <<'END_OF_PYTHON'
import json, sys
events = [e for e in json.load(open(sys.argv[1])) if e['ph'] == 'X']
open_ = []
for e in sorted(events, key=lambda e: (e['ts'], -e['dur'])):
    end = e['ts'] + e['dur']
    while open_ and open_[-1] <= e['ts'] + 1e-6:
        open_.pop()
    assert not open_ or end <= open_[-1] + 1e-6, e
    open_.append(end)
assert all(isinstance(v, (int, float)) for e in events if e['cat'] == 'Node' for k, v in e['args'].items() if 'size' in k or 'bytes' in k)
t = json.load(open(sys.argv[2]))
for by in ('by_op', 'by_node', 'by_shape'):
    total = sum(r['ms'] for r in t[by]) + t['between_ms'] + t['notes_ms']
    assert abs(total - t['run_ms']) < 1e-3 + 0.01 * t['run_ms'], (by, total, t['run_ms'])
END_OF_PYTHON
    check 'events nest, and what the tables say adds up' 0 '' python3 nest.py t.json t2.json
fi
check 'as a table' 0 '^Conv,stem,float\[1,3,3[24],3[24]\] float\[8,3,3,3\].*,1,' sh -c "'$run' profile sample.onnx --csv=- --roof=1,1 | tr -d '\"'"
check 'by operator' 0 '^Conv,,,3,' "$run" profile sample.onnx --csv=- --roof=1,1 --by=op
check 'no trace wanted' 0 '\[between nodes\]' "$run" profile sample.onnx --roof=100,10
check 'measured roof' 0 '^roof [1-9]' "$run" profile sample.onnx
check 'odd names' 0 '' "$run" profile odd.onnx -o odd.json --roof=1,1
check 'JSON all the same' 0 '' json odd.json
check 'profile: no kernel' 69 'alien::Land' "$run" profile alien.onnx -o none.json
check 'profile: nothing was written' 1 '' test -e none.json
check 'profile: no folder' 73 '' "$run" profile sample.onnx -o no/t.json --json=late.json --roof=1,1
check 'profile: then nothing else' 1 '' test -e late.json
check 'profile: two models' 64 '' "$run" profile sample.onnx sample.onnx
for wrong in --by=colour --roof=1 --roof=0,1 --roof=1,x --repeat=0 --warmup=-1; do
    check "profile: $wrong" 64 "${wrong%%=*}" "$run" profile sample.onnx -o none.json "$wrong"
done

# ---- bench
cat > branches.txt <<'END_OF_MODEL'
<ir_version: 8, opset_import: ["" : 17]>
branches (float[512,512] x) => (float[512,512] y) {
    a = MatMul (x, x)
    b = Softmax (x)
    c = MatMul (b, x)
    y = Sub (a, c)
}
END_OF_MODEL
"$run" parse branches.txt -o branches.onnx
check 'bench' 0 'arena [0-9]* bytes' "$run" bench sample.onnx --repeat=3
check 'bench as JSON' 0 '"runs": 3' "$run" bench sample.onnx --repeat=3 --warmup=0 --json=-
for key in min_ms mean_ms p50_ms p90_ms p99_ms first_ms load_ms stddev_ms variation runs_per_second threads lanes warmup arena_bytes lower_bound_bytes \
    peak_rss_bytes isa blas; do
    is "bench: $key" "$(grep -c "\"$key\": " out.txt)" 1
done
check 'bench as CSV' 0 '^min_ms,' "$run" bench sample.onnx --repeat=3 --csv=-
is 'bench: two lines' "$(wc -l < out.txt)" 2
check 'bench ends in time' 0 '' "$run" bench sample.onnx --repeat=1000000 --seconds=0.05
check 'bench in lanes' 0 'lanes": 2' "$run" bench branches.onnx --inter-op=2 --threads=2 --repeat=3 --json=-
check 'profile in lanes' 0 '' "$run" profile branches.onnx --inter-op=2 --threads=1 -o lanes.json --roof=1,1
check 'inspect in lanes' 0 'order: lanes' "$run" inspect branches.onnx --inter-op=2
check 'bench: no list of lanes' 64 'one number' "$run" bench sample.onnx --inter-op=1,2
check 'bench: no lanes' 64 '--inter-op' "$run" bench sample.onnx --inter-op=0
check 'bench: no list of threads' 64 'one number' "$run" bench sample.onnx --threads=1,2

# ---- algorithms: limits, budgets, measured times
cat > grouped.txt <<'END_OF_MODEL'
<ir_version: 8, opset_import: ["" : 17]>
grouped (float[1,72,32,32] x) => (float[1,72,32,32] y)
<int64[4] shape = {72, 36, 3, 3}>
{
  w = ConstantOfShape <value = float[1] {0.01}> (shape)
  y = Conv <group = 2, pads = [1, 1, 1, 1]> (x, w)
}
END_OF_MODEL
"$run" parse grouped.txt -o grouped.onnx
check 'sweep' 0 '^knee: --workspace-limit=' "$run" bench grouped.onnx --sweep-workspace=64K,0,1M --repeat=3 --svg=curve.svg
is 'sweep: limits in order, then none' "$(awk 'NR > 1 && NR < 6 {printf "%s ", $1}' out.txt)" '0 64K 1M none '
is 'sweep: what cannot be is told' "$(grep -c "^ *0 *node (Conv) that makes 'y': needs a workspace of" out.txt)" 1
check 'sweep: the picture is XML' 0 '' xml curve.svg
check 'sweep as JSON' 0 '' "$run" bench grouped.onnx --sweep-workspace=1M --repeat=3 --json=sweep.json
json sweep.json; is 'sweep: JSON' $? 0
check 'sweep as CSV' 0 '^1048576,' "$run" bench grouped.onnx --sweep-workspace=1M --repeat=3 --csv=-
check 'sweep: no step has a choice' 0 'no step of this model has a choice' "$run" bench odd.onnx --sweep-workspace=0 --repeat=2
for wrong in '' 0, 1X -1; do
    check "sweep: no sizes: '$wrong'" 64 'takes sizes such as' "$run" bench grouped.onnx "--sweep-workspace=$wrong"
done
check 'picture of nothing' 64 'not given' "$run" bench grouped.onnx --svg=curve.svg
check 'limit' 71 "that makes 'y': needs a workspace of [0-9]* bytes" "$run" run grouped.onnx --workspace-limit=1K -o limit.npz
check 'limit: nothing is written' 1 '' test -e limit.npz
check 'budget' 71 "that makes 'y': needs [0-9]* bytes, [0-9]* of them its workspace, the memory budget is 300000" "$run" run grouped.onnx --memory-budget=300000 -o limit.npz
check 'budget that is enough' 0 '' "$run" run grouped.onnx --memory-budget=1M -o limit.npz
check 'no size' 64 'takes a size such as' "$run" run grouped.onnx --memory-budget=much -o limit.npz
check 'cache without times' 69 'the tuning cache has no time of' "$run" bench grouped.onnx --tuning-cache=times.txt --on-miss=error --repeat=2
check 'cache: nothing was measured' 1 '' test -e times.txt
check 'cache is filled' 0 '' "$run" bench grouped.onnx --tuning-cache=times.txt --repeat=2
check 'cache serves' 0 '' "$run" bench grouped.onnx --tuning-cache=times.txt --on-miss=error --repeat=2
lines=$(wc -l < times.txt)
for i in 1 2 3 4; do "$run" bench grouped.onnx --threads=$i --tuning-cache=shared.txt --repeat=2 > /dev/null 2>&1 & done
wait
is 'cache of four processes' "$(awk -F '\t' 'NF == 7' shared.txt | wc -l)" $((4 * lines))
check 'cache: a wrong line' 65 'times.txt:1: not a time' sh -c "echo 1 nonsense | tr ' ' '\t' > times.txt; '$run' bench grouped.onnx --tuning-cache=times.txt"
check 'cache that nobody looks at' 64 'looks at no times' "$run" bench grouped.onnx --tuning-cache=times.txt --tuning=heuristic
check 'no such tuning' 64 'heuristic or measure' "$run" bench grouped.onnx --tuning=wild
check 'no such miss' 64 'measure, heuristic or error' "$run" bench grouped.onnx --tuning-cache=t.txt --on-miss=wild

# ---- tune
check 'tune' 0 '^Set 1 thread' "$run" tune sample.onnx --threads=1 --batch=N=1,3 --seconds=0.02 -o tuned.yaml
is 'tune: head and a line per batch' "$(sed '/^$/,$d' out.txt | wc -l)" 3
for line in 'frame: {threads: 1, memory: [0-9]*MiB}' '  intra_op_num_threads: 1' '  graph_optimization_level: ORT_ENABLE_ALL' '  enable_mem_pattern: true' \
    '  - "--minShapes=image:1x3x32x32"' '  - "--maxShapes=image:3x3x32x32"' '  - "--memPoolSize=workspace:[0-9]*M"' '  - "--timingCacheFile=sample.timing"'; do
    check "tune writes $line" 0 '' grep -q -- "^$line\$" tuned.yaml
done
grep '^frame:' tuned.yaml > pipeline.yaml
echo 'passes: [dce]' >> pipeline.yaml
check 'a pipeline takes the frame' 0 '' "$bin/onnx-opt" sample.onnx -o tuned.onnx --profile=./pipeline.yaml
check 'tune: as JSON' 0 '"processors": ' "$run" tune sample.onnx --threads=1,2 --batch=2 --seconds=0.02 --json=-
is 'tune: a row each, and the best' "$(grep -c '"first_ms": ' out.txt)" 3
check 'tune: the workspace' 0 '"knee_bytes": ' "$run" tune grouped.onnx --threads=1 --seconds=0.02 --sweep-workspace=1M --json=-
check 'tune: the workspace in words' 0 'Set --workspace-limit=' "$run" tune grouped.onnx --threads=1 --seconds=0.02 -o grouped.yaml
check 'tune: the workspace as setting' 0 '' grep -q '^memory_budget: [0-9]' grouped.yaml
check 'tune: as CSV' 0 '^1,0,2,' "$run" tune sample.onnx --threads=1 --batch=2 --seconds=0.02 --csv=-
check 'tune: lanes' 0 'inter-op' "$run" tune branches.onnx --threads=1,2 --inter-op=1,2 --seconds=0.02 -o lanes.yaml
check 'tune: writes them' 0 '' grep -q '^inter_op: [12]$' lanes.yaml
check 'tune: and no chain has any' 1 '' sh -c "'$run' tune loop.onnx --threads=1 --seconds=0.02 | grep -q inter-op"
check 'tune: sizes that vary' 0 'memory pattern is off' "$run" tune wide.onnx --threads=1 --batch=2 --seconds=0.02
check 'tune: what takes too long' 1 'takes 1e-06 ms' "$run" tune sample.onnx --threads=1 --batch=1 --seconds=0.02 --latency=0.000001 -o late.yaml
check 'tune: nothing is written then' 1 '' test -e late.yaml
check 'tune: no kernel' 69 'alien::Land' "$run" tune alien.onnx -o late.yaml
check 'tune: no such dimension' 64 "'M'" "$run" tune sample.onnx --batch=M=1,2
check 'tune: no name to vary' 64 'first dimension' "$run" tune loop.onnx --batch=1,2
check 'tune: twice' 64 "both give 'N'" "$run" tune sample.onnx --batch=N=1,2 --dim N=2
check 'tune: standard input' 64 'standard input' "$run" tune -
for wrong in --batch=N= --batch=N=1,,2 --batch=N=0 --batch==1 --threads=1,x --threads=1, --latency=x --inter-op=0 --inter-op=65 --inter-op=1,x; do
    check "tune: $wrong" 64 "${wrong%%=*}" "$run" tune sample.onnx "$wrong"
done

# ---- run
check 'run: a folder of value files' 0 '' "$run" run odd.onnx --dim 'a<b>&=3' -o made/
is 'run: its files' "$(ls made | tr '\n' ' ')" 'output_0.pb output_1.pb '
check 'run: one value file' 0 '' "$run" run sample.onnx --dim N=2 -o probabilities.pb
mkdir -p case/test_data_set_0
cp sample.onnx case/model.onnx
check 'run: an archive' 0 '' "$run" run sample.onnx --dim N=2 -o out.npz
cat > id.txt <<'END_OF_MODEL'
<ir_version: 8, opset_import: ["" : 17]>
id (float[N,10] probabilities) => (float[N,10] same) { same = Identity (probabilities) }
END_OF_MODEL
"$run" parse id.txt -o id.onnx
check 'run: inputs from an archive, by their names' 0 '' "$run" run id.onnx --input=out.npz -o same_a.pb
check 'run: the array of an archive' 0 '' "$run" run id.onnx --input=probabilities=out.npz -o same_b.pb
check 'run: a value file that was written' 0 '' "$run" run id.onnx --input=probabilities=probabilities.pb -o same_c.pb
check 'run: the same each time' 0 '' sh -c 'cmp same_a.pb same_b.pb && cmp same_b.pb same_c.pb'
cp id.onnx case/model.onnx
cp probabilities.pb case/test_data_set_0/input_0.pb
check 'run: outputs for a test case' 0 '' "$run" run id.onnx --input=out.npz -o case/test_data_set_0
check 'run: which passes' 0 '^1 passed' "$run" test case
check 'run: an archive with another name' 64 "no input 'probabilities'" "$run" run sample.onnx --input=out.npz -o x.npz
check 'run: an archive and the same again' 64 'twice' "$run" run id.onnx --input=out.npz --input=probabilities=out.npz -o x.npz
check 'run: no archive' 66 'none.npz' "$run" run id.onnx --input=none.npz -o x.npz
check 'run: neither name nor archive' 64 'NAME=FILE' "$run" run id.onnx --input=none.npy -o x.npz
check 'run: two outputs are not one file' 64 '2 outputs' "$run" run odd.onnx --dim 'a<b>&=3' -o one.pb
check 'run: is not there' 1 '' test -e one.pb
check 'run: no folder around' 73 '' "$run" run odd.onnx -o no/where/

echo "1..$n"
exit $failed
