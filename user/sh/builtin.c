// The built-in commands: they change or print what only the shell's own process has.

#include "user/sh/sh.h"

static int run_cd(int argc, char **argv)
{
    if (argc > 2) {
        fprintf(2, "usage: cd [DIRECTORY]\n");
        return 2;
    }
    const char *path = argc == 2 ? argv[1] : "/";
    if (chdir(path) == 0)
        return 0;
    fprintf(2, "sh: cd: %s: %s\n", path, strerror(errno));
    return 1;
}

static int run_exit(int argc, char **argv)
{
    int status = argc > 1 ? atoi(argv[1]) : last_status;
    exit(status);
}

static int run_history(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    print_history();
    return 0;
}

static int run_wait(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    wait_for_background();
    return 0;
}

builtin_fn *find_builtin(const char *name)
{
    static const struct {
        const char *name;
        builtin_fn *run;
    } builtins[] = {
        {"cd", run_cd}, {"exit", run_exit}, {"history", run_history}, {"wait", run_wait}};
    for (size_t i = 0; i < ARRAY_SIZE(builtins); i++)
        if (strcmp(name, builtins[i].name) == 0)
            return builtins[i].run;
    return NULL;
}
