#!/bin/sh
# Downloads GCC 14 (from Debian 13) and QEMU 10 (from Debian 12's backports), and unpacks them into a folder for
# `make matrix`: matrix_fetch.sh FOLDER. It installs nothing and does not change the system's package lists: apt gets
# separate lists. It uses this machine's Debian mirror.

set -e
out=$1
[ -n "$out" ] || { echo "matrix_fetch.sh FOLDER" >&2; exit 1; }
command -v apt-get >/dev/null 2>&1 || { echo "matrix-fetch: this needs apt (Debian)" >&2; exit 1; }
mkdir -p "$out"
out=$(cd "$out" && pwd)

keys=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    grep -v '^ *#' | grep -o 'https\{0,1\}://[^ ]*/debian/\{0,1\}\( \|$\)' | head -n 1)
[ -n "$mirror" ] || { echo "matrix-fetch: found no Debian mirror among apt's sources" >&2; exit 1; }

# own_apt STATE ARGUMENTS...: runs apt-get with its own lists, cache and status in the folder STATE.
own_apt() {
    state=$1
    shift
    apt-get -qq -o Dir::Etc::sourcelist="$state/list.sources" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" -o Dir::State::status="$state/status" \
        -o APT::Install-Recommends=false -o APT::Sandbox::User=root "$@"
}

# unpack NAME SUITES STATUS PATTERN PACKAGE...: unpacks the packages, and those that they need, into $out/NAME/root. Skips
# packages that STATUS (dpkg's list of installed packages) has, and names that do not match PATTERN.
unpack() {
    name=$1 suites=$2 status=$3 pattern=$4
    shift 4
    state=$out/$name/apt
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$out/$name/root"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
        "$mirror" "$suites" "$keys" >"$state/list.sources"
    cp "$status" "$state/status"
    echo "matrix-fetch: reading the lists of $suites"
    own_apt "$state" update
    list=$(own_apt "$state" -t "${suites##* }" -s install "$@" | sed -n 's/^Inst \([^ ]*\).*/\1/p' | grep -E "$pattern")
    for package in $list; do
        echo "matrix-fetch: $name: $package"
        (cd "$state/cache/archives" && own_apt "$state" -t "${suites##* }" download "$package" &&
            dpkg -x "$package"_*.deb "$out/$name/root" && rm -f "$package"_*.deb)
    done
    rm -rf "$state"
}

# ---- GCC 14, with its C library: it is newer than the one in Debian 12 ----

unpack gcc-14 trixie /dev/null '^(gcc-riscv64|binutils-|lib|zlib1g)' gcc-riscv64-unknown-elf
mkdir -p "$out/gcc-14/bin"
for tool in "$out"/gcc-14/root/usr/bin/riscv64-unknown-elf-*; do
    tool=${tool##*/}
    # The unpacked loader must start every program; `-wrapper` makes gcc start its passes in the same way.
    case $tool in *-gcc | *-gcc-[0-9]* | *-cpp) passes='-wrapper "$loader,--library-path,$libs"' ;; *) passes= ;; esac
    cat >"$out/gcc-14/bin/$tool" <<END
#!/bin/sh
root=\$(cd "\$(dirname "\$0")/../root" && pwd)
loader=\$root/usr/lib64/ld-linux-x86-64.so.2
libs=\$root/usr/lib/x86_64-linux-gnu:\$root/lib/x86_64-linux-gnu
exec "\$loader" --library-path "\$libs" "\$root/usr/bin/$tool" $passes "\$@"
END
    chmod +x "$out/gcc-14/bin/$tool"
done

# ---- QEMU 10, with the system's libraries, and unpacked ones that the system does not have ----

unpack qemu-10 'bookworm bookworm-backports' /var/lib/dpkg/status \
    '^(qemu-system-(riscv|common|data)|opensbi|lib.*)$' qemu-system-riscv
mkdir -p "$out/qemu-10/bin"
cat >"$out/qemu-10/bin/qemu-system-riscv64" <<'END'
#!/bin/sh
root=$(cd "$(dirname "$0")/../root" && pwd)
LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
QEMU_MODULE_DIR=$root/usr/lib/x86_64-linux-gnu/qemu \
    exec "$root/usr/bin/qemu-system-riscv64" -L "$root/usr/share/qemu" -L "$root/usr/lib/riscv64-linux-gnu/opensbi/generic" "$@"
END
chmod +x "$out/qemu-10/bin/qemu-system-riscv64"

"$out/gcc-14/bin/riscv64-unknown-elf-gcc" --version | head -n 1
"$out/qemu-10/bin/qemu-system-riscv64" --version | head -n 1
