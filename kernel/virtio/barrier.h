// Memory barriers between the driver and the device, named after what they are for.
//
// The device looks at the ring whenever it likes, as another hart would. Neither the compiler nor
// the processor keeps loads and stores in program order by itself, so each place where the order is
// part of the protocol says so with one of these. They are explicit instructions on purpose: what a
// builtin such as __sync_synchronize() emits differs from compiler to compiler. Each is also a
// compiler barrier.

#ifndef RINGFENCE_BARRIER_H
#define RINGFENCE_BARRIER_H

// One access, exactly where it is written: the compiler neither repeats, drops, merges nor moves it
// past another such access. The hardware may still reorder it.
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

#ifdef __riscv

// Stores before it reach the ring before stores after it.
#define virtio_wmb() asm volatile("fence w, w" ::: "memory")
// Loads before it are done before loads after it.
#define virtio_rmb() asm volatile("fence r, r" ::: "memory")
// All loads and stores before it come before all those after it. The only one of the three that
// orders a store with a later load.
#define virtio_mb() asm volatile("fence rw, rw" ::: "memory")
// Stores to memory come before a store to a device register. The fences above order memory only; a
// register is in I/O space, which has letters of its own (i and o).
#define virtio_doorbell_mb() asm volatile("fence w, o" ::: "memory")
// Device registers read or written before it, memory read after it: the interrupt is acknowledged
// first, then the ring is looked at.
#define virtio_interrupt_mb() asm volatile("fence io, r" ::: "memory")

#else // the host, for unit tests: there the device is a function in the same program

#define virtio_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define virtio_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define virtio_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define virtio_doorbell_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define virtio_interrupt_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)

#endif

#endif
