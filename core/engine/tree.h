/*
 * tree: finding and signalling everything a process started.
 *
 * A step's tree is its leader, the leader's process group, every process whose
 * environment says ORRERY_STEP=<tag>, whoever holds the step's output pipe as
 * its standard output or error, and all descendants, groups and sessions of
 * these. What was once seen stays in the tree, so a process that is orphaned
 * between two looks is not lost.
 *
 * Nothing here allocates through malloc or takes a lock: everything may be
 * called from a signal handler.
 */
#ifndef ORR_ENGINE_TREE_H
#define ORR_ENGINE_TREE_H

#include <stddef.h>
#include <sys/types.h>

struct orr_seen {
    pid_t pid;
    unsigned long long start; /* tells a reused pid apart */
};

struct orr_tree {
    pid_t leader;    /* not yet reaped while the tree is being ended */
    const char *tag; /* borrowed; NULL: none */
    ino_t pipes[2];  /* inodes of the output pipes; 0: none */
    struct orr_seen *seen;
    size_t count, cap;
    int sent;       /* the last signal */
    unsigned ended; /* distinct processes signalled, without the leader */
};

/* Sends 'sig' (0: none) to every living process of the tree; one that was
 * stopped is continued, so that it can act on it. The same signal again goes
 * only to processes that were not there before, except KILL. Returns how many
 * live, the leader included, or -1 when /proc cannot be read. */
int orr_tree_signal(struct orr_tree *t, int sig);

/* Frees what signal remembered. */
void orr_tree_fini(struct orr_tree *t);

/* Sends 'sig' to every living descendant of 'root', not to root itself. Returns
 * how many there are, or -1 when /proc cannot be read. */
int orr_tree_sweep(pid_t root, int sig);

/* Sweeps with TERM, then, when 'grace' seconds passed, with KILL, until nothing
 * lives below 'root' or two more seconds passed. Blocks. */
void orr_tree_end_below(pid_t root, double grace);

#endif
