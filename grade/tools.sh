#!/bin/sh
# Finds the tools that the build, QEMU and the tests need, and prints what it found as NAME=value lines
# for the Makefile. What is lacking is listed in MISSING (separated by commas), by the names setup.sh knows.
# It runs at the start of nearly every `make`, so it only looks: no compiler or QEMU is started that need not be.
#
# Environment: TOOLPREFIX, CC, QEMU, PYTHON, GDB choose a tool; an empty one is searched for.

missing=
lack() {
    missing="$missing${missing:+,}$1"
}

# First of the given commands that exists.
first_of() {
    for candidate in "$@"; do
        if command -v "$candidate" >/dev/null 2>&1; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

# ---- the RISC-V compiler ----
case "$CC" in
*clang*)
    kind=clang
    compiler=$(first_of "$CC") || lack clang
    ld=$(first_of "$(echo "$CC" | sed 's/clang/ld.lld/')" ld.lld) || lack lld
    objcopy=$(first_of "$(echo "$CC" | sed 's/clang/llvm-objcopy/')" llvm-objcopy llvm-objcopy-14 \
        llvm-objcopy-15 llvm-objcopy-16 llvm-objcopy-17 llvm-objcopy-18 llvm-objcopy-19 \
        riscv64-unknown-elf-objcopy riscv64-linux-gnu-objcopy riscv64-elf-objcopy) || lack llvm
    ;;
*)
    kind=gcc
    if [ -n "$TOOLPREFIX" ]; then
        compiler=$(first_of "${TOOLPREFIX}gcc") || lack "${TOOLPREFIX}gcc"
    else
        compiler=$(first_of riscv64-unknown-elf-gcc riscv64-linux-gnu-gcc riscv64-elf-gcc) || compiler=
        if [ -n "$compiler" ]; then
            TOOLPREFIX=${compiler%gcc}
        elif command -v clang >/dev/null 2>&1 && command -v ld.lld >/dev/null 2>&1; then
            kind=clang
            compiler=clang
        else
            lack gcc
        fi
    fi
    ld=${TOOLPREFIX}ld
    objcopy=${TOOLPREFIX}objcopy
    if [ $kind = clang ]; then
        ld=ld.lld
        objcopy=$(first_of llvm-objcopy llvm-objcopy-14 llvm-objcopy-15 llvm-objcopy-16) || lack llvm
    fi
    ;;
esac
echo "KIND=$kind"
echo "COMPILER=$compiler"
echo "LINKER=$ld"
echo "OBJCOPY=$objcopy"

# GCC from 12 on wants the instruction-set extensions named that clang 14 and old GCCs do not know.
if [ -n "$compiler" ]; then
    march=rv64imac_zicsr_zifencei
    target=
    [ $kind = clang ] && target=--target=riscv64
    if ! "$compiler" $target -march=$march -mabi=lp64 -E -x c /dev/null >/dev/null 2>&1; then
        march=rv64imac
    fi
    echo "MARCH=$march"
    # Linkers from 2.39 on warn of what a kernel does on purpose, and older ones do not know the option.
    if [ $kind = gcc ] && "$ld" --no-warn-rwx-segments --version >/dev/null 2>&1; then
        echo "LD_QUIET=--no-warn-rwx-segments"
    fi
fi

# ---- everything else ----
hostcc=$(first_of ${HOSTCC:+"$HOSTCC"} cc gcc clang) || lack host-gcc
echo "HOST_COMPILER=$hostcc"
qemu=$(first_of ${QEMU:-qemu-system-riscv64}) || lack qemu
echo "QEMU_FOUND=$qemu"
gdb=$(first_of ${GDB:-gdb-multiarch riscv64-unknown-elf-gdb riscv64-elf-gdb}) || lack gdb
echo "GDB_FOUND=$gdb"

# pyenv or conda may hide the distribution's Python, which is the one that has the packages.
for candidate in ${PYTHON:-/usr/bin/python3 python3 /usr/local/bin/python3 /opt/homebrew/bin/python3}; do
    if xdist=$("$candidate" -c '
import sys
from importlib.util import find_spec
print("yes" if find_spec("xdist") else "")
sys.exit(sys.version_info < (3, 9) or not all(map(find_spec, ("pytest", "pexpect", "PIL"))))
' 2>/dev/null); then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || lack python
echo "PYTHON_FOUND=$python"
echo "PYTHON_XDIST=$xdist"

# What makes handouts, grades submissions and draws plots: in the tree that has all the labs. Bubblewrap knows Linux
# only.
if [ -e grade/staff.mk ]; then
    for tool in unifdef patch git $([ "$(uname)" = Linux ] && echo bwrap); do
        first_of $tool >/dev/null || { lack staff && break; }
    done
    [ -z "$python" ] || "$python" -c 'import importlib.util, sys
sys.exit(importlib.util.find_spec("matplotlib") is None)' 2>/dev/null || lack plots
fi
echo "MISSING=$missing"
