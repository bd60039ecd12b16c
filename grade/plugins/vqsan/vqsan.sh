# Included by grade/show/qemu.sh, whose variables it uses: adds the arguments that load vqsan into QEMU.
# shellcheck shell=sh disable=SC2154

if [ -n "$VQSAN" ] && [ "$VQSAN" != 0 ]; then
    [ -f "$BUILD/host/vqsan.so" ] || fail "there is no $BUILD/host/vqsan.so: VQSAN needs Linux"
    options=elf=$BUILD/kernel.elf
    [ "$VQSAN" = 1 ] || options=$options,$VQSAN
    # Before lab 4, hide the rules that lab 4 is about.
    case "$START" in [0-3]-*) options=$options,hide=R1+R2+R5+R7 ;; esac
    # QEMU 11.0 is the only release whose plugin interface cannot be detected from its functions.
    [ "$version" != 11.0 ] || export VQSAN_PLUGIN_VERSION=6
    # A newer QEMU may not tell a plugin where the guest's memory is: then vqsan looks for this memfd.
    [ "${version%.*}" -lt 11 ] || set -- "$@" -machine memory-backend=ram \
        -object "memory-backend-memfd,id=ram,size=$MEM,share=on"
    set -- "$@" -plugin "$BUILD/host/vqsan.so,$options"
fi
