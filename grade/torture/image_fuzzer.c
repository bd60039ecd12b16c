// Hostile file-system images, guided by coverage. libFuzzer searches for inputs that reach new code
// in mkfs/, with which fsck and fscat read images; sanitizers watch it. hostile.py runs this
// program.
//
// An input is a list of changes to a good image, 8 bytes each: the number of a 32-bit word, and its
// new value. So the fuzzer need not invent a file system first. If the input's first byte is odd,
// the program corrects the super block's checksum.
//
//   IMAGE=good.img image_fuzzer -runs=N [-seed=S]

#include "mkfs/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_BYTES 8

static struct image good;

__attribute__((format(printf, 1, 2))) static void ignore(const char *format, ...)
{
    (void)format;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    const char *error = image_open(&good, getenv("IMAGE") ? getenv("IMAGE") : "good.img");
    if (error) {
        fprintf(stderr, "image_fuzzer: IMAGE: %s\n", error);
        exit(2);
    }
    return 0;
}

static void change(uint8_t *image, uint64_t bytes, const uint8_t *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof(word));
    uint64_t at = (uint64_t)word * sizeof(uint32_t) % bytes;
    memcpy(image + at, from + sizeof(word), sizeof(uint32_t));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    uint64_t bytes = good.blocks * BLOCK_SIZE;
    struct check check = {.problem = ignore, .note = ignore};
    if (size < 1)
        return 0;
    // On the heap, so that the sanitizer notices an access past the end.
    check.image = (struct image){.data = malloc(bytes), .blocks = good.blocks};
    memcpy(check.image.data, good.data, bytes);
    for (size_t at = 1; at + CHANGE_BYTES <= size; at += CHANGE_BYTES)
        change(check.image.data, bytes, input + at);
    struct super_block *super = (void *)(check.image.data + SUPER_BLOCK * BLOCK_SIZE);
    if (input[0] & 1)
        super->checksum = fs_checksum(0, super, offsetof(struct super_block, checksum));
    check.image.super = *super;
    if (image_check_super(&check.image, ignore)) {
        image_replay(&check.image, ignore);
        check_all(&check);
    }
    check_free(&check);
    free(check.image.data);
    return 0;
}
