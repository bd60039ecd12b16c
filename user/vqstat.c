// vqstat: prints the counters of every virtqueue, one column for each queue.
//
//   vqstat                 counts since boot
//   vqstat -d SECONDS      counts during that time
//   vqstat -d COMMAND...   counts while the command runs

#include "user/lib/user.h"

#define MAX_QUEUES 16
#define QUEUES_PER_TABLE 4

struct sample {
    int count;
    struct vqstat queue[MAX_QUEUES];
};

static const struct {
    const char *name;
    size_t offset;
} counters[] = {
    {"chains added", offsetof(struct vqstat, adds)},
    {"completions", offsetof(struct vqstat, completions)},
    {"bytes from the device", offsetof(struct vqstat, bytes)},
    {"kicks", offsetof(struct vqstat, kicks)},
    {"kicks saved", offsetof(struct vqstat, kicks_saved)},
    {"polls", offsetof(struct vqstat, polls)},
    {"  of them in vain", offsetof(struct vqstat, spins)},
    {"fences", offsetof(struct vqstat, fences)},
    {"interrupts", offsetof(struct vqstat, interrupts)},
    {"sleeps", offsetof(struct vqstat, sleeps)},
    {"protocol errors", offsetof(struct vqstat, errors)},
};

static uint64_t counter(const struct vqstat *queue, size_t offset)
{
    return *(const uint64_t *)((const char *)queue + offset);
}

static void take(struct sample *sample)
{
    int fd = open("/dev/vqstat", O_RDONLY);
    int n = fd < 0 ? -1 : read(fd, sample->queue, sizeof(sample->queue));
    if (n < 0)
        die("/dev/vqstat");
    close(fd);
    sample->count = n / sizeof(sample->queue[0]);
}

// A queue that is not in `before` started at 0.
static void subtract(struct sample *after, const struct sample *before)
{
    for (int i = 0; i < after->count && i < before->count; i++) {
        for (size_t c = 0; c < ARRAY_SIZE(counters); c++) {
            uint64_t *value = (uint64_t *)((char *)&after->queue[i] + counters[c].offset);
            *value -= counter(&before->queue[i], counters[c].offset);
        }
    }
}

static void print_per_completion(const char *name, const struct vqstat *queue, int count,
                                 size_t offset)
{
    printf("%-22s", name);
    for (int i = 0; i < count; i++) {
        uint64_t done = queue[i].completions, n = counter(&queue[i], offset);
        if (done == 0)
            printf(" %13s", "-");
        else
            printf(" %10lu.%02lu", n / done, n % done * 100 / done);
    }
    printf("\n");
}

static void print_table(const struct vqstat *queue, int count)
{
    printf("%-22s", "queue");
    for (int i = 0; i < count; i++)
        printf(" %13s", queue[i].name);
    printf("\n%-22s", "descriptors");
    for (int i = 0; i < count; i++)
        printf(" %13u", queue[i].size);
    printf("\n%-22s", "in flight now");
    for (int i = 0; i < count; i++)
        printf(" %13u", queue[i].in_flight);
    printf("\n");
    for (size_t c = 0; c < ARRAY_SIZE(counters); c++) {
        printf("%-22s", counters[c].name);
        for (int i = 0; i < count; i++)
            printf(" %13lu", counter(&queue[i], counters[c].offset));
        printf("\n");
    }
    print_per_completion("polls/completion", queue, count, offsetof(struct vqstat, polls));
    print_per_completion("fences/completion", queue, count, offsetof(struct vqstat, fences));
}

// Waits for the given time, or runs the given command.
static void spend(char **arguments)
{
    uint64_t seconds;
    if (arguments[1] == NULL && parse_number(arguments[0], &seconds)) {
        nanosleep(seconds * 1000000000);
        return;
    }
    int pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        char path[MAXPATH];
        snprintf(path, sizeof(path), "%s%s", strchr(arguments[0], '/') ? "" : "/", arguments[0]);
        exec(path, arguments);
        die(arguments[0]);
    }
    wait(NULL);
}

int main(int argc, char *argv[])
{
    static struct sample before, after;
    if (argc == 2 || (argc > 1 && strcmp(argv[1], "-d") != 0))
        usage("vqstat [-d SECONDS | -d COMMAND...]");
    if (argc > 2) {
        take(&before);
        spend(argv + 2);
    }
    take(&after);
    subtract(&after, &before);
    if (after.count == 0)
        printf("no virtqueue is in use\n");
    for (int i = 0; i < after.count; i += QUEUES_PER_TABLE) {
        int left = after.count - i;
        if (i > 0)
            printf("\n");
        print_table(after.queue + i, left < QUEUES_PER_TABLE ? left : QUEUES_PER_TABLE);
    }
    return 0;
}
