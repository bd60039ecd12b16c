#!/bin/sh
# Finds the tools that the build, QEMU and the tests need, and prints them as NAME=value lines for the Makefile.
# MISSING lists the tools that it did not find, separated by commas, in the names that setup.sh knows. The last line is
# TOOLS_FOUND=yes; if that line is missing, this script has failed.
# It runs at the start of nearly every `make`, so it must be fast: do not start a program without need.
#
# Environment: TOOLPREFIX, CC, HOSTCC, QEMU, PYTHON, GDB choose a tool. If one is empty, the script searches for the tool.

missing=
lack() {
    missing="$missing${missing:+,}$1"
}

# first_of COMMAND...: prints the first of these commands that exists.
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
#
# By default it is GCC for riscv64-unknown-elf (some systems call it riscv64-elf). If the system has only another compiler,
# GCC counts as missing, and FALLBACK is the make variable that selects the other compiler. The Makefile uses FALLBACK if
# it cannot install GCC.

find_clang() { # find_clang COMMAND
    kind=clang
    compiler=$(first_of "$1") || lack "$1"
    ld=$(first_of "$(echo "$1" | sed 's/clang\([^/]*\)$/ld.lld\1/')" ld.lld) || lack lld
    objcopy=$(first_of "$(echo "$1" | sed 's/clang\([^/]*\)$/llvm-objcopy\1/')" llvm-objcopy llvm-objcopy-14 \
        llvm-objcopy-15 llvm-objcopy-16 llvm-objcopy-17 llvm-objcopy-18 llvm-objcopy-19 \
        riscv64-unknown-elf-objcopy riscv64-linux-gnu-objcopy riscv64-elf-objcopy) || lack llvm
}

find_gcc() { # find_gcc PREFIX
    kind=gcc
    compiler=$(first_of "$1gcc") || lack "$1gcc"
    ld=$1ld
    objcopy=$1objcopy
}

case "$CC" in
*clang*) find_clang "$CC" ;;
*gcc | '')
    prefix=${TOOLPREFIX:-${CC%gcc}}
    if [ -n "$prefix" ]; then
        find_gcc "$prefix"
    elif [ -n "$CC" ]; then
        lack "CC=$CC" # CC=gcc is the host's compiler, not one for RISC-V
    elif gcc=$(first_of riscv64-unknown-elf-gcc riscv64-elf-gcc); then
        find_gcc "${gcc%gcc}"
    else
        lack gcc
        if command -v riscv64-linux-gnu-gcc >/dev/null 2>&1; then
            find_gcc riscv64-linux-gnu-
            echo "FALLBACK=TOOLPREFIX=riscv64-linux-gnu-"
        elif command -v clang >/dev/null 2>&1 && command -v ld.lld >/dev/null 2>&1; then
            find_clang clang
            echo "FALLBACK=CC=clang"
        fi
    fi
    ;;
*) lack "CC=$CC" ;;
esac
echo "KIND=$kind"
echo "COMPILER=$compiler"
echo "LINKER=$ld"
echo "OBJCOPY=$objcopy"

# can_compile MARCH: tests whether the compiler knows these extensions and has the headers of a freestanding compiler.
can_compile() {
    echo '#include <stdint.h>' |
        "$compiler" $target -march="$1" -mabi=lp64 -ffreestanding -E -o /dev/null -x c - 2>/dev/null
}

if [ -n "$compiler" ]; then
    target=
    [ "$kind" != clang ] || target=--target=riscv64
    # GCC 12 and newer need the names of two extensions that clang 14 and older GCCs do not know.
    march=rv64imac_zicsr_zifencei
    if ! can_compile $march && ! { march=rv64imac && can_compile $march; }; then
        # Some distributions do not ship stdint.h with the compiler, but with a C library that they recommend for it.
        march=rv64imac_zicsr_zifencei
        lack riscv-headers
    fi
    echo "MARCH=$march"
    # Linkers from 2.39 on warn about segments that are writable and executable. Older ones do not know this option.
    if [ "$kind" = gcc ] && "$ld" --no-warn-rwx-segments --version >/dev/null 2>&1; then
        echo "LD_QUIET=--no-warn-rwx-segments"
    fi
fi

# ---- everything else ----
# Debian calls clang `cc` if there is no gcc, and then it may have no sanitizers, which the unit tests need.
hostcc=$(first_of ${HOSTCC:-gcc cc clang}) || lack "${HOSTCC:-host-gcc}"
case "$HOSTCC$hostcc" in
cc | clang)
    echo 'int main(void) { return 0; }' | "$hostcc" -fsanitize=address -x c -o /dev/null - 2>/dev/null || lack host-gcc ;;
esac
echo "HOST_COMPILER=$hostcc"
qemu=$(first_of "${QEMU:-qemu-system-riscv64}") || lack "${QEMU:-qemu}"
echo "QEMU_FOUND=$qemu"
# Debian's QEMU package does not contain the firmware. Only QEMU knows for certain which folders it searches for it. (If
# you chose the QEMU, you also choose its firmware; make doctor shows it.)
if [ -n "$qemu" ] && [ -z "$QEMU" ]; then
    firmware=opensbi-riscv64-generic-fw_dynamic.bin
    place=$(command -v "$qemu")
    found=
    for folder in "${place%/*}/../share/qemu" $([ -e "${place%/*}/../share/qemu/$firmware" ] || "$qemu" -L help 2>/dev/null); do
        [ ! -e "$folder/$firmware" ] || found=yes
    done
    [ -n "$found" ] || lack opensbi
fi
gdb=$(first_of ${GDB:-gdb-multiarch riscv64-unknown-elf-gdb riscv64-elf-gdb}) || lack "${GDB:-gdb}"
echo "GDB_FOUND=$gdb"

# pyenv or conda may hide the distribution's Python. We want that one, because it has the packages.
python= extras=
for candidate in ${PYTHON:-/usr/bin/python3 python3 /usr/local/bin/python3 /opt/homebrew/bin/python3}; do
    if extras=$("$candidate" -c '
import sys
from importlib.util import find_spec
print(*(name for name in ("xdist", "matplotlib") if find_spec(name)))
sys.exit(sys.version_info < (3, 9) or not all(map(find_spec, ("pytest", "pexpect", "PIL"))))
' 2>/dev/null); then
        python=$candidate
        break
    fi
    extras=
done
[ -n "$python" ] || lack "${PYTHON:-python}"
echo "PYTHON_FOUND=$python"
case " $extras " in *" xdist "*) echo "PYTHON_XDIST=yes" ;; *) echo "PYTHON_XDIST=" ;; esac
if [ -e grade/explore/timeline.py ]; then # handouts have it from lab 4 on, and it draws plots
    case " $extras " in *" matplotlib "*) ;; *) lack plots ;; esac
fi

# Only the full tree makes handouts and grades submissions. Bubblewrap exists only for Linux.
if [ -e grade/staff/staff.mk ]; then
    for tool in unifdef patch git $([ "$(uname)" = Linux ] && echo bwrap); do
        first_of "$tool" >/dev/null || { lack staff && break; }
    done
    first_of debootstrap /usr/sbin/debootstrap >/dev/null || lack debootstrap
fi
echo "MISSING=$missing"
echo "TOOLS_FOUND=yes"
