// usertests: a program that does something forbidden with memory or instructions ends with status
// -1. No other program is harmed.

#include "user/usertests/usertests.h"

// Runs `body` in a child. The kernel must end the child.
static void expect_fault_at(int line, void (*body)(uint64_t), uint64_t argument)
{
    int pid = START();
    if (pid == 0) {
        body(argument);
        exit(0);
    }
    int status;
    EXPECT(wait(&status), pid);
    if (status != -1)
        fail_at(__FILE__, line, "with 0x%lx: expected to be killed (-1), status is %d", argument,
                status);
}
#define EXPECT_FAULT(body, argument) expect_fault_at(__LINE__, body, argument)

static void load(uint64_t address)
{
    (void)*(volatile char *)address;
}

static void store(uint64_t address)
{
    *(volatile char *)address = 10;
}

static void load_word(uint64_t address)
{
    uint64_t value;
    asm volatile("ld %0, 0(%1)" : "=r"(value) : "r"(address) : "memory");
}

static void jump(uint64_t address)
{
    asm volatile("jr %0" ::"r"(address) : "memory");
}

static void fault_kernel_memory(void)
{
    static const uint64_t addresses[] = {
        0xffffffc000000000, 0xffffffc080000000, KERNEL_ADDRESS,     0xffffffc080300000,
        0xfffffff000000000, 0xfffffff000004000, 0xfffffffffffffff0, 0xffffffbfffffffff,
        0x8000000000000000, 0x4000000000,       0x3ffffffff8,       0x2000000000,
        0x80000000,         0x80200000,         0x10000000,         0x0c000000,
    };
    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
        EXPECT_FAULT(load, addresses[i]);
        EXPECT_FAULT(store, addresses[i]);
        EXPECT_FAULT(jump, addresses[i]);
    }
}

static void fault_null_write(void)
{
    EXPECT_FAULT(store, 0);
    EXPECT_FAULT(store, 8);
    // Reading address 0 is allowed: a program begins there.
    EXPECT(*(volatile char *)(uint64_t)&fault_null_write != 0, true);
}

static void fault_write_text(void)
{
    static const char constant[16] = "constant";
    EXPECT_FAULT(store, (uint64_t)&fault_write_text);
    EXPECT_FAULT(store, (uint64_t)constant);
}

// Writable memory is never executable.
static void fault_run_data(void)
{
    static uint32_t data[4] = {0x00008067}; // ret
    uint32_t on_stack[4] = {0x00008067};
    uint32_t *heap = (uint32_t *)sbrk(PAGE);
    heap[0] = 0x00008067;
    EXPECT_FAULT(jump, (uint64_t)data);
    asm volatile("" ::"r"(on_stack) : "memory");
    EXPECT_FAULT(jump, (uint64_t)on_stack);
    EXPECT_FAULT(jump, (uint64_t)heap);
    EXPECT_FAULT(jump, (uint64_t)sbrk_lazy(PAGE));
}

// Each frame uses the one before, so that the compiler cannot turn the recursion into a loop.
static int descend(int depth, volatile char *caller)
{
    volatile char frame[500];
    frame[depth % 500] = caller[0] + depth;
    return depth == 0 ? 0 : descend(depth - 1, frame) + frame[depth % 500];
}

static void overflow_stack(uint64_t depth)
{
    volatile char first = 0;
    descend(depth, &first);
}

// The page below the stack is unused. It does not belong to the data, which is below it.
static void fault_stack_guard(void)
{
    extern char end[];
    uint64_t guard = ((uint64_t)end + PAGE - 1) / PAGE * PAGE;
    EXPECT_FAULT(overflow_stack, 100000);
    EXPECT_FAULT(load, guard);
    EXPECT_FAULT(store, guard);
    EXPECT_FAULT(store, guard + PAGE - 1);
    // The page above it is the last page of the stack.
    int pid = START();
    if (pid == 0) {
        store(guard + PAGE);
        exit(0);
    }
    JOIN(pid, 0);
}

static void fault_behind_heap(void)
{
    uint64_t end = ((uint64_t)sbrk(0) + PAGE - 1) / PAGE * PAGE;
    EXPECT_FAULT(load, end);
    EXPECT_FAULT(store, end);
    EXPECT_FAULT(store, end + 100 * PAGE);
    // An access that begins in the last page and ends after it.
    EXPECT_FAULT(load_word, end - 4);
    EXPECT_FAULT(jump, end);
}

static void instruction(uint64_t which)
{
    switch (which) {
    case 0:
        asm volatile(".balign 4; .word 0");
        break;
    case 1:
        asm volatile(".balign 4; .word 0xffffffff");
        break;
    case 2:
        asm volatile("ebreak");
        break;
    case 3:
        asm volatile("csrr t0, sstatus" ::: "t0");
        break;
    case 4:
        asm volatile("csrw satp, zero");
        break;
    case 5:
        asm volatile("csrw sscratch, zero");
        break;
    case 6:
        asm volatile("sret");
        break;
    case 7:
        asm volatile("sfence.vma");
        break;
    case 8:
        asm volatile("csrr t0, mhartid" ::: "t0");
        break;
    case 9:
        asm volatile("csrw sie, zero");
        break;
    case 10:
        // fmv.d.x ft0, zero: programs cannot use floating-point registers.
        asm volatile(".balign 4; .word 0xf2000053");
        break;
    }
}

static void fault_instructions(void)
{
    for (int i = 0; i <= 10; i++)
        EXPECT_FAULT(instruction, i);
}

// A program without a valid stack pointer can make system calls. If it faults, only this program
// ends.
static void lose_stack(uint64_t sp)
{
    asm volatile("mv sp, %0\n"
                 "li a7, %1\n"
                 "ecall\n"
                 "sd zero, 0(sp)\n" ::"r"(sp),
                 "i"(SYS_getpid)
                 : "a0", "a1", "a7", "memory");
    for (;;)
        ;
}

static void fault_stack_pointer(void)
{
    static const uint64_t pointers[] = {
        0, 8, KERNEL_ADDRESS, 0xfffffff000000000, ~7ul, USER_ADDRESS_END};
    for (unsigned i = 0; i < ARRAY_SIZE(pointers); i++)
        EXPECT_FAULT(lose_stack, pointers[i]);
}

// A fault ends only its own process. The parent's memory and files are unchanged.
static void fault_harms_nobody(void)
{
    static char data[2 * 4096];
    fill_pattern(data, sizeof(data), 6);
    int fd = MAKE("f");
    EXPECT(write(fd, "x", 1), 1);
    for (int i = 0; i < 10; i++)
        EXPECT_FAULT(store, 0);
    CHECK(has_pattern(data, sizeof(data), 6));
    EXPECT(lseek(fd, 0, SEEK_CUR), 1);
}

const struct test fault_tests[] = {
    {"fault-kernel", fault_kernel_memory, false},     {"fault-null", fault_null_write, false},
    {"fault-text", fault_write_text, false},          {"fault-run-data", fault_run_data, false},
    {"fault-stack", fault_stack_guard, false},        {"fault-heap-end", fault_behind_heap, false},
    {"fault-instruction", fault_instructions, false}, {"fault-sp", fault_stack_pointer, false},
    {"fault-alone", fault_harms_nobody, false},       {0},
};
