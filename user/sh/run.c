// Running a parsed line. The shell itself only forks and waits; each command changes the
// descriptors of its own process. For a pipeline of several commands there is one more process, the
// leader, which is the parent of all of them. This makes every job one process with its
// descendants, and these are what ^C ends.

#include "user/sh/sh.h"

int last_status;
bool on_console;
int script_fd = -1;

#define MAX_BACKGROUND 32
static int background[MAX_BACKGROUND]; // pids of the jobs started with &; 0 is a free slot

static void set_foreground(int pid)
{
    uint32_t argument = pid;
    ioctl(0, CONSOLE_SET_FOREGROUND, &argument);
}

// ---- processes ----

// fork(), with a message if it fails. The child no longer controls the console.
static int fork_command(void)
{
    int pid = fork();
    if (pid < 0)
        perror("fork");
    if (pid == 0) {
        on_console = false;
        memset(background, 0, sizeof(background));
        if (script_fd >= 0)
            close(script_fd);
        script_fd = -1;
    }
    return pid;
}

static void background_ended(int pid, int status)
{
    for (int i = 0; i < MAX_BACKGROUND; i++) {
        if (background[i] != pid)
            continue;
        background[i] = 0;
        if (on_console && status == 0)
            fprintf(2, "[%d] done\n", pid);
        else if (on_console)
            fprintf(2, "[%d] ended with status %d\n", pid, status);
    }
}

// Waits for this child. Reports background jobs that end meanwhile.
static int wait_for(int pid)
{
    int status = -1, ended;
    if (on_console)
        set_foreground(pid);
    while ((ended = wait(&status)) != pid && ended >= 0)
        background_ended(ended, status);
    if (on_console)
        set_foreground(0);
    return status;
}

void wait_for_background(void)
{
    for (int i = 0; i < MAX_BACKGROUND; i++)
        if (background[i] > 0)
            background_ended(background[i], wait_for(background[i]));
    while (wait(NULL) >= 0)
        ;
}

// ---- words ----

// Replaces each $? by the last exit status. Returns `text` itself if there is none, else new
// memory.
static char *expand(char *text)
{
    char status[16];
    int marks = 0, length = snprintf(status, sizeof(status), "%d", last_status);
    for (char *p = text; *p; p++)
        marks += *p == STATUS_MARK;
    if (marks == 0)
        return text;
    char *result = malloc(strlen(text) + marks * length + 1), *out = result;
    if (result == NULL)
        die("words");
    for (; *text; text++) {
        if (*text == STATUS_MARK) {
            strcpy(out, status);
            out += length;
        } else {
            *out++ = *text;
        }
    }
    *out = 0;
    return result;
}

static int make_arguments(const struct command *command, char *argv[MAXARG])
{
    int argc = 0;
    for (struct word *word = command->words; word; word = word->next)
        argv[argc++] = expand(word->text);
    argv[argc] = NULL;
    return argc;
}

static void free_arguments(const struct command *command, char *argv[MAXARG])
{
    int i = 0;
    for (struct word *word = command->words; word; word = word->next, i++)
        if (argv[i] != word->text)
            free(argv[i]);
}

// ---- in the command's own process ----

// Makes `target` a copy of fd and closes fd. dup() returns the lowest free descriptor, so all
// descriptors below the target must be open; false if they are not.
static bool move_descriptor(int fd, int target)
{
    if (fd == target)
        return true;
    close(target);
    int got = dup(fd);
    close(fd);
    return got == target;
}

static void apply_redirects(const struct redirect *redirect)
{
    for (; redirect; redirect = redirect->next) {
        char *path = expand(redirect->path);
        int fd = open(path, redirect->flags);
        if (fd < 0) {
            fprintf(2, "sh: %s: %s\n", path, strerror(errno));
            exit(1);
        }
        if (!move_descriptor(fd, redirect->fd)) {
            fprintf(2, "sh: descriptor %d cannot be redirected\n", redirect->fd);
            exit(1);
        }
    }
}

static void run_program(char **argv) __attribute__((noreturn));
static void run_program(char **argv)
{
    char path[MAXPATH];
    const char *program = argv[0];
    if (strchr(program, '/') == NULL) { // programs are in the root directory
        if ((size_t)snprintf(path, sizeof(path), "/%s", program) >= sizeof(path))
            program = "";
        else
            program = path;
    }
    struct stat st;
    if (argv[0][0] != 0 && program[0] != 0)
        exec(program, argv);
    else
        errno = ENOENT;
    if (errno == ENOENT) {
        fprintf(2, "sh: %s: not found\n", argv[0]);
        exit(127);
    }
    int error = errno;
    if (stat(program, &st) == 0 && st.type == T_DIR)
        error = EISDIR;
    fprintf(2, "sh: %s: %s\n", argv[0], strerror(error));
    exit(126);
}

static void run_in_child(const struct command *command) __attribute__((noreturn));
static void run_in_child(const struct command *command)
{
    apply_redirects(command->redirects);
    if (command->subshell) {
        run_list(command->subshell);
        exit(last_status);
    }
    if (command->words == NULL) // there are only redirections; opening them has created the files
        exit(0);
    char *argv[MAXARG];
    int argc = make_arguments(command, argv);
    builtin_fn *builtin = find_builtin(argv[0]);
    if (builtin)
        exit(builtin(argc, argv));
    run_program(argv);
}

// ---- pipelines ----

// Runs in the leader. Starts every command of the pipeline, waits for all of them, and exits with
// the status of the last one.
static void run_stages(const struct command *command) __attribute__((noreturn));
static void run_stages(const struct command *command)
{
    int input = -1, last_pid = -1, fds[2];
    for (; command; command = command->next) {
        if (command->next && pipe(fds) < 0) {
            perror("pipe");
            break;
        }
        int pid = fork_command();
        if (pid == 0) {
            if (input >= 0)
                move_descriptor(input, 0);
            if (command->next) {
                close(fds[0]);
                move_descriptor(fds[1], 1);
            }
            run_in_child(command);
        }
        last_pid = command->next ? -1 : pid;
        if (input >= 0)
            close(input);
        if (command->next) {
            close(fds[1]);
            input = fds[0];
        }
        if (pid < 0)
            break;
    }
    if (command && input >= 0)
        close(input);
    int status, ended, result = 1;
    while ((ended = wait(&status)) >= 0)
        if (ended == last_pid)
            result = status;
    exit(result);
}

// Runs in a process that exists only for this pipeline.
static void become_pipeline(const struct pipeline *pipeline) __attribute__((noreturn));
static void become_pipeline(const struct pipeline *pipeline)
{
    if (pipeline->commands->next)
        run_stages(pipeline->commands);
    run_in_child(pipeline->commands);
}

static int run_pipeline(const struct pipeline *pipeline)
{
    const struct command *command = pipeline->commands;
    if (!command->next && command->words && !command->redirects) {
        char *argv[MAXARG];
        int argc = make_arguments(command, argv);
        builtin_fn *builtin = find_builtin(argv[0]);
        int status = builtin ? builtin(argc, argv) : 0;
        free_arguments(command, argv);
        if (builtin)
            return status;
    }
    bool controlled = on_console;
    int pid = fork_command();
    if (pid < 0)
        return 1;
    if (pid == 0) {
        // wait_for() does this too, but ^C may come before the shell gets there.
        if (controlled)
            set_foreground(getpid());
        become_pipeline(pipeline);
    }
    return wait_for(pid);
}

static void run_chain(const struct chain *chain)
{
    for (struct pipeline *pipeline = chain->pipelines; pipeline; pipeline = pipeline->next) {
        if ((pipeline->join == IF_SUCCEEDED && last_status != 0) ||
            (pipeline->join == IF_FAILED && last_status == 0))
            continue;
        last_status = run_pipeline(pipeline);
    }
}

// The job reads from /dev/null: it must not take the shell's input.
static void run_in_background(const struct chain *chain)
{
    bool announce = on_console;
    int slot = 0;
    while (slot < MAX_BACKGROUND && background[slot] != 0)
        slot++;
    if (slot == MAX_BACKGROUND) {
        fprintf(2, "sh: too many background jobs\n");
        last_status = 1;
        return;
    }
    int pid = fork_command();
    if (pid == 0) {
        close(0);
        open("/dev/null", O_RDONLY);
        // With a single pipeline, do not fork again: `kill` needs the program's own pid.
        if (!chain->pipelines->next)
            become_pipeline(chain->pipelines);
        run_chain(chain);
        exit(last_status);
    }
    last_status = pid < 0;
    if (pid > 0) {
        background[slot] = pid;
        if (announce)
            fprintf(2, "[%d]\n", pid);
    }
}

void run_list(struct chain *list)
{
    for (; list; list = list->next) {
        if (list->background)
            run_in_background(list);
        else
            run_chain(list);
    }
}
