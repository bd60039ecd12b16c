// The three drivers: each looks at every virtio-mmio slot for its device.

#ifndef RINGFENCE_DRIVERS_H
#define RINGFENCE_DRIVERS_H

// Called once each at boot, on the boot hart, after the scheduler can sleep. They print one line if
// a device is there and cannot be used, and nothing if it is absent.
void rng_init(void);
void blk_init(void); // registers block device "disk0"
void gpu_init(void); // registers the framebuffer driver

#endif
