# GDB for Ringfence: connects to the machine that `make qemu-gdb` has started and loads the kernel's symbols. `make
# gdb` starts GDB so; one started by hand in this directory says itself how to allow it to read this file.
#
# A breakpoint may be set at once, before the kernel runs: QEMU compares addresses and writes nothing to
# memory, so it does not matter that the kernel's addresses are not mapped before it has turned paging on.

set confirm off
set pagination off
set architecture riscv:rv64
set disassemble-next-line auto

define user-symbols
    if $argc != 1
        echo user-symbols NAME: also load the symbols of the program build/user/NAME.elf\n
    else
        eval "add-symbol-file %s/user/$arg0.elf", $build
    end
end
document user-symbols
user-symbols NAME: also load the symbols of the program build/user/NAME.elf, to stop in it.
end

# `make gdb` says where the build is.
if $_isvoid($build)
    set $build = "build"
end
eval "target remote %s/gdb.sock", $build

# A step stays on its hart; the devices go on all the same.
set scheduler-locking step

# `virtq`. Last, so that a GDB without Python has all the rest.
source -s grade/show/gdb_virtq.py
