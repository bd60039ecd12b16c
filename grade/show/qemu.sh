#!/bin/sh
# Starts QEMU with our kernel, for a person at a terminal or for a pipe. `make qemu` and `make qemu-gdb` run it.
# Environment: QEMU, PYTHON, BUILD, CPUS, MEM; optional: DISK, ARGS, VNC, WEB. WEB is a folder: the script puts sockets for
# display and console there, and the machine waits until somebody connects to its console. With the argument `gdb` the
# machine waits for GDB. The exit status is QEMU's, 0 after a power-off.

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
    fail "this is QEMU $version, but Ringfence needs 7.2 or newer: install one and give QEMU=path"
fi
case "$CPUS" in
[1-8]) ;;
*) fail "CPUS=$CPUS: must be 1 to 8" ;;
esac
disk=${DISK:-$BUILD/disk.img}
[ -f "$disk" ] || fail "there is no disk image $disk: leave DISK out, or copy $BUILD/disk.img there"

# Open a window if there is a screen and this QEMU can do it.
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
    [ $display != none ] || echo "qemu: this QEMU cannot open a window (Debian: apt-get install" \
        "qemu-system-gui); to see the picture, use make screenshot or make qemu VNC=1" >&2
else
    echo "qemu: no screen here: to see the picture, use make screenshot or make qemu VNC=1" >&2
fi

# ioeventfd=off: the hart that writes to the doorbell register also does the device's work, as in
# grade/machine/machine.py. vqsan needs that.
set -- -machine virt -smp "$CPUS" -m "$MEM" -display "$display" \
    -global virtio-mmio.force-legacy=false -global virtio-mmio.ioeventfd=off \
    -drive "file=$disk,if=none,format=raw,id=disk" -device virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0 \
    -device virtio-gpu-device,bus=virtio-mmio-bus.1 -device virtio-rng-device,bus=virtio-mmio-bus.2 \
    -kernel "$BUILD/kernel.elf" -initrd "$BUILD/initrd.img" -append "$ARGS"
# Add the sanitizer, if this tree has it.
[ ! -f grade/plugins/vqsan/vqsan.sh ] || . grade/plugins/vqsan/vqsan.sh
if [ -n "$wait_for_gdb" ]; then
    # The socket is in the build directory, so no other GDB can connect by accident. .gdbinit has the same path.
    rm -f "$BUILD/gdb.sock"
    set -- "$@" -S -gdb "unix:$BUILD/gdb.sock,server=on,wait=off"
    [ "$BUILD" = build ] || same=" BUILD=$BUILD"
    echo "qemu: waiting for GDB: type 'make gdb$same' in a second terminal" >&2
fi

[ -z "$WEB" ] || exec "$QEMU" "$@" -monitor none -serial "unix:$WEB/console.sock,server=on,wait=on"

if [ -t 0 ]; then
    echo "qemu: to end the machine, type poweroff, ^D, or ^A x" >&2
    exec "$QEMU" "$@" -serial mon:stdio
fi

exec "$PYTHON" -m grade.show.feed "$QEMU" "$@" -monitor none -serial stdio
