// The heap: a list of blocks in address order, each with a header in front of its memory. malloc()
// takes the first free block that is large enough, beginning where the last search ended; free()
// joins a block with free neighbours. Memory comes from sbrk() in pieces of at least 16 KiB and is
// never given back.

#include "user/lib/user.h"

// Sizes count the header and are multiples of 16, which keeps every block aligned.
struct block {
    size_t size;
    struct block *next; // while free: the next free block, in address order, round in a ring
};

#define MIN_GROW (16ul << 10)
#define MAX_SIZE (1ul << 30) // no process has more (kernel/mm/vm.h)

static struct block anchor = {0,
                              &anchor}; // a free block of size 0, so that the ring is never empty
static struct block *rover = &anchor;   // where the next search begins

// Puts a block into the ring and joins it with what touches it.
static void insert(struct block *block)
{
    struct block *before = rover;
    while (!(block > before && block < before->next)) {
        if (before >= before->next && (block > before || block < before->next))
            break; // between the highest free block and the lowest
        before = before->next;
    }
    block->next = before->next;
    before->next = block;
    if ((char *)block + block->size == (char *)block->next && block->next->size > 0) {
        block->size += block->next->size;
        block->next = block->next->next;
    }
    if (before->size > 0 && (char *)before + before->size == (char *)block) {
        before->size += block->size;
        before->next = block->next;
    }
    rover = before;
}

static bool grow(size_t size)
{
    size_t step = size < MIN_GROW ? MIN_GROW : (size + 4095) & ~4095ul;
    uintptr_t start = (uintptr_t)sbrk(step + 16);
    if (start == UINTPTR_MAX)
        return false;
    // Somebody may have moved the end of the heap to an odd place: the 16 spare bytes align the
    // block.
    struct block *block = (struct block *)((start + 15) & ~15ul);
    block->size = step;
    insert(block);
    return true;
}

void *malloc(size_t size)
{
    if (size == 0 || size > MAX_SIZE)
        return NULL;
    size = (size + sizeof(struct block) + 15) & ~15ul;
    struct block *before = rover;
    for (;;) {
        struct block *block = before->next;
        if (block->size >= size) {
            if (block->size - size < 2 * sizeof(struct block)) {
                before->next = block->next;
            } else { // the upper end of the block becomes the caller's
                block->size -= size;
                block = (struct block *)((char *)block + block->size);
                block->size = size;
            }
            rover = before;
            return block + 1;
        }
        before = block;
        if (before == rover) {
            if (!grow(size))
                return NULL;
            before = rover;
        }
    }
}

void free(void *p)
{
    if (p)
        insert((struct block *)p - 1);
}

void *calloc(size_t count, size_t size)
{
    if (size > 0 && count > MAX_SIZE / size)
        return NULL;
    void *p = malloc(count * size);
    if (p)
        memset(p, 0, count * size);
    return p;
}

void *realloc(void *p, size_t size)
{
    if (p == NULL)
        return malloc(size);
    if (size == 0) {
        free(p);
        return NULL;
    }
    size_t room = ((struct block *)p - 1)->size - sizeof(struct block);
    if (size <= room)
        return p;
    void *larger = malloc(size);
    if (larger) {
        memcpy(larger, p, room);
        free(p);
    }
    return larger;
}
