#!/bin/sh
# Starts QEMU with our kernel for a person at a terminal, or for a pipe. `make qemu` and `make qemu-gdb` run
# it. Environment: QEMU, PYTHON, BUILD, CPUS, MEM, and where set DISK, ARGS, VNC, and WEB, a folder: then display and
# console are sockets in it, and the machine waits for who looks at its console. With the argument `gdb` it waits for
# GDB. The exit status is QEMU's, 0 after a power-off.

wait_for_gdb=$1

fail() {
    echo "qemu: $*" >&2
    exit 1
}

version=$("$QEMU" --version 2>/dev/null | sed -n '1s/.*version \([0-9]*\.[0-9.]*\).*/\1/p')
[ -n "$version" ] || fail "'$QEMU' does not run; 'make doctor' says more"
major=${version%%.*}
minor=${version#*.}
minor=${minor%%.*}
if [ "$major" -lt 7 ] || { [ "$major" -eq 7 ] && [ "$minor" -lt 2 ]; }; then
    fail "this is QEMU $version, and Ringfence needs 7.2 or newer: install one and give QEMU=path"
fi
case "$CPUS" in
[1-8]) ;;
*) fail "CPUS=$CPUS: must be 1 to 8" ;;
esac
disk=${DISK:-$BUILD/disk.img}
[ -f "$disk" ] || fail "there is no disk image $disk: leave DISK out, or copy $BUILD/disk.img there"

# A window where there is a screen and this QEMU can open one.
display=none
if [ -n "$WEB" ]; then
    display=vnc=unix:$WEB/display.sock
elif [ -n "$VNC" ]; then
    display=vnc=127.0.0.1:$VNC
    echo "qemu: the picture is at vnc://127.0.0.1:$((5900 + VNC))" >&2
elif [ -n "$DISPLAY$WAYLAND_DISPLAY" ]; then
    kinds=$("$QEMU" -display help 2>/dev/null)
    for kind in gtk sdl cocoa; do
        case "$kinds" in *$kind*) display=$kind && break ;; esac
    done
    [ $display != none ] || echo "qemu: no window: this QEMU has none (Debian: apt-get install" \
        "qemu-system-gui); make screenshot or VNC=1 show the picture" >&2
else
    echo "qemu: no screen here: to see the picture, make screenshot or make qemu VNC=1" >&2
fi

# ioeventfd=off: the hart that rings the doorbell does its work, as in a machine of grade/machine/machine.py. vqsan needs that.
set -- -machine virt -smp "$CPUS" -m "$MEM" -display "$display" \
    -global virtio-mmio.force-legacy=false -global virtio-mmio.ioeventfd=off \
    -drive "file=$disk,if=none,format=raw,id=disk" -device virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0 \
    -device virtio-gpu-device,bus=virtio-mmio-bus.1 -device virtio-rng-device,bus=virtio-mmio-bus.2 \
    -kernel "$BUILD/kernel.elf" -initrd "$BUILD/initrd.img" -append "$ARGS"
# The sanitizer, where this tree has it.
[ ! -f grade/plugins/vqsan/vqsan.sh ] || . grade/plugins/vqsan/vqsan.sh
if [ -n "$wait_for_gdb" ]; then
    # A socket in the build's own directory: no other GDB can meet this machine by accident. .gdbinit names it too.
    rm -f "$BUILD/gdb.sock"
    set -- "$@" -S -gdb "unix:$BUILD/gdb.sock,server=on,wait=off"
    [ "$BUILD" = build ] || same=" BUILD=$BUILD"
    echo "qemu: waiting for GDB: type 'make gdb$same' in a second terminal" >&2
fi

[ -z "$WEB" ] || exec "$QEMU" "$@" -monitor none -serial "unix:$WEB/console.sock,server=on,wait=on"

if [ -t 0 ]; then
    echo "qemu: 'poweroff' or ^D ends it; so does ^A x" >&2
    exec "$QEMU" "$@" -serial mon:stdio
fi

exec "$PYTHON" -m grade.show.feed "$QEMU" "$@" -monitor none -serial stdio
