#!/bin/sh
# `make doctor`: a table of the tools that were found, their versions, and what to do about what is wrong.
# Exit status 1 if something is needed and not there.

cd "$(dirname "$0")/.." || exit 1
tools=$(sh grade/tools.sh)
value() {
    echo "$tools" | sed -n "s/^$1=//p"
}
status=0

# row WHAT FOUND VERSION VERDICT
row() {
    printf '%-18s %-28s %-14s %s\n' "$1" "${2:--}" "${3:--}" "$4"
}
# First number with dots in what a program says of itself.
version_of() {
    [ -n "$1" ] || return
    "$@" 2>/dev/null | sed -n '1,3s/.*[^0-9.]\([0-9][0-9]*\.[0-9.]*[0-9]\).*/\1/p' | head -n 1
}
# check WHAT NAME VERSION: fine when NAME is there.
check() {
    if [ -n "$2" ]; then
        row "$1" "$2" "$3" ok
    else
        row "$1" "" "" "missing: make setup"
        status=1
    fi
}

row tool found version verdict
compiler=$(value COMPILER)
check "RISC-V compiler" "$compiler" "$(version_of $compiler --version)"
linker=$(value LINKER)
check "linker" "$linker" "$(version_of $linker --version)"
hostcc=$(value HOST_COMPILER)
check "host compiler" "$hostcc" "$(version_of $hostcc --version)"

qemu=$(value QEMU_FOUND)
if [ -n "$qemu" ]; then
    version=$("$qemu" --version 2>/dev/null | sed -n '1s/.*version \([0-9.]*\).*/\1/p')
    case "$version" in
    [89].* | [1-9][0-9]*.* | 7.[2-9]*) row QEMU "$qemu" "$version" ok ;;
    *)
        row QEMU "$qemu" "$version" "too old: 7.2 or newer is needed; give QEMU=path"
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
    *) window="none (apt-get install qemu-system-gui); make screenshot and VNC=1 work" ;;
    esac
    [ -n "$DISPLAY$WAYLAND_DISPLAY" ] || window="no screen here; make screenshot and VNC=1 work"
    row "window" "" "" "$window"
else
    check QEMU "" ""
fi

gdb=$(value GDB_FOUND)
check GDB "$gdb" "$(version_of $gdb --version)"
python=$(value PYTHON_FOUND)
check "Python" "$python" "$(version_of $python --version)"
if [ -n "$python" ]; then
    for module in pytest pexpect PIL; do
        row "  $module" "" "$("$python" -c "import $module; print($module.__version__)" 2>/dev/null)" ok
    done
    for module in xdist pytest_timeout; do
        if ! "$python" -c "import $module" 2>/dev/null; then
            row "  $module" "" "" "missing (make test is slower without): apt-get install python3-pytest-xdist python3-pytest-timeout"
        fi
    done
fi
if [ -e grade/staff.mk ]; then # the tree with all the labs: for handouts and submissions
    for tool in unifdef patch git; do
        check $tool "$(command -v $tool)" "$(version_of $tool --version)"
    done
    [ "$(uname)" != Linux ] || check bubblewrap "$(command -v bwrap)" "$(version_of bwrap --version)"
fi
for optional in clang-format; do
    if command -v $optional >/dev/null 2>&1; then
        row $optional $optional "$(version_of $optional --version)" ok
    else
        row $optional "" "" "only 'make format' wants it"
    fi
done
exit $status
