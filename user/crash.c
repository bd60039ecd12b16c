// crash: does one forbidden thing on purpose. The kernel must print one line on the console and end
// this process, and nothing else may happen.
//
//   crash             lists the forbidden things
//   crash NAME        does one of them
//   crash pointers    passes bad addresses to system calls; each must fail with EFAULT

#include "user/lib/user.h"

#define KERNEL_TEXT 0xffffffc080200000ul // where the kernel is linked
#define NOT_CANONICAL 0x0000800000000000ul
#define DIRECT_MAP 0xffffffc000000000ul // where the kernel maps all memory and device registers
#define SOME_MEMORY (DIRECT_MAP + 0x83000000)
#define A_DEVICE (DIRECT_MAP + 0x10001000) // virtio-mmio

static uint32_t code_in_data[] = {0x00008067}; // ret

static void store(uint64_t address)
{
    // cppcheck-suppress nullPointer ; a store to 0 is one of the crashes
    *(volatile uint8_t *)address = 1;
}

static void load(uint64_t address)
{
    (void)*(volatile uint8_t *)address;
}

static void jump(uint64_t address)
{
    asm volatile("fence.i\n\tjalr %0" : : "r"(address) : "ra", "memory");
}

static void null_write(void)
{
    store(0);
}

static void text_write(void)
{
    store((uint64_t)null_write);
}

static void unmapped_read(void)
{
    load(0x3000000000ul);
}

static void wild_read(void)
{
    load(NOT_CANONICAL);
}

static void kernel_read(void)
{
    load(KERNEL_TEXT);
}

static void kernel_write(void)
{
    store(KERNEL_TEXT);
}

static void kernel_jump(void)
{
    jump(KERNEL_TEXT);
}

static void memory_read(void)
{
    load(SOME_MEMORY);
}

static void memory_write(void)
{
    store(SOME_MEMORY);
}

static void device_read(void)
{
    load(A_DEVICE);
}

static void device_write(void)
{
    store(A_DEVICE);
}

static void data_jump(void)
{
    jump((uint64_t)code_in_data);
}

static void heap_jump(void)
{
    uint32_t *code = malloc(sizeof(code_in_data));
    if (!code)
        die("malloc");
    *code = code_in_data[0];
    jump((uint64_t)code);
}

static void stack_jump(void)
{
    volatile uint32_t code = code_in_data[0];
    jump((uint64_t)&code);
}

// The addition after the call keeps the compiler from turning the recursion into a loop.
static int recurse(int depth, int end)
{
    volatile char frame[512];
    frame[depth % 512] = (char)depth;
    return depth == end ? 0 : recurse(depth + 1, end) + frame[(depth + 1) % 512];
}

static void stack_overflow(void)
{
    printf("%d\n", recurse(0, 1 << 30));
}

static void illegal(void)
{
    asm volatile(".word 0xffffffff");
}

static void privileged_read(void)
{
    asm volatile("csrr t0, sstatus" : : : "t0");
}

static void privileged_return(void)
{
    asm volatile("sret");
}

static void privileged_flush(void)
{
    asm volatile("sfence.vma");
}

static void breakpoint(void)
{
    asm volatile("ebreak");
}

static void misaligned_atomic(void)
{
    static uint64_t words[2];
    asm volatile("amoadd.w zero, zero, (%0)" : : "r"((uint64_t)words + 1) : "memory");
}

// ---- bad pointers as arguments ----

static int failures;

static void expect_fault(const char *what, uint64_t address, long result)
{
    if (result == -1 && errno == EFAULT)
        return;
    printf("crash: %s with the address 0x%lx: result %ld, error %d\n", what, address, result,
           errno);
    failures++;
}

static void pointers(void)
{
    uint64_t end = (uint64_t)sbrk(0);
    uint64_t bad[] = {KERNEL_TEXT, 0x4000000000ul, NOT_CANONICAL, end + (64 << 20),
                      0xfffffffffffffff8ul};
    int fd = open("/README", O_RDONLY), pair[2];
    if (fd < 0 || pipe(pair) < 0)
        die("/README or a pipe");
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        uint64_t a = bad[i];
        expect_fault("open", a, syscall(SYS_open, a, O_RDONLY));
        expect_fault("read", a, syscall(SYS_read, fd, a, 16));
        expect_fault("write", a, syscall(SYS_write, pair[1], a, 16));
        expect_fault("fstat", a, syscall(SYS_fstat, fd, a));
        expect_fault("pipe", a, syscall(SYS_pipe, a));
        expect_fault("exec", a, syscall(SYS_exec, a, a));
        expect_fault("exec's arguments", a, syscall(SYS_exec, "/true", a));
        expect_fault("chdir", a, syscall(SYS_chdir, a));
        expect_fault("mkdir", a, syscall(SYS_mkdir, a));
        expect_fault("unlink", a, syscall(SYS_unlink, a));
        expect_fault("link", a, syscall(SYS_link, "/README", a));
        expect_fault("mknod", a, syscall(SYS_mknod, a, DEV_NULL, 0));
        if (fork() == 0)
            exit(0);
        expect_fault("wait", a, syscall(SYS_wait, a));
        while (wait(NULL) >= 0)
            ;
    }
    // The kernel may read our own code for us, but must not write to it.
    expect_fault("read", 0, syscall(SYS_read, fd, 0, 16));
    exit(failures != 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} table[] = {
    {"null-write", null_write},
    {"text-write", text_write},
    {"unmapped-read", unmapped_read},
    {"wild-read", wild_read},
    {"kernel-read", kernel_read},
    {"kernel-write", kernel_write},
    {"kernel-jump", kernel_jump},
    {"memory-read", memory_read},
    {"memory-write", memory_write},
    {"device-read", device_read},
    {"device-write", device_write},
    {"data-jump", data_jump},
    {"heap-jump", heap_jump},
    {"stack-jump", stack_jump},
    {"stack-overflow", stack_overflow},
    {"illegal", illegal},
    {"privileged-read", privileged_read},
    {"privileged-return", privileged_return},
    {"privileged-flush", privileged_flush},
    {"breakpoint", breakpoint},
    {"misaligned-atomic", misaligned_atomic},
    {"pointers", pointers},
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        if (argc < 2) {
            printf("%s\n", table[i].name);
        } else if (strcmp(argv[1], table[i].name) == 0) {
            table[i].run();
            printf("crash: %s did no harm to this process\n", argv[1]);
            return 1;
        }
    }
    if (argc < 2)
        return 0;
    fprintf(2, "crash: unknown name %s; `crash` without a name lists them\n", argv[1]);
    return 2;
}
