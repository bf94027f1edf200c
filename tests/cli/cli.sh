#!/bin/sh
# The programs as users and makefiles meet them: exit codes, messages, files. Takes the folder of the programs and the root of the tree. TAP.
set -u
bin=$(cd "$1" && pwd)
root=$(cd "$2" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
n=0 failed=0

# check NAME CODE PATTERN COMMAND...: runs it; exit code and (when not empty) a pattern in what it says on stderr
check() {
    name=$1 code=$2 pattern=$3; shift 3
    n=$((n + 1))
    "$@" >out.txt 2>err.txt </dev/null
    got=$?
    if [ $got -ne "$code" ]; then
        failed=1; echo "not ok $n - $name"; echo "# exit code $got, not $code: $(head -c 300 err.txt)"
    elif [ -n "$pattern" ] && ! grep -q -- "$pattern" err.txt; then
        failed=1; echo "not ok $n - $name"; echo "# no '$pattern' in: $(head -c 300 err.txt)"
    else
        echo "ok $n - $name"
    fi
}
same() { check "$1" 0 '' cmp "$2" "$3"; }
text() { printf '%s\n' "$@"; }

"$bin/onnx-run" parse "$root/examples/sample.onnxtxt" -o sample.onnx || { echo 'Bail out! the sample does not parse'; exit 1; }

# ---- usage
check 'help' 0 '' "$bin/onnx-opt" --help
check 'help is short' 0 '' test "$("$bin/onnx-opt" --help | wc -l)" -le 40
check 'version' 0 '' "$bin/onnx-run" --version
check 'no model' 64 'no model' "$bin/onnx-opt"
check 'no output' 64 '-o OUT' "$bin/onnx-opt" sample.onnx
check 'unknown option, with the nearest' 64 "did you mean '--profile'" "$bin/onnx-opt" sample.onnx -o x.onnx --profil=size
check 'abbreviations are refused' 64 'unknown option' "$bin/onnx-opt" sample.onnx -o x.onnx --prof=size
check 'unknown pass, with the nearest' 64 "did you mean 'cse'" "$bin/onnx-opt" sample.onnx -o x.onnx --passes=csee
check 'unknown profile' 64 'unknown profile' "$bin/onnx-opt" sample.onnx -o x.onnx --profile=none-such
check 'unknown command' 64 "did you mean 'inspect'" "$bin/onnx-run" inspct sample.onnx
check 'unknown dimension' 64 "no dimension 'M'" "$bin/onnx-opt" sample.onnx -o x.onnx --dim M=2
check 'list of passes' 0 '' "$bin/onnx-opt" --list-passes
check 'list of profiles' 0 '' "$bin/onnx-opt" --list-profiles
check 'explain a pass' 0 '' "$bin/onnx-opt" --explain fold-constants
check 'explain nothing' 64 'no-such' "$bin/onnx-opt" --explain no-such

# ---- files
check 'no such file' 66 'none.onnx' "$bin/onnx-opt" none.onnx -o x.onnx
: > empty.onnx
check 'an empty file' 65 'empty' "$bin/onnx-opt" empty.onnx -o x.onnx
printf '\211PNG\r\n\032\n' > png.onnx
check 'a picture' 65 'PNG' "$bin/onnx-opt" png.onnx -o x.onnx
head -c 1000 sample.onnx > cut.onnx
check 'a file cut short' 65 'cut.onnx' "$bin/onnx-opt" cut.onnx -o x.onnx
check 'nothing was written for it' 1 '' test -e x.onnx
cp sample.onnx kept.onnx
check 'the input is not overwritten' 73 '' "$bin/onnx-opt" sample.onnx -o ./sample.onnx
same 'the input is untouched' kept.onnx sample.onnx
check 'no folder for the output' 73 '' "$bin/onnx-opt" sample.onnx -o none/x.onnx
check 'a full disk' 74 '' sh -c "'$bin/onnx-opt' sample.onnx -o - > /dev/full"
check 'a full disk for help' 74 '' sh -c "'$bin/onnx-opt' --help > /dev/full"
check 'no temporaries are left' 1 '' sh -c 'ls -A | grep -q tmp'

# ---- pipelines
bad() { # name, pattern, lines of YAML...
    name=$1 pattern=$2; shift 2
    text "$@" > p.yaml
    check "pipeline: $name" 78 "$pattern" "$bin/onnx-opt" sample.onnx -o x.onnx --profile=./p.yaml
}
bad 'unknown key' 'p.yaml:2:1.*passs' 'verify: false' 'passs: [cse]'
bad 'unknown pass' 'p.yaml:1:10.*cce' 'passes: [cce]'
bad 'unknown option' 'p.yaml:1:28.*grwth' 'passes: [{fold-constants: {grwth: 1}}]'
bad 'wrong type' 'p.yaml:1:' 'passes: [{fold-constants: {growth: much}}]'
bad 'anchor and alias' 'p.yaml:1:9.*anchor' 'target: &a {opset: keep}' 'frame: *a'
bad 'duplicate key' 'p.yaml:2:1.*passes' 'passes: [cse]' 'passes: [dce]'
bad 'two documents' 'p.yaml:' 'passes: [cse]' '---' 'passes: [dce]'
bad 'unfinished' 'p.yaml:' 'passes: [cse'
check 'pipeline: not there' 66 'q.yaml' "$bin/onnx-opt" sample.onnx -o x.onnx --profile=./q.yaml
text 'passes: [{rules: |' '  rule broken {' '  }]' > /dev/null
text 'rule twice {' '  match { y = Relu(x) }' > r.rules
text 'passes: [{rules: ./r.rules}]' > p.yaml
check 'rules: the rules file and the place are named' 78 'r.rules:' "$bin/onnx-opt" sample.onnx -o x.onnx --profile=./p.yaml

# ---- the job
check 'optimize' 0 '' "$bin/onnx-opt" sample.onnx -o one.onnx --report=report.json -MD
check 'the report is JSON with a verdict' 0 '' grep -q '"verdict": "same"' report.json
check 'the dependency file names both' 0 '' grep -q '^one.onnx: sample.onnx' one.onnx.d
check 'quiet on success' 1 '' test -s err.txt
check 'compare says same' 0 '' "$bin/onnx-run" compare sample.onnx one.onnx
check 'again gives the same bytes' 0 '' sh -c "'$bin/onnx-opt' one.onnx -o two.onnx && cmp one.onnx two.onnx"
check 'threads and places do not matter' 0 '' sh -c "mkdir -p a/b && cp sample.onnx a/b && cd a/b && LC_ALL=C.UTF-8 '$bin/onnx-opt' sample.onnx -o t.onnx --threads=1 && cmp t.onnx ../../one.onnx"
check 'standard input and output' 0 '' sh -c "'$bin/onnx-opt' - -o - < sample.onnx > three.onnx && cmp one.onnx three.onnx"
check 'no passes copies byte for byte' 0 '' sh -c "'$bin/onnx-opt' sample.onnx -o copy.onnx --passes=none && cmp sample.onnx copy.onnx"
check 'print and parse' 0 '' sh -c "'$bin/onnx-run' print --full sample.onnx > s.txt && '$bin/onnx-run' parse s.txt -o back.onnx && cmp sample.onnx back.onnx"
check 'inspect' 0 '' "$bin/onnx-run" inspect sample.onnx --json=i.json
check 'run' 0 '' "$bin/onnx-run" run sample.onnx --dim N=2 -o o.npz
check 'no colour in a file' 1 '' sh -c "'$bin/onnx-opt' sample.onnx -o v.onnx -v 2>&1 | grep -q '$(printf '\033')'"

# ---- packing
text 'size,id,lower,upper,note' '40,a,0,2,x' '40,b,1,3,y' '20,c,2,4,z' '0,d,0,9,' > b.csv
check 'pack' 0 '' "$bin/onnx-run" pack b.csv -o placed.csv --json=p.json
check 'pack: an offset for every row' 0 '' sh -c "head -1 placed.csv | grep -qx 'size,id,lower,upper,note,offset' && test \$(wc -l < placed.csv) -eq 5"
check 'pack: figures' 0 '' sh -c "grep -q '\"arena\": 80' p.json && grep -q '\"bound\": 80' p.json"
check 'pack: its own output, from standard input' 0 '' sh -c "'$bin/onnx-run' pack - -o again.csv < placed.csv && cmp placed.csv again.csv"
check 'pack: the capacity is met' 0 '' "$bin/onnx-run" pack b.csv --capacity=80
check 'pack: the capacity is not met' 1 'the capacity is 79' "$bin/onnx-run" pack b.csv --capacity=79
check 'pack: no such file' 66 'none.csv' "$bin/onnx-run" pack none.csv
bad_csv() { # pattern, lines...
    pattern=$1; shift
    text "$@" > bad.csv
    check "pack: $pattern" 65 "$pattern" "$bin/onnx-run" pack bad.csv
}
bad_csv "bad.csv:1:1: .*none named 'size'" 'id,lower,upper'
bad_csv "bad.csv:1:15: .*twice: 'id'" 'id,lower,size,id,upper'
bad_csv "bad.csv:3:5: upper .*not 'x'" 'id,lower,upper,size' '' '0,1,x,2'
bad_csv "bad.csv:2:6: 3 fields" 'id,lower,upper,size' '0,1,2'
bad_csv "bad.csv:2:5: upper is below lower" 'id,lower,upper,size' '0,2,1,2'
bad_csv "bad.csv:2:7: size is below 0" 'id,lower,upper,size' '0,1,2,-1'
bad_csv "bad.csv:2:7: size is above 2^62" 'id,lower,upper,size' '0,1,2,4611686018427387905'
bad_csv "bad.csv:2:7: size is a whole" 'id,lower,upper,size' '0,1,2,99999999999999999999'
bad_csv "bad.csv:2:9: alignment is a power" 'id,lower,upper,size,alignment' '0,1,2,3,12'
: > bad.csv
check 'pack: an empty file' 65 'empty' "$bin/onnx-run" pack bad.csv

echo "1..$n"
exit $failed
