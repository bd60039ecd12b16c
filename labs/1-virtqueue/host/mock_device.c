// The mock device: mock_device.h says what it is for.

#include "mock_device.h"

#include <string.h>

void mock_attach(struct mock_device *device, const struct virtq *q)
{
    *device = (struct mock_device){
        .size = q->size,
        .desc = q->desc,
        .avail = q->avail,
        .used = q->used,
        .doorbell = MOCK_NO_KICK,
    };
}

unsigned mock_available(const struct mock_device *device)
{
    return (uint16_t)(device->avail->idx - device->avail_seen);
}

static bool complain(struct mock_device *device, const char *complaint)
{
    if (!device->complaint)
        device->complaint = complaint;
    return false;
}

bool mock_take(struct mock_device *device, struct mock_chain *chain)
{
    if (mock_available(device) == 0)
        return false;
    if (mock_available(device) > device->size)
        return complain(device, "avail->idx is more than the queue's size ahead");
    uint16_t i = device->avail->ring[device->avail_seen % device->size];
    chain->head = i;
    chain->nout = chain->nin = 0;
    for (unsigned n = 0;; n++) {
        if (i >= device->size)
            return complain(device, "descriptor number out of range");
        if (n == device->size)
            return complain(device, "chain longer than the queue, or a loop");
        const struct virtq_desc *desc = &device->desc[i];
        struct virtq_buf buf = {desc->addr, desc->len};
        if (desc->flags & ~(VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE))
            return complain(device, "unknown descriptor flag");
        if (desc->flags & VIRTQ_DESC_F_WRITE)
            chain->in[chain->nin++] = buf;
        else if (chain->nin > 0)
            return complain(device, "readable buffer after a writable one");
        else
            chain->out[chain->nout++] = buf;
        if (!(desc->flags & VIRTQ_DESC_F_NEXT))
            break;
        i = desc->next;
    }
    device->avail_seen++;
    return true;
}

void mock_put(struct mock_device *device, uint32_t id, uint32_t len)
{
    device->used->ring[device->used_next++ % device->size] = (struct virtq_used_elem){id, len};
}

void mock_show(struct mock_device *device)
{
    device->used->idx = device->used_next;
}

void mock_complete(struct mock_device *device, uint32_t id, uint32_t len)
{
    mock_put(device, id, len);
    mock_show(device);
}

void mock_set_index(struct mock_device *device, uint16_t idx)
{
    device->used->idx = idx;
}

void mock_no_notify(struct mock_device *device, bool no_notify)
{
    device->used->flags = no_notify ? VIRTQ_USED_F_NO_NOTIFY : 0;
}

bool mock_may_interrupt(const struct mock_device *device)
{
    return !(device->avail->flags & VIRTQ_AVAIL_F_NO_INTERRUPT);
}

bool mock_kicked(struct mock_device *device, uint32_t index)
{
    uint32_t rung = device->doorbell;
    device->doorbell = MOCK_NO_KICK;
    if (rung != MOCK_NO_KICK && rung != index)
        complain(device, "doorbell rung with another queue's number");
    return rung == index;
}

void mock_scribble(struct virtq *q)
{
    memset(q->desc, 0x5a, q->size * sizeof(q->desc[0]));
    memset(q->avail->ring, 0x5a, q->size * sizeof(q->avail->ring[0]));
}
