/*
 * source: what the loop watches, seen from inside. Only loop.c, waker.c,
 * watch.c, spawner.c, spawn.c, child.c and job.c include this.
 *
 * A source sits in a slot of the loop; its id is the slot and how often the
 * slot was used. epoll carries the same number, with the part of the source in
 * the top bits, so an event for something that is over finds nobody:
 *
 *     63    61 60          32 31            0
 *    +--------+--------------+---------------+
 *    |  part  |  generation  |     slot      |
 *    +--------+--------------+---------------+
 */
#ifndef ORR_ENGINE_SOURCE_H
#define ORR_ENGINE_SOURCE_H

#include <uv.h>

#include "engine/loop.h"

struct orr_source;

struct orr_source_ops {
    /* A watched fd of the source is ready; 'part' tells which. May be NULL. */
    void (*ready)(struct orr_source *s, unsigned part, uint32_t events);
    /* Release everything, the slot too: the loop closes, or forget. */
    void (*end)(struct orr_source *s);
    bool forgets; /* orr_loop_forget applies */
};

struct orr_source {
    const struct orr_source_ops *ops;
    struct orr_loop *loop;
    int64_t id;
};

/* Gives 's' a slot and an id. The caller owns the memory and calls drop. */
void orr_source_add(struct orr_loop *loop, struct orr_source *s,
                    const struct orr_source_ops *ops);
void orr_source_drop(struct orr_source *s);

/* A hidden source does not count as something to wait for. */
void orr_source_hide(struct orr_source *s);
void orr_source_show(struct orr_source *s);

/* The living source with that id, or NULL. */
struct orr_source *orr_source_find(struct orr_loop *loop, int64_t id);

/* Walks the living sources: start with *at = 0; NULL at the end. */
struct orr_source *orr_source_walk(struct orr_loop *loop, size_t *at);

/* Watches 'fd' for epoll 'events' as 'part' (0–7) of s. 0 or an errno. */
int orr_source_watch(struct orr_source *s, unsigned part, int fd,
                     uint32_t events);

/* Must precede the close of a watched fd: a child that is between fork and exec
 * holds a copy, which would keep epoll reporting it. */
void orr_source_unwatch(struct orr_source *s, int fd);

/* Queues an event; the pointer is good until the next push. */
struct orr_event *orr_loop_push(struct orr_loop *loop, enum orr_event_kind kind,
                                int64_t id);

/* Scratch memory for reads: 64 KiB, contents lost at the next read. */
unsigned char *orr_loop_scratch(struct orr_loop *loop);
enum { ORR_LOOP_SCRATCH = 65536 };

/* /dev/null, open for reading and writing. */
int orr_loop_null(struct orr_loop *loop);

uv_loop_t *orr_loop_uv(struct orr_loop *loop);

/* The process's job control handling, made on first use; see job.h. */
struct orr_job **orr_loop_job(struct orr_loop *loop);

/* The thread that starts children, NULL until one is needed; see spawner.h. */
struct orr_spawner;
struct orr_spawner **orr_loop_spawner(struct orr_loop *loop);

/* True when somebody subscribed to the signal with orr_loop_signal. */
bool orr_signal_taken(struct orr_loop *loop, int signum);

/* A callback timer inside the engine. Free stops it; NULL is fine. */
struct orr_alarm;
struct orr_alarm *orr_alarm_new(struct orr_loop *loop, void (*ring)(void *),
                                void *arg);
void orr_alarm_set(struct orr_alarm *a, double seconds);
void orr_alarm_free(struct orr_alarm *a);

#endif
