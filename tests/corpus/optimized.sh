#!/bin/sh
# Every case of the ONNX backend suite (OX_ONNX_TESTS), its model optimized by the default profile, must give the stored outputs of the suite.
# Takes the folder of the programs and the list of cases that nobody can pass. TAP.
set -u
bin=$(cd "$1" && pwd) list=$2
[ -n "${OX_ONNX_TESTS:-}" ] && [ -d "$OX_ONNX_TESTS" ] || { echo '1..0 # skipped: OX_ONNX_TESTS names no folder'; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
for model in "$OX_ONNX_TESTS"/*/*/model.onnx; do
    case_dir=$(dirname "$model") name=$(basename "$(dirname "$model")")
    mkdir "$work/$name"
    ln -s "$case_dir"/test_data_set_* "$work/$name"
    if ! "$bin/onnx-opt" "$model" -o "$work/$name/model.onnx" --verify=off 2>"$work/err"; then
        bad=1; echo "# $name is refused: $(tail -n 1 "$work/err" | cut -c1-300)"
        rm -rf "${work:?}/$name"
    fi
done
"$bin/onnx-run" test "$work" >"$work/out" 2>/dev/null
grep '^failed ' "$work/out" | while read -r _ dir rest; do
    name=$(basename "${dir%:}")
    grep -qx "$name" "$list" || echo "# $name: $rest"
done >"$work/bad"
[ -s "$work/bad" ] && bad=1
cat "$work/bad"
[ $bad = 0 ] && echo "ok 1 - optimized: $(tail -n 1 "$work/out")" || echo "not ok 1 - optimized: $(tail -n 1 "$work/out")"
echo 1..1
exit $bad
