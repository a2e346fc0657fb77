#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs with apt what is missing, and says what each package is for. The build runs it once, and
# again when this list changes; a machine on which everything is there is left alone.
set -euo pipefail

need() { # PACKAGE REASON...
    local package=$1
    shift
    if ! dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -q '^installed'; then
        missing+=("$package")
        reasons+=("$*")
    fi
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    cat >&2 <<'END'
deps: this is not a Debian system, and Fathom knows package names of Debian only. Install by hand:
deps: gcc and binutils for x86-64, AArch64 and RISC-V 64 (Linux targets will do), QEMU's system
deps: emulators for the three, gdb with all targets, clang 14 with clang-format and clang-tidy,
deps: cmocka, Python 3 with pytest, scdoc, mandoc; then 'touch build/deps.mk'.
END
    exit 1
fi

missing=() reasons=()
need gcc "the compiler"
need g++ "C++ programs of the tests"
need libc6-dev "the C library's headers, for the fathom command"
need binutils "assembler and linker"
need python3 "scripts of the build, tests"
case $(uname -m) in
    x86_64) ;;
    *) need gcc-x86-64-linux-gnu "compiles the x86-64 kernel" ;;
esac
case $(uname -m) in
    aarch64) ;;
    *) need gcc-aarch64-linux-gnu "compiles the AArch64 kernel" ;;
esac
case $(uname -m) in
    riscv64) ;;
    *) need gcc-riscv64-linux-gnu "compiles the RISC-V kernel" ;;
esac
need qemu-system-x86 "runs the x86-64 kernel"
need qemu-system-arm "runs the AArch64 kernel"
need qemu-system-misc "runs the RISC-V kernel"
need gdb-multiarch "the debugger that talks to the kernel"
need zlib1g-dev "compressed debug sections"
need libzstd-dev "compressed debug sections"
need libdwarf-dev "call frames out of debug information, and the numbers of DWARF"
need liblz4-dev "packs indexes and panic capsules"
need libdebuginfod1 "fetches debug information from servers, when asked to"
need libiberty-dev "readable forms of mangled names"
need libcapstone-dev "instructions around a crash"
need libjansson-dev "JSON"
need nettle-dev "signatures of panics"
need libcmocka-dev "unit tests"
need python3-pytest "system tests"
need clang-14 "fuzzing"
need libclang-rt-14-dev "fuzzing: the sanitizers' runtime"
need clang-format-14 "make lint, make format"
need clang-tidy-14 "make lint"
need elfutils "tests: a witness for the symbolizer"
need dwz "tests: debug information shared between files"
need llvm-14 "tests: another, and split debug information in packages"
need device-tree-compiler "unit tests: device trees"
need scdoc "manual pages"
need mandoc "checks the manual pages"
need grub-pc-bin "system tests: starting the x86-64 kernel by GRUB"
need grub-common "the same: grub-mkrescue"
need xorriso "the same: a disc to start from"
need mtools "the same: what grub-mkrescue calls"
need python3-drgn "system tests: a second reader of core files"
need python3-lz4 "system tests: reads panic capsules"

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

echo "deps: to be installed with apt:" >&2
for i in "${!missing[@]}"; do
    printf 'deps:   %-24s %s\n' "${missing[i]}" "${reasons[i]}" >&2
done
root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: neither root nor sudo; run as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${root[@]}" apt-get update -q && "${root[@]}" apt-get install -qy --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    echo "deps: apt failed, see above" >&2
    exit 1
fi
