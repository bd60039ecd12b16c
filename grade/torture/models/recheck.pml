/* Before a driver sleeps (kernel/virtio/virtqueue.c, virtq_enable_cb): enable notifications, full fence, look again.

   Driver and device share two words. The driver stores avail->flags and then loads used->idx; the device stores used->idx
   and then loads avail->flags. The other side does not see a store at once: it waits in a store buffer, and later loads may
   overtake it. So both may look too early: the device sends no interrupt, and the driver sleeps for ever.

     make models          checks this, and each of these mistakes:
     NO_FENCE             no fence between the driver's store and its load
     READ_FENCE           `fence r,r`: orders loads with loads, but lets the store wait
     NO_LOOK              the driver enables notifications and sleeps
     LOOK_FIRST           the driver looks, then enables notifications and sleeps

   VirtIO 1.2, 2.7.7 and 2.7.14. Every correct device does its part. */

#define REQUESTS 3

bool notify;               /* in memory: avail->flags asks for an interrupt */
byte used_idx;             /* in memory */

bool driver_buffered, driver_value;     /* the driver's waiting store */
bool device_buffered; byte device_value;

bool interrupt;            /* pending */
byte taken;                /* by the driver */
byte submitted;            /* by the driver; the device sees it, because the kick orders it */

/* A buffer may drain at any time. */
active proctype driver_buffer() {
end:
    do
    :: atomic { driver_buffered -> notify = driver_value; driver_buffered = false }
    od
}
active proctype device_buffer() {
end:
    do
    :: atomic { device_buffered -> used_idx = device_value; device_buffered = false }
    od
}

inline store_notify(v) { atomic { !driver_buffered -> driver_value = v; driver_buffered = true } }
inline fence_rw_rw()    { !driver_buffered }   /* waits until the store is in memory */

active proctype driver() {
    byte seen;
    do
    :: taken == REQUESTS -> break
    :: else ->
       submitted = taken + 1;
       do
       :: seen = used_idx;
          if
          :: seen != taken -> taken = seen; break
          :: else
          fi;
#ifdef LOOK_FIRST
          seen = used_idx;
          store_notify(true);
          fence_rw_rw();
#else
          store_notify(true);
#if !defined(NO_FENCE) && !defined(READ_FENCE)
          fence_rw_rw();
#endif
          seen = used_idx;
#endif
          if
#ifndef NO_LOOK
          :: seen != taken -> skip              /* do not sleep: take the answer */
          :: else -> interrupt -> interrupt = false
#else
          :: interrupt -> interrupt = false
#endif
          fi;
          store_notify(false)
       od
    od
}

active proctype device() {
    byte done;
    do
    :: done == REQUESTS -> break
    :: done < REQUESTS && submitted > done ->
       done++;
       atomic { !device_buffered -> device_value = done; device_buffered = true };
       !device_buffered;                        /* the device's own full barrier */
       if
       :: notify -> interrupt = true
       :: else
       fi
    od
}
