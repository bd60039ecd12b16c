// Reads the log of QEMU's blklogwrites, in the format of Linux's dm-log-writes.
//
// Sector 0 is a super block. Then come entries: one sector that describes the entry, then its data.
// The number of entries in the super block may be out of date, so this code reads until an empty
// entry.

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "grade/torture/replay/replay.h"

#define LOG_WRITES_MAGIC 0x6a736677736872ull
#define FLAG_FLUSH 1
#define FLAG_DISCARD 4

struct log_super {
    uint64_t magic, version, entries;
    uint32_t sector;
} __attribute__((packed));

struct log_entry {
    uint64_t sector, sectors, flags, data_bytes;
} __attribute__((packed));

static const uint8_t *map(const char *path, size_t *bytes)
{
    struct stat stat;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &stat) < 0 || stat.st_size < 4096)
        fail("%s is not a log of writes", path);
    *bytes = stat.st_size;
    void *data = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        fail("%s cannot be mapped", path);
    close(fd);
    return data;
}

static void add(struct write_log *log, struct entry entry)
{
    if (log->count % 4096 == 0)
        log->entries = realloc(log->entries, (log->count + 4096) * sizeof(entry));
    log->entries[log->count++] = entry;
}

void log_open(struct write_log *log, const char *path)
{
    size_t bytes;
    const uint8_t *data = map(path, &bytes);
    const struct log_super *super = (const void *)data;
    uint64_t sector = super->sector;
    if (super->magic != LOG_WRITES_MAGIC || sector < sizeof(struct log_entry))
        fail("%s is not a log of writes", path);
    *log = (struct write_log){0};
    for (size_t at = sector; at + sector <= bytes;) {
        const struct log_entry *entry = (const void *)(data + at);
        uint64_t length = entry->sectors * sector, offset = entry->sector * sector;
        at += sector;
        if (entry->flags & FLAG_DISCARD)
            fail("the log has a discard, which our kernel never sends");
        if (length == 0 && !(entry->flags & FLAG_FLUSH))
            break; // the end of the log
        if (at + length > bytes)
            break; // cut off: QEMU had not completed this write yet
        if (offset % BLOCK_SIZE || length % BLOCK_SIZE)
            fail("a write of %lu bytes at %lu is not whole blocks", length, offset);
        if (length)
            add(log, (struct entry){offset / BLOCK_SIZE, length / BLOCK_SIZE, data + at});
        if (entry->flags & FLAG_FLUSH)
            add(log, (struct entry){0});
        at += length;
    }
}
