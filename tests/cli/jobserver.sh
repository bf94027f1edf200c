#!/bin/bash
# Inside make, threads are tokens of its jobserver: never more than there are, all of them back at the end, also when a signal ends it.
# Takes the folder of the programs. TAP.
set -u
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
n=0 failed=0
cpus=$(MAKEFLAGS='' "$bin/onnx-opt" --version -v | awk '$1 == "threads" {print $2}')
least() { [ "$1" -lt "$2" ] && echo "$1" || echo "$2"; }
is() { # name, what is, what is wanted
    n=$((n + 1))
    if [ "$2" = "$3" ]; then echo "ok $n - $1"; else failed=1; echo "not ok $n - $1"; echo "# $2, not $3"; fi
}
threads() { "$bin/onnx-opt" --version -v "$@" | awk '$1 == "threads" {print $2}'; }
# What lies in the pipe, taken out.
tokens() { local t=''; while IFS= read -r -t 0.1 -n 1 -u 9 c; do t=$t$c; done; printf '%s' "$t" | fold -w1 | sort | tr -d '\n'; }

mkfifo fifo && exec 9<>fifo
export MAKEFLAGS=" -j4 --jobserver-auth=fifo:$work/fifo"
printf 'abc' >&9
is 'a token for each further thread' "$(threads)" "$(least "$cpus" 4)"
is 'and every token is back' "$(tokens)" abc
is 'no token, one thread' "$(threads)" 1
printf 'a' >&9
is 'a number given counts' "$(threads --threads=3)" 3
is 'and takes no token' "$(tokens)" a

export MAKEFLAGS=" -j4 --jobserver-auth=7,8"
is 'a pipe that is closed: one thread' "$(threads 7>&- 8>&-)" 1
is 'descriptors that are no pipe: one thread' "$(threads 7</dev/null 8>/dev/null)" 1
printf 'xyz' >&9
is 'a pipe as older makes give it' "$(threads 7<&9 8>&9)" "$(least "$cpus" 4)"
is 'and every token is back in it' "$(tokens)" xyz
export MAKEFLAGS=" -j4 --jobserver-auth=7,8 -- --jobserver-auth=fifo:$work/fifo"
printf 'a' >&9
is 'the last one counts' "$(threads)" "$(least "$cpus" 2)"
tokens >/dev/null

# A run that goes on for long, and is told to end while it holds tokens.
printf '%s\n' '<ir_version: 8, opset_import: ["" : 17]>' 'g (float[N,1] x) => (float[A,B] y) <int64[2] s = {1, 8000000}> { e = Expand(x, s) y = Exp(e) }' > long.txt
"$bin/onnx-run" parse long.txt -o long.onnx
printf 'pq' >&9
"$bin/onnx-run" bench long.onnx --repeat=100000 --dim N=1 >/dev/null &
for _ in $(seq 100); do
    sleep 0.05
    threads_now=$(ls "/proc/$!/task" 2>/dev/null | wc -l)
    [ "$threads_now" -ge "$(least "$cpus" 2)" ] && break
done
sleep 0.3
kill -TERM $!
wait $! 2>/dev/null
is 'a signal ends it' $? 143
is 'and its tokens are back' "$(tokens)" pq

if make --version 2>/dev/null | grep -q 'GNU Make'; then
    unset MAKEFLAGS
    printf 'all:\n\t+@%s --version -v\n' "$bin/onnx-opt" > Makefile
    is 'under make -j' "$(make -j"$cpus" | awk '$1 == "threads" {print $2}')" "$cpus"
    is 'under make' "$(make | awk '$1 == "threads" {print $2}')" "$cpus"
fi
echo "1..$n"
exit $failed
