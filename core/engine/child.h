/*
 * child: the life of a process that spawn.c started. Internal to spawn.c,
 * child.c and job.c; spawn.h is the contract.
 */
#ifndef ORR_ENGINE_CHILD_H
#define ORR_ENGINE_CHILD_H

#include <termios.h>

#include "engine/source.h"
#include "engine/spawn.h"
#include "engine/tree.h"

enum orr_child_phase {
    ORR_CHILD_RUNS,   /* leader alive, nothing asked */
    ORR_CHILD_LINGER, /* leader gone, a pipe still open */
    ORR_CHILD_ENDS,   /* the tree was signalled */
    ORR_CHILD_DIES    /* the tree was sent KILL */
};

struct orr_child {
    struct orr_source src;
    struct orr_exit *exit; /* owned until the event takes it */
    struct orr_tree tree;
    struct orr_alarm *alarm; /* NULL until one is needed */
    enum orr_child_phase phase;
    pid_t pid; /* 0 while it is being started by the spawner */
    int pidfd;
    int out[2]; /* read ends; -1: none, or at its end */
    bool exited, live;
    size_t limit;
    double grace;
    uint64_t started, end_by, kill_by, give_up; /* monotonic ns; 0: none */
    unsigned looks;                             /* at the tree while it ends */
    char *tag;                                  /* owned */
    int tty;              /* the terminal; -1: not a tty step, or none there */
    struct termios modes; /* of the terminal before this child */
};

/* Makes a child known to the loop before it runs: it gets its id. The caller
 * drops the source when it will not run. */
void orr_child_announce(struct orr_loop *loop, struct orr_child *c);

/* Has the loop watch a process and the pipes in c->out; by any thread. 0, or an
 * errno after which the caller still owns the process. */
int orr_child_watch(struct orr_child *c, int pidfd);

/* Takes over a watched process whose fds, pid and times are filled in. */
void orr_child_adopt(struct orr_child *c);

/* The child behind a source, or NULL when it is something else. */
struct orr_child *orr_child_of(struct orr_source *s);

/* Sleeping does not count: moves the deadlines by 'ns'. */
void orr_child_postpone(struct orr_child *c, uint64_t ns);

#endif
