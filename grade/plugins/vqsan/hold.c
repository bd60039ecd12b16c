// Holds values back. hold.h is the contract.

#include "grade/plugins/vqsan/hold.h"

#include "grade/plugins/vqsan/inject.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

unsigned inject_held;

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void count_held(int change)
{
    __atomic_fetch_add(&inject_held, change, __ATOMIC_SEQ_CST);
}

// ---- words ----

static uint16_t *word_at(uint64_t phys)
{
    return (uint16_t *)(void *)ram_at(phys);
}
static uint32_t *element_at(const struct queue *q, unsigned slot)
{
    return (uint32_t *)(void *)ram_at(used_ring_address(q, slot));
}

static void swap_word(uint64_t phys, uint16_t from, uint16_t to)
{
    __atomic_compare_exchange_n(word_at(phys), &from, to, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
}

void hold_word(struct held_word *w, struct queue *q, unsigned hart, uint64_t phys, uint16_t shown,
               uint64_t duration)
{
    uint16_t truth = ram_u16(phys);
    if (shown == truth)
        return;
    if (!w->held)
        count_held(1);
    *w = (struct held_word){
        .held = true,
        .hart = hart,
        .address = phys,
        .shown = shown,
        .truth = truth,
        .deadline = now_ns() + duration,
        .used_idx = ram_u16(used_idx_address(q)),
    };
    q->count.injected++;
    swap_word(phys, truth, shown);
}

void forget_word(struct held_word *w)
{
    if (w->held)
        count_held(-1);
    w->held = false;
}

void let_go_word(struct held_word *w)
{
    if (w->held)
        swap_word(w->address, w->shown, w->truth);
    forget_word(w);
}

// ---- used elements ----

static void let_go_element(struct queue *q, unsigned slot)
{
    struct held_element *e = &q->held->elements[slot];
    if (!e->held)
        return;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t shown = e->shown[i];
        __atomic_compare_exchange_n(element_at(q, slot) + i, &shown, e->truth[i], false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    e->held = false;
    count_held(-1);
}

void let_go_elements(struct queue *q)
{
    for (unsigned slot = 0; q->held && slot < q->held->size; slot++)
        let_go_element(q, slot);
}

void element_acquired(struct queue *q, unsigned slot)
{
    let_go_element(q, slot);
    memcpy(q->held->elements[slot].shown, element_at(q, slot), 8);
}

void hold_elements(struct queue *q, uint16_t index)
{
    if (ahead(index, q->acquired) > (int)q->size)
        return;
    for (uint16_t i = q->acquired; i != index; i++) {
        unsigned slot = i & (q->size - 1);
        struct held_element *e = &q->held->elements[slot];
        if (e->held || memcmp(element_at(q, slot), e->shown, 8) == 0)
            continue;
        memcpy(e->truth, element_at(q, slot), 8);
        for (unsigned word = 0; word < 2; word++)
            __atomic_store_n(element_at(q, slot) + word, e->shown[word], __ATOMIC_SEQ_CST);
        e->held = true;
        count_held(1);
        q->count.injected++;
    }
}

// ---- descriptors and the available ring ----

static unsigned shadow_words(const struct queue *q)
{
    return (16 * q->size + 6 + 2 * q->size) / 2;
}

// The shadow joins the descriptor table and the available ring. The address of its word i.
static uint64_t shadow_address(const struct queue *q, unsigned i)
{
    return i < 8 * q->size ? q->desc + 2 * (uint64_t)i : q->avail + 2 * (uint64_t)(i - 8 * q->size);
}

void refresh_shadow(struct queue *q)
{
    for (unsigned i = 0; i < shadow_words(q); i++)
        q->held->shadow[i] = ram_u16(shadow_address(q, i));
}

void let_go_stores(struct queue *q)
{
    struct held *held = q->held;
    if (!held || held->store_count == 0)
        return;
    for (unsigned i = 0; i < held->store_count; i++)
        swap_word(held->stores[i].address, held->stores[i].shown, held->stores[i].truth);
    held->store_count = 0;
    count_held(-1);
    refresh_shadow(q);
}

void hold_stores(struct queue *q, uint64_t duration)
{
    struct held *held = q->held;
    if (held->store_count > 0)
        return;
    for (unsigned i = 0; i < shadow_words(q); i++) {
        uint64_t address = shadow_address(q, i);
        uint16_t truth = ram_u16(address);
        if (truth == held->shadow[i] || i == shadow_flags(q) || i == shadow_idx(q) ||
            i == shadow_event(q))
            continue;
        held->stores[held->store_count++] = (struct held_store){address, held->shadow[i], truth};
        swap_word(address, truth, held->shadow[i]);
    }
    if (held->store_count > 0) {
        count_held(1);
        held->stores_deadline = now_ns() + duration;
        q->count.injected++;
    }
}

// ---- begin and end ----

void held_free(struct queue *q)
{
    struct held *held = q->held;
    if (!held)
        return;
    let_go_word(&held->avail_idx);
    let_go_word(&held->wish);
    let_go_word(&held->no_notify);
    let_go_elements(q);
    let_go_stores(q);
    free(held->elements);
    free(held->shadow);
    free(held->stores);
    free(held);
    q->held = NULL;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        abort();
    return memory;
}

struct held *held_new(const struct queue *q)
{
    struct held *held = allocate(1, sizeof(*held));
    held->size = q->size;
    held->elements = allocate(q->size, sizeof(*held->elements));
    held->shadow = allocate(shadow_words(q), sizeof(*held->shadow));
    held->stores = allocate(shadow_words(q), sizeof(*held->stores));
    for (unsigned slot = 0; slot < q->size; slot++)
        memcpy(held->elements[slot].shown, element_at(q, slot), 8);
    for (unsigned i = 0; i < shadow_words(q); i++)
        held->shadow[i] = ram_u16(shadow_address(q, i));
    return held;
}
