/*
 * proctab: a look at /proc: who runs, whose child, group and session. Safe in
 * signal handlers; memory comes from mmap.
 */
#ifndef ORR_ENGINE_PROCTAB_H
#define ORR_ENGINE_PROCTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct orr_proc {
    pid_t pid, parent, group, session;
    unsigned long long start; /* clock ticks since boot */
    bool zombie;
    bool member; /* these two are for the caller's use */
    bool spared;
};

struct orr_proctab {
    struct orr_proc *v; /* owned; by ascending pid as /proc lists them */
    size_t count, cap;
};

/* Fills the table; 0 or -1. Free with fini in either case. */
int orr_proctab_read(struct orr_proctab *t);
void orr_proctab_fini(struct orr_proctab *t);

/* One process; false when it is gone. */
bool orr_proc_read(pid_t pid, struct orr_proc *p);

/* True when the environment of 'pid' holds exactly NAME=value as 'entry'. */
bool orr_proc_has_env(pid_t pid, const char *entry, size_t n);

/* True when fd 'fd' of 'pid' is the pipe with inode 'ino'. */
bool orr_proc_has_pipe(pid_t pid, int fd, ino_t ino);

#endif
