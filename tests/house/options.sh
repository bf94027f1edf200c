#!/bin/sh
# The OPTIONS of a man page are the rows of --help=all, word for word. Takes the program and the page's source; with a third argument
# writes them into the page.
set -eu
program=$1 page=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "  --profile=NAME   doc" becomes "*--profile*=_NAME_", a tab and the doc, with what scdoc takes for markup escaped.
"$program" --help=all | awk '
    function plain(s) { gsub(/[\\*_]/, "\\\\&", s); return s }
    /^Examples:/ { exit }
    /^  -/ {
        name = $1; arg = ""; doc = substr($0, 30); left = substr($0, 3, 26)
        sub(/ +$/, "", left)
        if (match(left, /^-[^= ]*[= ]/)) { name = substr(left, 1, RLENGTH - 1); sign = substr(left, RLENGTH, 1); arg = substr(left, RLENGTH + 1) }
        printf "*%s*%s\n\t%s\n\n", plain(name), arg == "" ? "" : sign "_" plain(arg) "_", plain(doc)
    }' > "$work/want"

awk '/^# / { inside = $2 == "OPTIONS"; next } inside { if (!begun && $0 == "") next; begun = 1; print }' "$page" > "$work/got"
if [ $# -gt 2 ]; then
    awk -v want="$work/want" '
        /^# / { inside = $2 == "OPTIONS"; print; if (inside) { print ""; while ((getline line < want) > 0) print line } next }
        !inside { print }' "$page" > "$work/page"
    cat "$work/page" > "$page"
elif ! diff -u "$work/got" "$work/want"; then
    echo "the OPTIONS of $page are not those of --help=all; $0 $1 $2 write"
    exit 1
fi
