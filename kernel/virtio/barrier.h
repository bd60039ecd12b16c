// Memory barriers between the driver and the device, named after their purpose.
//
// The device may look at the ring at any time, as another hart could. Neither the compiler nor the
// processor keeps loads and stores in program order. Wherever the protocol depends on the order,
// use one of these. They are explicit instructions, because what a builtin such as
// __sync_synchronize() emits differs from compiler to compiler. Each is also a compiler barrier.

#ifndef RINGFENCE_BARRIER_H
#define RINGFENCE_BARRIER_H

// One access, exactly where you write it: the compiler does not repeat it, drop it, merge it with
// another, or move it past another such access. The hardware may still reorder it.
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

#ifdef __riscv

// The device sees the stores before it before it sees the stores after it.
#define virtio_wmb() asm volatile("fence w, w" ::: "memory")
// The loads before it happen before the loads after it.
#define virtio_rmb() asm volatile("fence r, r" ::: "memory")
// All loads and stores before it happen before all loads and stores after it. Of these three, only
// this one orders a store before a later load.
#define virtio_mb() asm volatile("fence rw, rw" ::: "memory")
// The stores to memory before it happen before a store to a device register after it. The fences
// above order only memory. A register is in I/O space, for which a fence has other letters: i and
// o.
#define virtio_doorbell_mb() asm volatile("fence w, o" ::: "memory")
// Accesses to device registers before it happen before the loads from memory after it: acknowledge
// the interrupt, then look at the ring.
#define virtio_interrupt_mb() asm volatile("fence io, r" ::: "memory")

#else // the host, for unit tests: the device is a function in the same program

#define virtio_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define virtio_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define virtio_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define virtio_doorbell_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define virtio_interrupt_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)

#endif

#endif
