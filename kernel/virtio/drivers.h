// The three drivers. Each looks for its device in every virtio-mmio slot.

#ifndef RINGFENCE_DRIVERS_H
#define RINGFENCE_DRIVERS_H

// The thread "init" calls each of them once at boot. They may sleep. They print one line if the
// device is there but cannot be used, and nothing if it is absent.
void rng_init(void);
void blk_init(void); // registers block device "disk0"
void gpu_init(void); // registers the framebuffer driver

#endif
