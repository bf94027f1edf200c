#!/bin/sh
# Traps that optimizers fall into are numbered, and the number opens the name of each case that is about one: "trap 19: ...". This keeps
# the list whole: every number from 1 to 80 has a case here, in the golden files or, where files and folders matter, in survive.sh.
# Takes this folder. TAP.
#
# What a trap says about something that there is no way to ask for has no case: shapes of inputs that are overridden (77).
set -u
cd "$1" || exit 1
failed=0 n=0
while [ $n -lt 80 ]; do
    n=$((n + 1))
    cases=$(grep -hE "^(=== |check '|refused ')trap 0*$n: " ./*.txt ./*.sh | wc -l)
    if [ "$cases" -gt 0 ]; then echo "ok $n - trap $n, cases: $cases"
    else failed=1; echo "not ok $n - trap $n has no case"; fi
done
echo "1..$n"
exit $failed
