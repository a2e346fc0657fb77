#!/bin/bash
# SPDX-License-Identifier: MIT
# Locks nested in the wrong order must not compile, and must say why; the right order must compile.
# The arguments are the compiler and its flags.
set -u
cases=$(dirname "$0")/lock_order_cases.c
failed=0

if ! "$@" -DCASE=0 -fsyntax-only "$cases"; then
    echo "not ok: locks in the right order do not compile"
    failed=1
fi
for n in 1 2 3 4 5 6; do
    if said=$("$@" -DCASE=$n -fsyntax-only "$cases" 2>&1); then
        echo "not ok: case $n compiles although its locks are in the wrong order"
        failed=1
    elif ! grep -q 'static assertion failed: "lock order: ' <<<"$said"; then
        echo "not ok: case $n is refused for another reason:"
        echo "$said"
        failed=1
    fi
done
[ $failed = 0 ] && echo "ok: the compiler accepts the right order of locks and refuses six wrong ones"
exit $failed
