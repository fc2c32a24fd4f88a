/*
 * proctab: reading /proc with bare system calls, because a signal handler may
 * be the caller: no stdio, no malloc, no opendir.
 */
#include "engine/proctab.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH_CAP = 64, STAT_CAP = 1024, ENV_CHUNK = 4096 };

struct dirent64 {
    uint64_t ino;
    int64_t off;
    unsigned short reclen;
    unsigned char type;
    char name[];
};

static char *put(char *at, const char *s)
{
    while (*s)
        *at++ = *s++;
    *at = '\0';
    return at;
}

static char *put_num(char *at, unsigned long long n)
{
    char digits[24];
    int i = 0;
    do {
        digits[i++] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    while (i)
        *at++ = digits[--i];
    *at = '\0';
    return at;
}

static int open_entry(pid_t pid, const char *name)
{
    char path[PATH_CAP];
    put(put_num(put(path, "/proc/"), (unsigned long long)pid), name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static ssize_t read_entry(pid_t pid, const char *name, char *to, size_t cap)
{
    int fd = open_entry(pid, name);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, to, cap);
    close(fd);
    return n;
}

static const char *number(const char *at, const char *end,
                          unsigned long long *out)
{
    bool minus = at < end && *at == '-';
    unsigned long long n = 0;
    at += minus;
    while (at < end && *at >= '0' && *at <= '9')
        n = n * 10 + (unsigned)(*at++ - '0');
    *out = minus ? 0 : n;
    return at < end ? at + 1 : end; // past the blank
}

bool orr_proc_read(pid_t pid, struct orr_proc *p)
{
    char text[STAT_CAP];
    ssize_t n = read_entry(pid, "/stat", text, sizeof text);
    if (n <= 0)
        return false;
    const char *end = text + n, *at = end;
    while (at > text && at[-1] != ')') // the name may hold anything
        at--;
    if (end - at < 4)
        return false;
    char state = at[1];
    unsigned long long field[20] = {0}; // ppid is field 4, starttime 22
    at += 3;
    for (int i = 0; i < 19; i++)
        at = number(at, end, &field[i]);
    *p = (struct orr_proc){.pid = pid,
                           .parent = (pid_t)field[0],
                           .group = (pid_t)field[1],
                           .session = (pid_t)field[2],
                           .start = field[18],
                           .zombie = state == 'Z' || state == 'X'};
    return true;
}

static int grow(struct orr_proctab *t)
{
    size_t cap = t->cap ? t->cap * 2 : 512;
    void *v = mmap(NULL, cap * sizeof *t->v, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (v == MAP_FAILED)
        return -1;
    if (t->v) {
        memcpy(v, t->v, t->count * sizeof *t->v);
        munmap(t->v, t->cap * sizeof *t->v);
    }
    t->v = v;
    t->cap = cap;
    return 0;
}

static int add(struct orr_proctab *t, const char *name)
{
    unsigned long long pid;
    const char *end = name + strlen(name);
    if (*name < '1' || *name > '9')
        return 0;
    number(name, end, &pid);
    if (t->count == t->cap && grow(t) < 0)
        return -1;
    if (orr_proc_read((pid_t)pid, &t->v[t->count]))
        t->count++;
    return 0;
}

int orr_proctab_read(struct orr_proctab *t)
{
    _Alignas(struct dirent64) char chunk[8192];
    *t = (struct orr_proctab){0};
    int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
    if (fd < 0)
        return -1;
    long n;
    while (rc == 0 &&
           (n = syscall(SYS_getdents64, fd, chunk, sizeof chunk)) > 0)
        for (long at = 0; at < n && rc == 0;) {
            struct dirent64 *d = (struct dirent64 *)(void *)(chunk + at);
            rc = add(t, d->name);
            at += d->reclen;
        }
    close(fd);
    return n < 0 ? -1 : rc;
}

void orr_proctab_fini(struct orr_proctab *t)
{
    if (t->v)
        munmap(t->v, t->cap * sizeof *t->v);
    *t = (struct orr_proctab){0};
}

bool orr_proc_has_env(pid_t pid, const char *entry, size_t n)
{
    char chunk[ENV_CHUNK];
    size_t matched = 0; // bytes of entry that match so far, in this variable
    bool alive = true, found = false;
    int fd = open_entry(pid, "/environ");
    if (fd < 0)
        return false;
    for (ssize_t got; !found && (got = read(fd, chunk, sizeof chunk)) > 0;)
        for (ssize_t i = 0; i < got && !found; i++) {
            char c = chunk[i];
            found = alive && matched == n && c == '\0';
            alive = c == '\0' || (alive && matched < n && c == entry[matched]);
            matched = c == '\0' ? 0 : matched + 1;
        }
    close(fd);
    return found;
}

bool orr_proc_has_pipe(pid_t pid, int fd, ino_t ino)
{
    char path[PATH_CAP], want[PATH_CAP], is[PATH_CAP];
    put_num(put(put_num(put(path, "/proc/"), (unsigned long long)pid), "/fd/"),
            (unsigned long long)fd);
    put(put_num(put(want, "pipe:["), (unsigned long long)ino), "]");
    ssize_t n = readlink(path, is, sizeof is);
    return n > 0 && (size_t)n == strlen(want) && !memcmp(is, want, (size_t)n);
}
