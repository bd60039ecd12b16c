// Runs the kernel's file system (kernel/fs, except kstat.c and block.c) as an ordinary program, on
// a RAM disk, and tries hard to break it.
//
//   FSCK=fsck fscheck TEST IMAGE [SEED [COUNT]]     mkfs makes IMAGE; fscheck only reads it
//
//   crash     the machine stops, COUNT times, and the disk loses any of the writes not flushed
//   stale     old transactions in the log are not taken for new ones
//   model     COUNT random calls, compared with a model
//   stress    six threads run the model at once, and share the names in one directory
//   full      the disk fills up, twice, and every block and inode is free again afterwards
//   share     pages that "processes" share with the buffer cache keep their contents
//   errors    COUNT runs on a device that sometimes fails
//   corrupt   COUNT runs on corrupt images: errors are fine, a panic or an invalid access is not
//
// Environment: PAGES (of memory, default 4096), SEGMENTS (per request, default 30).
//
// Build, from the project's root, with -fsanitize=address,undefined or -fsanitize=thread or
// neither:
//   cc -std=gnu11 -g -O1 -Igrade/torture/fscheck/host -Igrade/torture/fscheck -I. -o fscheck
//      grade/torture/fscheck/*.c $(ls kernel/fs/*.c | grep -v -e kstat.c -e block.c) -lpthread

#include "fscheck.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SECONDS 120

char *image;
uint64_t image_bytes;
bool blocks_may_be_lost;
__thread unsigned seed;
static char scratch[64]; // a copy of the image for fsck

unsigned random_below(unsigned n)
{
    return rand_r(&seed) % n;
}

void mount_image(void)
{
    become_process();
    ram_disk_init(image, image_bytes);
    EXPECT(fs_mount(&ram_disk), 0);
    current_proc()->cwd = inode_get(ROOT_INODE);
}

bool in_child(void (*function)(void *), void *argument)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(CHILD_SECONDS); // a deadlock is a failure too
        function(argument);
        fflush(NULL);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return status == 0;
}

void check_image(const char *when)
{
    const char *fsck = getenv("FSCK");
    char command[512];
    if (!fsck)
        panic("FSCK is not set: set it to the fsck program");
    FILE *file = fopen(scratch, "wb");
    CHECK(file && fwrite(image, image_bytes, 1, file) == 1);
    fclose(file);
    if (blocks_may_be_lost) // then fsck may print only such lines
        snprintf(command, sizeof(command), "! %s -q %s | grep -v 'marked in use, but nothing uses'",
                 fsck, scratch);
    else
        snprintf(command, sizeof(command), "%s -q %s", fsck, scratch);
    if (system(command) != 0)
        panic("fsck finds problems %s", when);
    unlink(scratch);
}

void shut_down(const char *when)
{
    EXPECT(log_shutdown(), 0);
    check_image(when);
}

char *copy_image(void)
{
    char *copy = malloc(image_bytes);
    return memcpy(copy, image, image_bytes);
}

static void read_image(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        panic("cannot open %s", path);
    fseek(file, 0, SEEK_END);
    image_bytes = ftell(file);
    rewind(file);
    image = mmap(NULL, image_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(fread(image, image_bytes, 1, file) == 1);
    fclose(file);
}

static const struct {
    const char *name;
    bool (*run)(unsigned first_seed, unsigned count);
} tests[] = {
    {"crash", test_crash},   {"stale", test_stale},     {"model", test_model},
    {"stress", test_stress}, {"full", test_full},       {"share", test_share},
    {"errors", test_errors}, {"corrupt", test_corrupt},
};

static unsigned number(const char *text, unsigned fallback)
{
    return text ? strtoul(text, NULL, 0) : fallback;
}

int main(int argc, char **argv)
{
    for (unsigned i = 0; argc >= 3 && argc <= 5 && i < ARRAY_SIZE(tests); i++) {
        if (strcmp(argv[1], tests[i].name) != 0)
            continue;
        read_image(argv[2]);
        snprintf(scratch, sizeof(scratch), "/tmp/fscheck.%d", getpid());
        memory_init(number(getenv("PAGES"), 4096));
        ram_disk.max_segments = number(getenv("SEGMENTS"), 30);
        bool good = tests[i].run(number(argc > 3 ? argv[3] : NULL, 1),
                                 number(argc > 4 ? argv[4] : NULL, 300));
        printf("%s: %s\n", tests[i].name, good ? "ok" : "FAILED");
        return !good;
    }
    fprintf(stderr,
            "usage: fscheck TEST IMAGE [SEED [COUNT]]; the head of main.c lists the tests\n");
    return 2;
}
