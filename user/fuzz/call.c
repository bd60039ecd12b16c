// Makes one random system call. Functions choose the arguments by what a call expects: a pointer, a
// descriptor, a path, a size, a process. Most arguments are nearly right, because the kernel
// rejects an obviously wrong one before it does any work.

#include "user/fuzz/fuzz.h"

#define ARENA_SIZE (64 * 1024)

// Memory for the kernel to read and write. This program keeps nothing important in it, so that a
// life goes on for a while.
static char arena[ARENA_SIZE] __attribute__((aligned(4096)));
static const char constant[] = "in a page that cannot be written";

static const char *const names[] = {
    "a",
    "b",
    "c",
    "d",
    "sub",
    "sub/a",
    "sub/b",
    "sub/deep",
    "sub/deep/x",
    "fourteen-bytes",
    "longer-than-fourteen-bytes",
    "dev",
    "none/a",
};

// ---- arguments ----

static uint64_t any_word(uint64_t *random)
{
    static const uint64_t edges[] = {
        0,          1,           2,         15,    16,          17,         511,
        4095,       4096,        4097,      65535, 65536,       0x7fffffff, 0x80000000,
        0xffffffff, 0x100000000, 1ul << 62, ~0ul,  ~0ul - 4095,
    };
    if (random_below(random, 8) == 0)
        return random_u64(random);
    return edges[random_below(random, ARRAY_SIZE(edges))];
}

// Usually an address in the arena. Sometimes one that the kernel must reject, or one where only the
// first bytes are valid.
static uint64_t pointer(uint64_t *random)
{
    switch (random_below(random, 12)) {
    case 0:
        return 0;
    case 1:
        return (uint64_t)constant;
    case 2:
        return (uint64_t)sbrk(0) - random_below(random, 64); // continues after the heap's end
    case 3:
        return 0xffffffc080200000 + random_below(random, 0x100000); // the kernel
    case 4:
        return (1ul << 38) - random_below(random, 64); // the end of user addresses
    case 5:
        return any_word(random);
    default:
        return (uint64_t)arena + random_below(random, ARENA_SIZE - 8192);
    }
}

static int descriptor(uint64_t *random)
{
    return random_below(random, 16) == 0 ? (int)any_word(random)
                                         : (int)random_below(random, NOFILE + 1);
}

static uint64_t size(uint64_t *random)
{
    return random_below(random, 12) == 0 ? any_word(random) : random_below(random, 9000);
}

// A path in the folder. Usually a name that other processes use too, sometimes something unusual.
static uint64_t path(uint64_t *random)
{
    char *to = arena + ARENA_SIZE - 256; // calls rarely write here: pointer() stays below it
    switch (random_below(random, 14)) {
    case 0:
        return pointer(random);
    case 1: // no zero at the end
        memset(to, 'x', 256);
        return (uint64_t)to;
    case 2:
        return (uint64_t) "";
    case 3:
        return (uint64_t) "/";
    case 4:
        return (uint64_t) ".";
    case 5:
        snprintf(to, 128, FUZZ_FOLDER "//.//sub/../%s/",
                 names[random_below(random, ARRAY_SIZE(names))]);
        return (uint64_t)to;
    default:
        snprintf(to, 128, FUZZ_FOLDER "/%s", names[random_below(random, ARRAY_SIZE(names))]);
        return (uint64_t)to;
    }
}

// A path to open: a file or a device. Not the console: a test watches it.
static uint64_t openable(uint64_t *random)
{
    static const char *const devices[] = {"/dev/fb0",   "/dev/disk0", "/dev/random", "/dev/vqstat",
                                          "/dev/kstat", "/dev/null",  "/dev"};
    if (random_below(random, 4) > 0)
        return path(random);
    return (uint64_t)devices[random_below(random, ARRAY_SIZE(devices))];
}

// ---- calls ----

static void call_fork(uint64_t *random)
{
    int pid = fork();
    if (pid == 0) {
        *random += getpid();
        for (uint64_t n = random_below(random, 20); n > 0; n--)
            fuzz_call(random);
        exit(0);
    }
}

static void call_exec(uint64_t *random)
{
    char **argv = (char **)(arena + ARENA_SIZE - 1024);
    int argc = random_below(random, 8) == 0 ? MAXARG + 1 : (int)random_below(random, 4);
    for (int i = 0; i < argc && i < MAXARG + 1; i++)
        argv[i] = (char *)(random_below(random, 6) == 0 ? pointer(random) : (uint64_t) "word");
    argv[argc] = NULL;
    if (fork() == 0) {
        const char *program = random_below(random, 2) ? (const char *)path(random) : "/true";
        syscall(SYS_exec, program, random_below(random, 6) == 0 ? pointer(random) : (uint64_t)argv);
        exit(0);
    }
}

// Starts a program with changed bytes. It may do anything; sweep() kills it in the end.
static void call_exec_hostile(uint64_t *random)
{
    char name[64];
    snprintf(name, sizeof(name), FUZZ_FOLDER "/elf.%d", getpid());
    if (fuzz_program(random, "/true", name) == 0 && fork() == 0) {
        char *argv[] = {name, NULL};
        exec(name, argv);
        exit(0);
    }
    unlink(name);
}

static void call_sbrk(uint64_t *random)
{
    // Rarely shrink below the memory that this program needs.
    int64_t n = random_below(random, 100) == 0 ? (int64_t)any_word(random)
                                               : (int64_t)random_below(random, 1 << 17) - 1000;
    syscall(SYS_sbrk, n, random_below(random, 2) ? SBRK_LAZY : SBRK_EAGER);
}

static void call_kill(uint64_t *random)
{
    static const int odd[] = {0, 1, -1, 0x7fffffff};
    if (random_below(random, 4) == 0)
        kill(odd[random_below(random, ARRAY_SIZE(odd))]);
    else if (random_below(random, 8) == 0)
        // Only a process that started after this one: earlier ones are the shell and the processes
        // that start and count lives. Do not take the pid from memory, because the random calls may
        // have changed it.
        kill(getpid() + 1 + random_below(random, 64));
}

static void call_ioctl(uint64_t *random)
{
    static const unsigned requests[] = {FB_GET_INFO,   FB_SET_MODE, FB_PRESENT, FB_WAIT,
                                        DISK_GET_INFO, DISK_READV,  DISK_FLUSH, DISK_WRITE};
    uint32_t *argument = (uint32_t *)arena;
    for (int i = 0; i < 24; i++)
        argument[i] = random_below(random, 4) ? random_below(random, 700) : any_word(random);
    uint64_t request = random_below(random, 8)
                           ? requests[random_below(random, ARRAY_SIZE(requests))]
                           : any_word(random);
    syscall(SYS_ioctl, descriptor(random), request,
            random_below(random, 4) ? (uint64_t)argument : pointer(random));
}

static void call_mmap(uint64_t *random)
{
    uint64_t length = random_below(random, 2) ? 8 << 20 : size(random);
    uint64_t address = syscall(SYS_mmap, length, descriptor(random), any_word(random) & ~4095ul);
    if (random_below(random, 2))
        syscall(SYS_munmap, random_below(random, 3) ? address : any_word(random), length);
}

static void call_sleep(uint64_t *random)
{
    if (random_below(random, 16) == 0)
        syscall(SYS_nanosleep, random_below(random, 2000000));
    else
        syscall(SYS_pause, random_below(random, 2) ? 0 : -1);
}

static void call_anything(uint64_t *random)
{
    // Not the calls that end this process, wait for ever or turn the machine off. Not an unknown
    // number either: the kernel prints a line for each.
    static const int numbers[] = {SYS_fstat, SYS_dup,    SYS_getpid, SYS_uptime, SYS_open,
                                  SYS_mknod, SYS_unlink, SYS_link,   SYS_mkdir,  SYS_munmap,
                                  SYS_lseek, SYS_fsync,  SYS_chdir};
    uint64_t a = any_word(random), b = any_word(random), c = any_word(random);
    syscall(numbers[random_below(random, ARRAY_SIZE(numbers))], a, b, c);
}

static const uint8_t weights[] = {
    [SYS_fork] = 1,  [SYS_wait] = 2,   [SYS_pipe] = 4,   [SYS_read] = 16, [SYS_kill] = 2,
    [SYS_exec] = 2,  [SYS_fstat] = 6,  [SYS_chdir] = 2,  [SYS_dup] = 6,   [SYS_getpid] = 1,
    [SYS_sbrk] = 4,  [SYS_pause] = 1,  [SYS_uptime] = 1, [SYS_open] = 20, [SYS_write] = 16,
    [SYS_mknod] = 2, [SYS_unlink] = 8, [SYS_link] = 6,   [SYS_mkdir] = 4, [SYS_close] = 16,
    [SYS_ioctl] = 6, [SYS_mmap] = 1,   [SYS_lseek] = 6,  [SYS_fsync] = 1, [SYS_MAX] = 6,
};

static int choose(uint64_t *random)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(weights); i++)
        sum += weights[i];
    unsigned at = random_below(random, sum), number = 0;
    while (at >= weights[number])
        at -= weights[number++];
    return number;
}

void fuzz_call(uint64_t *random)
{
    switch (choose(random)) {
    case SYS_fork:
        call_fork(random);
        break;
    case SYS_wait: {
        // Start a child that ends at once. Another child may sleep in a pipe for ever, and wait()
        // with it.
        uint64_t status = pointer(random);
        if (fork() == 0)
            exit(0);
        syscall(SYS_wait, status);
        break;
    }
    case SYS_pipe:
        syscall(SYS_pipe, pointer(random));
        break;
    case SYS_read:
        syscall(SYS_read, descriptor(random), pointer(random), size(random));
        break;
    case SYS_write:
        syscall(SYS_write, 3 + random_below(random, NOFILE - 3), pointer(random), size(random));
        break;
    case SYS_kill:
        call_kill(random);
        break;
    case SYS_exec:
        if (random_below(random, 2))
            call_exec(random);
        else
            call_exec_hostile(random);
        break;
    case SYS_fstat:
        syscall(SYS_fstat, descriptor(random), pointer(random));
        break;
    case SYS_chdir:
        syscall(SYS_chdir, path(random));
        break;
    case SYS_dup:
        syscall(SYS_dup, descriptor(random));
        break;
    case SYS_sbrk:
        call_sbrk(random);
        break;
    case SYS_pause:
        call_sleep(random);
        break;
    case SYS_open:
        syscall(SYS_open, openable(random),
                random_below(random, 3) ? O_RDWR | (random_below(random, 2) ? O_CREATE : 0)
                                        : any_word(random) & 0xfff);
        break;
    case SYS_mknod:
        // Major 1 is the console.
        syscall(SYS_mknod, path(random), 2 + random_below(random, 8), any_word(random));
        break;
    case SYS_unlink:
        syscall(SYS_unlink, path(random));
        break;
    case SYS_link: {
        char other[64];
        snprintf(other, sizeof(other), FUZZ_FOLDER "/%s",
                 names[random_below(random, ARRAY_SIZE(names))]);
        syscall(SYS_link, random_below(random, 8) ? (uint64_t)other : pointer(random),
                path(random));
        break;
    }
    case SYS_mkdir:
        syscall(SYS_mkdir, path(random));
        break;
    case SYS_close:
        syscall(SYS_close, 3 + random_below(random, NOFILE - 2));
        break;
    case SYS_ioctl:
        call_ioctl(random);
        break;
    case SYS_mmap:
        call_mmap(random);
        break;
    case SYS_lseek:
        syscall(SYS_lseek, descriptor(random), any_word(random), random_below(random, 4));
        break;
    case SYS_fsync:
        syscall(SYS_fsync, descriptor(random));
        break;
    case SYS_MAX:
        call_anything(random);
        break;
    default:
        syscall(random_below(random, 2) ? SYS_getpid : SYS_uptime);
    }
}

int fuzz_program(uint64_t *random, const char *from, const char *to)
{
    static char program[32 * 1024];
    int fd = open(from, O_RDONLY);
    int n = fd < 0 ? -1 : read(fd, program, sizeof(program));
    close(fd);
    if (n <= 0 || (fd = open(to, O_CREATE | O_TRUNC | O_WRONLY)) < 0)
        return -1;
    for (uint64_t changes = 1 + random_below(random, 6); changes > 0; changes--) {
        // The ELF header has 64 bytes, each program header after it 56.
        uint64_t at = random_below(random, 64 + 4 * 56);
        uint64_t word = any_word(random);
        memcpy(program + at, &word, 1ul << random_below(random, 4));
    }
    int written = write(fd, program, random_below(random, 8) ? n : (int)random_below(random, n));
    close(fd);
    return written < 0 ? -1 : 0;
}
