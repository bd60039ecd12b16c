// A cache's table: lru.h is the contract.

#include "kernel/fs/lru.h"

void lru_add(struct lru *lru, struct lru_entry *entry)
{
    lru_idle_insert(lru, entry, true);
}

void lru_forget(struct lru *lru, struct lru_entry *entry)
{
    if (entry->number == 0)
        return;
    struct lru_entry **at = lru_chain(lru, entry->number);
    while (*at != entry)
        at = &(*at)->hash_next;
    *at = entry->hash_next;
    entry->number = 0;
}

void lru_take(struct lru *lru, struct lru_entry *entry, uint32_t number)
{
    struct lru_entry **chain = lru_chain(lru, number);
    lru_forget(lru, entry);
    lru_get(lru, entry);
    entry->number = number;
    entry->hash_next = *chain;
    *chain = entry;
}
