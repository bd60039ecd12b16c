// A cache's table: which entry holds which number, and which entries nobody uses.
//
// The buffer cache (buf.c) and the inode cache (inode.c) both need to find an entry by its number,
// and to use entries again, least recently used first. An entry with references stays. One without
// is idle: it keeps its number until lru_take() gives it another.
//
// The caller owns the memory and holds its own spinlock around every call. Nothing here sleeps.

#ifndef RINGFENCE_LRU_H
#define RINGFENCE_LRU_H

#include "kernel/lib.h"

// Put it first in your structure: then a pointer to one is a pointer to the other.
struct lru_entry {
    uint32_t number; // a block or an inode; 0: none
    uint32_t references;
    struct lru_entry *hash_next;
    struct lru_entry *colder, *hotter; // neighbours in the idle list
};

struct lru {
    struct lru_entry **hash;
    uint32_t hash_size;                  // a power of two
    struct lru_entry *coldest, *hottest; // ends of the idle list
    uint32_t idle;                       // its length
};

// Adds a new entry (all zeros), idle, at the hot end.
void lru_add(struct lru *lru, struct lru_entry *entry);
// Gives an idle entry another number, and one reference.
void lru_take(struct lru *lru, struct lru_entry *entry, uint32_t number);
// Takes the number away from an entry: lru_find() does not find it any more.
void lru_forget(struct lru *lru, struct lru_entry *entry);

// ---- inline: every access to a cached block comes through here ----

static inline struct lru_entry **lru_chain(const struct lru *lru, uint32_t number)
{
    // Numbers in use lie close together. The multiplication spreads them.
    return &lru->hash[(number * 2654435761u >> 8) & (lru->hash_size - 1)];
}

// The entry with this number (not 0), or NULL.
static inline void *lru_find(const struct lru *lru, uint32_t number)
{
    struct lru_entry *entry = *lru_chain(lru, number);
    while (entry && entry->number != number)
        entry = entry->hash_next;
    return entry;
}

static inline void lru_idle_remove(struct lru *lru, struct lru_entry *entry)
{
    *(entry->colder ? &entry->colder->hotter : &lru->coldest) = entry->hotter;
    *(entry->hotter ? &entry->hotter->colder : &lru->hottest) = entry->colder;
    lru->idle--;
}

static inline void lru_idle_insert(struct lru *lru, struct lru_entry *entry, bool hot)
{
    entry->colder = hot ? lru->hottest : NULL;
    entry->hotter = hot ? NULL : lru->coldest;
    *(entry->colder ? &entry->colder->hotter : &lru->coldest) = entry;
    *(entry->hotter ? &entry->hotter->colder : &lru->hottest) = entry;
    lru->idle++;
}

// One more reference.
static inline void lru_get(struct lru *lru, struct lru_entry *entry)
{
    if (entry->references++ == 0)
        lru_idle_remove(lru, entry);
}

// One reference less. If that was the last, returns true: the entry is idle, at the hot end if
// `hot`, else the next to be used again.
static inline bool lru_put(struct lru *lru, struct lru_entry *entry, bool hot)
{
    if (--entry->references > 0)
        return false;
    lru_idle_insert(lru, entry, hot);
    return true;
}

#endif
