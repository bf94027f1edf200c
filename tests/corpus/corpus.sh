#!/bin/sh
# Real models, where they are at hand (OX_MODELS): a second run changes nothing, threads and places do not matter, nothing ends badly.
# Takes the folder of the programs. TAP. OX_CORPUS=small: only models below 1 MB.
set -u
bin=$(cd "$1" && pwd)
[ -n "${OX_MODELS:-}" ] && [ -d "$OX_MODELS" ] || { echo '1..0 # skipped: OX_MODELS names no folder of models'; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0 failed=0
result() { n=$((n + 1)); [ "$1" = ok ] || failed=1; echo "$1 $n - $2"; }

small=
[ "${OX_CORPUS:-}" = small ] && small='-size -1000k'
# shellcheck disable=SC2086
for model in $(find "$OX_MODELS" -name '*.onnx' $small | sort); do
    name=$(basename "$(dirname "$model")")/$(basename "$model")
    file=$(basename "$model")
    rm -rf "$work"/*
    mkdir "$work/one" "$work/two" "$work/again"
    "$bin/onnx-opt" "$model" -o "$work/one/$file" --verify=off --check-passes --threads=1 2>"$work/err"
    code=$?
    case $code in
    0) ;;
    65) result ok "$name # SKIP refused: $(tail -n 1 "$work/err" | cut -c1-200)"; continue ;; # to be seen by a person: is it really wrong?
    *) result 'not ok' "$name: exit code $code: $(tail -n 1 "$work/err" | cut -c1-300)"; continue ;;
    esac
    (cd "$work/two" && LC_ALL=C.UTF-8 TZ=Asia/Tokyo "$bin/onnx-opt" "$model" -o "$file" --verify=off --threads=2 2>/dev/null)
    if ! cmp -s "$work/one/$file" "$work/two/$file"; then result 'not ok' "$name: other bytes with two threads, in another place"; continue; fi
    if ! "$bin/onnx-opt" "$work/one/$file" -o "$work/again/$file" --verify=off 2>"$work/err"; then
        result 'not ok' "$name: the result is refused: $(tail -n 1 "$work/err" | cut -c1-300)"
    elif ! cmp -s "$work/one/$file" "$work/again/$file"; then
        result 'not ok' "$name: a second run changes it"
    else
        result ok "$name"
    fi
done
echo "1..$n"
exit $failed
