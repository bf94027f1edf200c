#!/bin/sh
# The ONNX backend test suite, where it is at hand (OX_ONNX_TESTS). Every case that fails must stand in the list of those that no
# implementation can pass; cases with operators that have no kernel yet are counted. Takes the folder of the programs and the list. TAP.
set -u
bin=$1 list=$2
[ -n "${OX_ONNX_TESTS:-}" ] && [ -d "$OX_ONNX_TESTS" ] || { echo '1..0 # skipped: OX_ONNX_TESTS names no folder'; exit 0; }
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$bin/onnx-run" test "$OX_ONNX_TESTS" >"$out" 2>/dev/null
code=$?
[ $code -le 1 ] || { echo "Bail out! exit code $code"; exit 1; }
bad=0
grep '^failed ' "$out" | while read -r _ dir rest; do
    name=$(basename "${dir%:}")
    grep -qx "$name" "$list" || echo "# $name: $rest"
done >"$out.bad"
[ -s "$out.bad" ] && bad=1
cat "$out.bad"; rm -f "$out.bad"
[ $bad = 0 ] && echo "ok 1 - $(tail -n 1 "$out")" || echo "not ok 1 - $(tail -n 1 "$out")"
echo 1..1
exit $bad
