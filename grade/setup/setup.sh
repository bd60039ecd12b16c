#!/bin/sh
# Installs missing tools. If the system has apt-get, it runs that, as root or with sudo. Otherwise it prints the command
# that you should type. `make setup` runs this script, and so does every goal that needs a tool (such as `make qemu`).
#
#     setup.sh [TOOL,TOOL...]     the tools to install, by their names in MISSING (tools.sh); default: all of MISSING

CDPATH='' cd "$(dirname "$0")/../.." || exit 1

say() {
    echo "setup: $*" >&2
}

missing_now() {
    sh grade/setup/tools.sh | sed -n 's/^MISSING=//p' | tr ',' ' '
}

wanted=$(echo "$1" | tr ',' ' ')
[ $# -gt 0 ] || wanted=$(missing_now)
if [ -z "$wanted" ]; then
    say "you have every tool (make doctor lists them)"
    exit 0
fi

# ---- packages ----

# need APT DNF PACMAN BREW: adds the packages of a tool, in the names of each package manager. a|b means: the first of
# them that this system has.
apt= dnf= pacman= brew=
need() {
    apt="$apt $1" dnf="$dnf $2" pacman="$pacman $3" brew="$brew $4"
}
find_packages() {
    case "$1" in
    gcc | riscv64-unknown-elf-gcc)
        need "gcc-riscv64-unknown-elf" "gcc-riscv64-linux-gnu" "riscv64-elf-gcc" "riscv64-elf-gcc" ;;
    riscv64-linux-gnu-gcc)
        need "gcc-riscv64-linux-gnu" "gcc-riscv64-linux-gnu" "riscv64-linux-gnu-gcc" "riscv64-elf-gcc" ;;
    riscv-headers)
        need "picolibc-riscv64-unknown-elf" "newlib-riscv64-elf" "riscv64-elf-newlib" "riscv64-elf-gcc" ;;
    opensbi) need "opensbi" "edk2-riscv64 opensbi" "opensbi" "qemu" ;;
    clang) need "clang" "clang" "clang" "llvm" ;;
    lld) need "lld" "lld" "lld" "lld" ;;
    llvm) need "llvm" "llvm" "llvm" "llvm" ;;
    host-gcc) need "gcc libc6-dev" "gcc" "gcc" "gcc" ;;
    qemu)
        need "qemu-system-riscv|qemu-system-misc opensbi qemu-utils" "qemu-system-riscv qemu-img" \
            "qemu-system-riscv qemu-img" "qemu"
        # If there is a screen, QEMU needs one more package to open a window on it.
        [ -z "$DISPLAY$WAYLAND_DISPLAY" ] || apt="$apt qemu-system-gui" ;;
    gdb) need "gdb-multiarch" "gdb" "riscv64-elf-gdb" "riscv64-elf-gdb" ;;
    python)
        need "python3 python3-pytest python3-pytest-xdist python3-pytest-timeout python3-pexpect python3-pil" \
            "python3-pytest python3-pytest-xdist python3-pytest-timeout python3-pexpect python3-pillow" \
            "python-pytest python-pytest-xdist python-pytest-timeout python-pexpect python-pillow" \
            "python pillow && python3 -m pip install pytest pytest-xdist pytest-timeout pexpect" ;;
    plots) need "python3-matplotlib" "python3-matplotlib" "python-matplotlib" "python-matplotlib" ;;
    staff)
        need "unifdef patch git bubblewrap" "unifdef patch git bubblewrap" "unifdef patch git bubblewrap" \
            "unifdef gpatch git" ;;
    debootstrap) need "debootstrap" "debootstrap" "debootstrap" "" ;;
    *)
        say "you asked for $1, but it is missing or does not work. Install it, or leave the variable out"
        exit 1 ;;
    esac
}

# ---- apt-get ----

# Reads the output of apt-get: prints its progress and writes all other lines to the log.
show_progress() {
    shown=
    while IFS= read -r line; do
        case $line in
        dlstatus:* | pmstatus:*)
            work=installing
            [ "${line%%:*}" = pmstatus ] || work=downloading
            percent=${line#*:*:}
            percent=${percent%%.*}
            percent=${percent%%:*}
            now="$work $((percent / 10 * 10)) %"
            [ "$now" = "$shown" ] || say "$now"
            shown=$now ;;
        *) echo "$line" >>"$log" ;;
        esac
    done
}

# apt_get WORDS...: runs apt-get as root. If another program holds the package lock, it waits; it spends at most ten
# minutes on all such waits together.
tries=120
apt_get() {
    while :; do
        : >"$log"
        {
            # shellcheck disable=SC2086  # $root is one word or empty
            $root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -y -o APT::Status-Fd=1 "$@" 2>&1
            echo $? >"$log.status"
        } | show_progress
        [ "$(cat "$log.status")" != 0 ] || return 0
        grep -q -e 'Could not get lock' -e 'Unable to lock' -e 'Unable to acquire' "$log" || return 1
        [ $tries -ne 120 ] || say "another program is installing packages (Ubuntu updates itself after it starts); waiting"
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 5
    done
}

# Replaces each a|b by the first package that apt-get can install. If it can install none of them, uses the last.
choose() {
    for names in $1; do
        for name in $(echo "$names" | tr '|' ' '); do
            LC_ALL=C apt-cache policy "$name" 2>/dev/null | grep -q 'Candidate: [^(]' && break
        done
        echo "$name"
    done | tr '\n' ' '
}

install_by_apt() { # install_by_apt TOOL...
    root=
    if [ "$(id -u)" -ne 0 ]; then
        root=sudo
        if ! command -v sudo >/dev/null 2>&1 || ! { sudo -n true 2>/dev/null || sudo -v; }; then
            say "ask an administrator to run:  apt-get install $(choose "$apt")"
            return 1
        fi
    fi
    log=$(mktemp) || return 1
    trap 'rm -f "$log" "$log.status"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    say "reading the lists of packages"
    # Go on even if one source does not answer: other sources may have the packages.
    apt_get update || say "apt-get update failed; using the old lists ($(grep '^E:' "$log" | head -n 1))"
    install_packages && return
    [ $# -gt 1 ] && [ $tries -gt 0 ] || return 1
    say "trying the tools one by one"
    for tool in "$@"; do
        apt=
        find_packages "$tool"
        install_packages || failed=yes
    done
    [ -z "$failed" ]
}

install_packages() {
    packages=$(choose "$apt")
    say "${root:+$root }apt-get install $packages"
    # shellcheck disable=SC2086  # a list of packages
    if ! apt_get install --no-install-recommends $packages; then
        tail -n 10 "$log" >&2
        say "apt-get failed (its last lines are above)"
        return 1
    fi
}

# ---- all systems ----

install() { # install TOOL...
    apt= dnf= pacman= brew=
    for tool in "$@"; do
        find_packages "$tool"
    done
    say "missing: $*"
    if command -v apt-get >/dev/null 2>&1; then
        install_by_apt "$@"
        return
    fi
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root="sudo "
    if command -v dnf >/dev/null 2>&1; then
        say "please run:  ${as_root}dnf install$dnf"
    elif command -v pacman >/dev/null 2>&1; then
        say "please run:  ${as_root}pacman -S --needed$pacman"
    elif command -v brew >/dev/null 2>&1; then
        say "please run:  brew install$brew"
    else
        say "this system has no apt-get, dnf, pacman or brew; please install the missing tools by hand"
    fi
    return 1
}

# shellcheck disable=SC2086  # a list of tools
install $wanted || exit 1
# Only now that there is a compiler can tools.sh check whether its headers are missing.
case " $(missing_now) " in
*" riscv-headers "*)
    install riscv-headers || exit 1 ;;
esac
for tool in $wanted; do
    case " $(missing_now) " in
    *" $tool "*)
        say "installed the packages, but still cannot find $tool; make doctor lists the tools it finds"
        exit 1 ;;
    esac
done
say "installed"
