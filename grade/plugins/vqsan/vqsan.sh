# A part of grade/show/qemu.sh, which it uses the variables of: the arguments that put vqsan into the machine.
# shellcheck shell=sh disable=SC2154

if [ -n "$VQSAN" ] && [ "$VQSAN" != 0 ]; then
    [ -f "$BUILD/host/vqsan.so" ] || fail "there is no $BUILD/host/vqsan.so: VQSAN needs Linux"
    options=elf=$BUILD/kernel.elf
    [ "$VQSAN" = 1 ] || options=$options,$VQSAN
    # What lab 4 is about is not told before it.
    case "$START" in [0-3]-*) options=$options,hide=R1+R2+R5+R7 ;; esac
    # 11.0 is the one release whose plugin interface cannot be told by its functions.
    [ "$version" != 11.0 ] || export VQSAN_PLUGIN_VERSION=6
    # Newer ones may not tell a plugin where the guest's memory is: then it looks for this.
    [ "${version%.*}" -lt 11 ] || set -- "$@" -machine memory-backend=ram \
        -object "memory-backend-memfd,id=ram,size=$MEM,share=on"
    set -- "$@" -plugin "$BUILD/host/vqsan.so,$options"
fi
