#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fetches lz4's source from the Debian archive: lz4.c is compiled into the kernel, which packs its
# panic capsule with it. apt checks the signatures; it gets lists of its own, made from the
# system's entries, so that the system's stay as they are and nobody need be root.
#
# usage: fetch_lz4.sh DIRECTORY      (gets lz4.c, lz4.h and LICENSE)
set -euo pipefail

to=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{parts,state,lists/partial,cache/archives/partial}

# Both ways to write an entry. What is no source of Debian's is left out by its keyring or name.
for file in /etc/apt/sources.list.d/*.sources; do
    if [ -f "$file" ] && grep -qE 'debian|ubuntu' "$file"; then
        sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/parts/$(basename "$file")"
    fi
done
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if [ -f "$file" ]; then
        sed -nE '/(debian|ubuntu)/s/^deb[[:space:]]/deb-src /p' "$file" \
            >"$work/parts/$(basename "$file" .list).list"
    fi
done

apt_get() {
    apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/parts" \
        -o Dir::State="$work/state" -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
        -o APT::Sandbox::User="$(id -un)" "$@"
}

# A source that does not answer is no harm as long as one has lz4.
if ! { { apt_get update || true; } && cd "$work" && apt_get source --download-only lz4; } >"$work/log" 2>&1; then
    cat "$work/log" >&2
    echo "fetch_lz4: apt-get source lz4 failed, see above; the kernel needs lz4.c (1.9) and lz4.h in $to" >&2
    exit 1
fi
cd - >/dev/null
mkdir -p "$to"
tar -x -f "$work"/lz4_*.orig.tar.* -C "$to" --strip-components=2 --wildcards '*/lib/lz4.c' '*/lib/lz4.h' \
    '*/lib/LICENSE'
touch "$to/lz4.h" "$to/lz4.c"
