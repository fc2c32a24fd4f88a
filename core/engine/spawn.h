/*
 * spawn: child processes of a loop. A child is the leader of its own process
 * group; its end, with what it wrote and used, is one event { EXIT } of the
 * loop, and no event of that id follows.
 *
 * A step is over when its leader exited and its output pipes reached their end.
 * A background process that keeps a pipe open is waited for 'grace' seconds;
 * then the rest of the tree (tree.h) is ended, and 'left' says how many those
 * were. The leader is reaped last, so its pid cannot be reused meanwhile.
 *
 * The process becomes a child subreaper with its first child: whatever a step
 * orphans stays below it. Orphans that ended are reaped by the loop.
 */
#ifndef ORR_ENGINE_SPAWN_H
#define ORR_ENGINE_SPAWN_H

#include <sys/types.h>

#include "engine/loop.h"

enum orr_stdin { ORR_STDIN_NULL, ORR_STDIN_BYTES, ORR_STDIN_INHERIT };
enum orr_output { ORR_OUTPUT_CAPTURE, ORR_OUTPUT_INHERIT, ORR_OUTPUT_MERGE };

#define ORR_SPAWN_LIMIT ((size_t)64 << 20) /* bytes kept of a stream */

struct orr_spec {
    const char *const *argv; /* NULL-terminated, at least one word */
    const char *file;        /* the program, already found; NULL: look it up */
    const char *const *env;  /* "K=V", NULL-terminated; NULL: inherit */
    const char *cwd;         /* NULL: here */
    enum orr_stdin input;
    const void *bytes; /* BYTES: what the child reads */
    size_t size;
    enum orr_output output; /* MERGE: stderr joins stdout, in order */
    bool live;              /* also events { OUTPUT } as it comes */
    bool tty;               /* the terminal's foreground group meanwhile */
    double timeout;         /* seconds; <= 0: none */
    double grace;           /* seconds between TERM and KILL */
    const char *tag;        /* ORRERY_STEP of the child; NULL: none */
    size_t limit;           /* bytes kept of each stream; more is dropped */
};

/* Starts a child and waits until it runs. The program is looked up on the PATH
 * of spec->env when there is one, else on ours. Borrows everything. 0, or with
 * a message for people: ORR_ENOENT (no such program or directory), ORR_ESYS
 * (EACCES, E2BIG …). */
int orr_spawn(struct orr_loop *loop, const struct orr_spec *spec, int64_t *id,
              pid_t *pid, struct orr_err *e);

/* The same, without waiting: a thread of the loop starts it. Copies what it
 * needs. What can be known at once is still said at once; a start that fails
 * later is an event { EXIT } with its error. Not for tty. */
int orr_spawn_apart(struct orr_loop *loop, const struct orr_spec *spec,
                    int64_t *id, struct orr_err *e);

/* Ends the child's whole tree: 'sig', after 'grace' seconds (negative: the
 * spec's) KILL. Unknown ids and second calls are fine; a later call may shorten
 * the grace. */
void orr_child_kill(struct orr_loop *loop, int64_t id, int sig, double grace);

#endif
