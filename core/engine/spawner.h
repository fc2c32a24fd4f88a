/*
 * spawner: a thread of a loop that starts children, so that the loop's own
 * thread does not stand still until each has replaced itself. Internal to
 * loop.c, spawn.c, child.c and job.c.
 *
 * An errand goes out to the thread and comes back to the loop, in order: a
 * quiet one not before the loop has another reason to look.
 */
#ifndef ORR_ENGINE_SPAWNER_H
#define ORR_ENGINE_SPAWNER_H

#include "engine/source.h"

struct orr_errand {
    struct orr_errand *next;
    bool quiet;                         /* set by 'out' */
    void (*out)(struct orr_errand *it); /* by the thread */
    /* By the loop's thread. When the loop closes 'out' may not have been. */
    void (*back)(struct orr_errand *it);
};

/* Sends 'it' out; the thread begins with the first. 0 or an errno: then it was
 * not sent. */
int orr_spawner_send(struct orr_loop *loop, struct orr_errand *it);

/* How many have been sent and are not back. */
unsigned orr_spawner_away(struct orr_loop *loop);

/* Takes back what is done. */
void orr_spawner_collect(struct orr_loop *loop);

/* Waits until one more is done and takes it back; one must be away. */
void orr_spawner_await(struct orr_loop *loop);

/* Waits until all are back: a matter of a millisecond for each. */
void orr_spawner_settle(struct orr_loop *loop);

/* Ends the thread; what it had not begun comes back as it is. */
void orr_spawner_close(struct orr_loop *loop);

#endif
