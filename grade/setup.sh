#!/bin/sh
# Installs what the build, QEMU and the tests need and this machine lacks: by apt-get where there is one,
# as root or with sudo; elsewhere it prints the command to type. `make setup`, `make qemu` and `make test`
# run it. With an argument (tools.sh's MISSING) it installs for that list, else it looks by itself.

cd "$(dirname "$0")/.." || exit 1

missing=$1
if [ $# -eq 0 ]; then
    missing=$(sh grade/tools.sh | sed -n 's/^MISSING=//p')
fi
if [ -z "$missing" ]; then
    echo "setup: all that is needed is here (make doctor shows it)"
    exit 0
fi

# The packages for what is missing, in each system's names.
apt= dnf= pacman= brew=
need() {
    apt="$apt $1" dnf="$dnf $2" pacman="$pacman $3" brew="$brew $4"
}
for tool in $(echo "$missing" | tr ',' ' '); do
    case "$tool" in
    gcc | riscv64-unknown-elf-gcc)
        need "gcc-riscv64-unknown-elf" "gcc-riscv64-linux-gnu" "riscv64-elf-gcc" "riscv64-elf-gcc" ;;
    riscv64-linux-gnu-gcc)
        need "gcc-riscv64-linux-gnu" "gcc-riscv64-linux-gnu" "riscv64-linux-gnu-gcc" "riscv64-elf-gcc" ;;
    clang) need "clang" "clang" "clang" "llvm" ;;
    lld) need "lld" "lld" "lld" "lld" ;;
    llvm) need "llvm" "llvm" "llvm" "llvm" ;;
    host-gcc) need "gcc libc6-dev" "gcc" "gcc" "gcc" ;;
    qemu)
        need "qemu-system-misc opensbi qemu-utils" "qemu-system-riscv qemu-img" \
            "qemu-system-riscv qemu-img" "qemu" ;;
    gdb) need "gdb-multiarch" "gdb" "riscv64-elf-gdb" "riscv64-elf-gdb" ;;
    python)
        need "python3 python3-pytest python3-pytest-xdist python3-pytest-timeout python3-pexpect python3-pil" \
            "python3-pytest python3-pytest-xdist python3-pytest-timeout python3-pexpect python3-pillow" \
            "python-pytest python-pytest-xdist python-pytest-timeout python-pexpect python-pillow" \
            "python pillow && python3 -m pip install pytest pytest-xdist pytest-timeout pexpect" ;;
    staff)
        need "unifdef patch git bubblewrap" "unifdef patch git bubblewrap" "unifdef patch git bubblewrap" \
            "unifdef gpatch git" ;;
    plots) need "python3-matplotlib" "python3-matplotlib" "python-matplotlib" "python-matplotlib" ;;
    *)
        echo "setup: $tool was asked for and is not here; install it, or leave the variable out" >&2
        exit 1 ;;
    esac
done

echo "setup: missing: $(echo "$missing" | sed 's/,/, /g')" >&2

# A picture in a window needs one more package, wherever there is a screen to show it on.
if [ -n "$DISPLAY$WAYLAND_DISPLAY" ]; then
    case "$missing" in *qemu*) apt="$apt qemu-system-gui" ;; esac
fi

root=
if [ "$(id -u)" -ne 0 ]; then
    root=sudo
fi
if command -v apt-get >/dev/null 2>&1; then
    if [ -n "$root" ] && ! command -v sudo >/dev/null 2>&1; then
        echo "setup: ask an administrator to run:  apt-get install$apt" >&2
        exit 1
    fi
    echo "setup: $root apt-get install$apt" >&2
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    # shellcheck disable=SC2086  # the lists are to be split
    if { $root apt-get update && $root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $apt; } >"$log" 2>&1; then
        echo "setup: installed" >&2
        exit 0
    fi
    tail -n 20 "$log" >&2
    echo "setup: apt-get failed (its last words are above)" >&2
    exit 1
fi
for system in dnf pacman brew; do
    command -v $system >/dev/null 2>&1 || continue
    case $system in
    dnf) echo "setup: please run:  $root dnf install$dnf" >&2 ;;
    pacman) echo "setup: please run:  $root pacman -S --needed$pacman" >&2 ;;
    brew) echo "setup: please run:  brew install$brew" >&2 ;;
    esac
    exit 1
done
echo "setup: no apt-get, dnf, pacman or brew here; please install what is missing by hand" >&2
exit 1
