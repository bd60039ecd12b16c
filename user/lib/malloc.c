// The heap. Each block has a header in front of its memory. The free blocks form a ring in address
// order. malloc() takes the first one that is large enough; it starts searching where the last
// search ended. free() joins a block with its free neighbours. The heap gets memory from sbrk() in
// pieces of at least 16 KiB and never returns it.

#include "user/lib/user.h"

// Sizes include the header and are multiples of 16. This keeps every block aligned.
struct block {
    size_t size;
    struct block *next; // only while the block is free: the next free block
};

#define MIN_GROW (16ul << 10)
#define MAX_SIZE (1ul << 30) // no process has more (kernel/mm/vm.h)

// A free block of size 0, so that the ring is never empty.
static struct block anchor = {0, &anchor};
static struct block *rover = &anchor; // where the next search starts

// Puts a block into the ring and joins it with the free blocks before and after it in memory.
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
    // The program may have moved the end of the heap to any address. The 16 extra bytes leave room
    // to align the block.
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
            } else { // the caller gets the upper end of the block
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
