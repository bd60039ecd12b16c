#!/bin/sh
# `make doctor`: prints a table of the tools it finds, their versions, and how to fix each problem.
# The exit status is 1 if `make qemu` cannot work with these tools.

CDPATH='' cd "$(dirname "$0")/../.." || exit 1
tools=$(sh grade/setup/tools.sh)
value() {
    echo "$tools" | sed -n "s/^$1=//p"
}
is_missing() {
    case ",$(value MISSING)," in *",$1,"*) return 0 ;; *) return 1 ;; esac
}
status=0

# row WHAT FOUND VERSION VERDICT
row() {
    printf '%-18s %-28s %-14s %s\n' "$1" "${2:--}" "${3:--}" "$4"
}
# version_of PROGRAM OPTION: prints the first number with dots in the first lines of the program's output.
version_of() {
    [ -n "$1" ] || return
    "$@" 2>/dev/null | sed -n '1,3s/.*[^0-9.]\([0-9][0-9]*\.[0-9.]*[0-9]\).*/\1/p' | head -n 1
}
# check WHAT COMMAND [GOALS]: prints a tool's row. Without GOALS, every build needs the tool.
check() {
    if [ -n "$2" ] && command -v "$2" >/dev/null 2>&1; then
        row "$1" "$2" "$(version_of "$2" --version)" ok
    elif [ -n "$3" ]; then
        row "$1" "" "" "not here; $3 installs it"
    else
        row "$1" "" "" "missing: make setup"
        status=1
    fi
}
# check_module NAME ADVICE: prints the row of a Python module.
check_module() {
    version=$([ -z "$python" ] || "$python" -c "import $1; print(getattr($1, '__version__', 'here'))" 2>/dev/null)
    if [ -n "$version" ]; then
        row "  $1" "" "$version" ok
    else
        row "  $1" "" "" "not here; $2"
    fi
}

row tool found version verdict
compiler=$(value COMPILER)
fallback=$(value FALLBACK)
check "RISC-V compiler" "$compiler"
if [ -n "$fallback" ]; then
    row "" "" "" "the course uses riscv64-unknown-elf-gcc: make setup"
fi
if is_missing riscv-headers; then
    row "  stdint.h" "" "" "missing: make setup"
    status=1
fi
check "linker" "$(value LINKER)"
check "objcopy" "$(value OBJCOPY)"
check "host compiler" "$(value HOST_COMPILER)"

qemu=$(value QEMU_FOUND)
if [ -n "$qemu" ]; then
    version=$("$qemu" --version 2>/dev/null | sed -n '1s/.*version \([0-9.]*\).*/\1/p')
    case "$version" in
    [89].* | [1-9][0-9]*.* | 7.[2-9]*) row QEMU "$qemu" "$version" ok ;;
    *)
        row QEMU "$qemu" "$version" "too old: Ringfence needs 7.2 or newer; give QEMU=path"
        status=1 ;;
    esac
    firmware=
    for folder in $("$qemu" -L help 2>/dev/null); do
        [ -e "$folder/opensbi-riscv64-generic-fw_dynamic.bin" ] && firmware=$folder && break
    done
    if [ -n "$firmware" ]; then
        row OpenSBI "$firmware" "" ok
    else
        row OpenSBI "" "" "missing: apt-get install opensbi"
        status=1
    fi
    kinds=$("$qemu" -display help 2>/dev/null)
    case "$kinds" in
    *gtk* | *sdl* | *cocoa*) window="ok" ;;
    *) window="this QEMU has none (apt-get install qemu-system-gui); make screenshot and VNC=1 work" ;;
    esac
    [ -n "$DISPLAY$WAYLAND_DISPLAY" ] || window="no screen here; make screenshot and VNC=1 work"
    row "window" "" "" "$window"
else
    check QEMU ""
fi

check GDB "$(value GDB_FOUND)"
python=$(value PYTHON_FOUND)
check "Python" "$python"
if [ -n "$python" ]; then
    check_module pytest "make setup"
    check_module pexpect "make setup"
    check_module PIL "make setup"
    check_module xdist "make test is slower without it: apt-get install python3-pytest-xdist"
    check_module matplotlib "make trace and make test install it; they draw plots"
fi
if [ -e grade/staff/staff.mk ]; then # only the full tree makes handouts and grades submissions
    for tool in unifdef patch git; do
        check $tool $tool "make test or make grade"
    done
    [ "$(uname)" != Linux ] || check bubblewrap bwrap "make test or make grade"
    check debootstrap "$(command -v debootstrap || echo /usr/sbin/debootstrap)" "make fresh"
fi
check clang-format clang-format "apt-get (only for make format)"
exit $status
