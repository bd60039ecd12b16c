// mkfile: writes a file of SIZE bytes. SEED decides the contents, so a test on the host knows them
// without reading the disk: the numbers of SplitMix64 that starts with SEED (user/lib/random.c),
// each as 8 bytes, lowest byte first. The last number is cut to the size.

#include "user/lib/user.h"

#define CHUNK 65536

static bool parse_size(char *text, uint64_t *size)
{
    int length = strlen(text), shift = 0;
    if (length > 0 && (text[length - 1] == 'K' || text[length - 1] == 'M')) {
        shift = text[length - 1] == 'K' ? 10 : 20;
        text[length - 1] = 0;
    }
    if (!parse_number(text, size) || *size > UINT64_MAX >> shift)
        return false;
    *size <<= shift;
    return true;
}

int main(int argc, char *argv[])
{
    static uint64_t buffer[CHUNK / 8];
    uint64_t size, seed;
    if (argc != 4 || !parse_size(argv[1], &size) || !parse_number(argv[3], &seed))
        usage("mkfile SIZE[K|M] FILE SEED");
    int fd = open(argv[2], O_WRONLY | O_CREATE | O_TRUNC);
    if (fd < 0)
        die(argv[2]);
    while (size > 0) {
        for (size_t i = 0; i < ARRAY_SIZE(buffer); i++)
            buffer[i] = random_u64(&seed);
        uint64_t n = size < CHUNK ? size : CHUNK;
        if (write_all(fd, buffer, n) < 0)
            die(argv[2]);
        size -= n;
    }
    close(fd);
    return 0;
}
