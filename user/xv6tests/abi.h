// What an xv6-riscv user program knows about its kernel: numbers, flags, structures, prototypes.
// This file repeats xv6's interface and deliberately does not include kernel/abi.h: xv6tests checks
// whether the two agree.

#ifndef RINGFENCE_XV6TESTS_ABI_H
#define RINGFENCE_XV6TESTS_ABI_H

typedef unsigned int uint;
typedef unsigned short ushort;
typedef unsigned long uint64;

// System calls: the number is in a7, the arguments start in a0, the result is in a0. -1 is a
// failure.
#define XV6_fork 1
#define XV6_exit 2
#define XV6_wait 3
#define XV6_pipe 4
#define XV6_read 5
#define XV6_kill 6
#define XV6_exec 7
#define XV6_fstat 8
#define XV6_chdir 9
#define XV6_dup 10
#define XV6_getpid 11
#define XV6_sbrk 12
#define XV6_sleep 13 // pause in later versions
#define XV6_uptime 14
#define XV6_open 15
#define XV6_write 16
#define XV6_mknod 17
#define XV6_unlink 18
#define XV6_link 19
#define XV6_mkdir 20
#define XV6_close 21

#define O_RDONLY 0x000
#define O_WRONLY 0x001
#define O_RDWR 0x002
#define O_CREATE 0x200
#define O_TRUNC 0x400

#define T_DIR 1
#define T_FILE 2
#define T_DEVICE 3
#define CONSOLE 1 // the console's major device number

#define NOFILE 16   // open files of a process
#define MAXARG 32   // exec() takes fewer arguments than this
#define MAXPATH 128 // bytes of a path, including its zero
#define PGSIZE 4096
#define ROOTINO 1

struct stat {
    int dev;
    uint ino;
    short type;
    short nlink;
    uint64 size;
};

#define DIRSIZ 14
struct dirent {
    ushort inum;
    char name[DIRSIZ];
};

int fork(void);
int exit(int) __attribute__((noreturn));
int wait(int *);
int pipe(int *);
int write(int, const void *, int);
int read(int, void *, int);
int close(int);
int kill(int);
int exec(const char *, char **);
int open(const char *, int);
int mknod(const char *, short, short);
int unlink(const char *);
int fstat(int fd, struct stat *);
int link(const char *, const char *);
int mkdir(const char *);
int chdir(const char *);
int dup(int);
int getpid(void);
char *sbrk(int);
int sleep(int);
int uptime(void);

#endif
