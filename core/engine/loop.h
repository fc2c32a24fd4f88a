/*
 * loop: the one blocking wait of the program. Timers, signals, readable file
 * descriptors, directory changes, wake-ups from other threads and the lives of
 * child processes (spawn.h) all end as events in one list.
 *
 * Ownership: the loop owns its sources and the events it hands out. Ids are
 * never used twice in a loop's life, so an id that is over is simply unknown.
 * Threads: everything belongs to the thread that opened the loop, except
 * orr_waker_notify and orr_waker_free, which any thread may call.
 */
#ifndef ORR_ENGINE_LOOP_H
#define ORR_ENGINE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct orr_loop;
struct orr_waker;

enum orr_event_kind {
    ORR_EVENT_TIMER,
    ORR_EVENT_SIGNAL,
    ORR_EVENT_READABLE,
    ORR_EVENT_CHANGE,
    ORR_EVENT_WAKE,
    ORR_EVENT_OUTPUT,
    ORR_EVENT_EXIT
};

/* What became of a child; see spawn.h. */
struct orr_exit {
    int code;       /* exit status, 128 + n when ended by signal n */
    int signal;     /* 0 when it exited by itself */
    bool timed_out; /* its deadline passed */
    bool killed;    /* ended by orr_child_kill */
    bool truncated; /* output beyond the limit was dropped */
    unsigned left;  /* processes it left running and that were ended */
    double cpu;     /* seconds, user and system, with reaped descendants */
    double wall;    /* seconds from start to the end of the step */
    int64_t rss;    /* peak resident bytes of its biggest process */
    struct orr_buf out[2]; /* stdout, stderr */
    struct orr_err *error; /* owned; it could not be started. NULL: it was */
};

struct orr_event {
    enum orr_event_kind kind;
    int64_t id;
    int stream;            /* OUTPUT: 1 stdout, 2 stderr */
    const char *name;      /* SIGNAL: "INT" …, static */
    struct orr_buf text;   /* OUTPUT: the bytes; CHANGE: the entry's name */
    struct orr_exit *exit; /* EXIT */
};

/* Returns an owned loop; free with orr_loop_close. 0, ORR_ESYS. */
int orr_loop_open(struct orr_loop **out, struct orr_err *e);

/* Frees the loop. Children still running are killed, tree and all, and waited
 * for. Wakers held elsewhere stay safe to notify. NULL is fine. */
void orr_loop_close(struct orr_loop *loop);

/* Blocks until something happened or 'timeout' seconds passed (negative: no
 * limit; a loop with nothing to wait for returns at once then). Lends the
 * events, in order of occurrence, until the next wait or close. 0 or ORR_ESYS.
 */
int orr_loop_wait(struct orr_loop *loop, double timeout,
                  const struct orr_event **events, size_t *n,
                  struct orr_err *e);

/* One shot. Returns the id. */
int64_t orr_loop_timer(struct orr_loop *loop, double seconds);

/* Every delivery of "INT", "TERM", "HUP", "WINCH", "TSTP", "CONT". A signal
 * that the process was started with as ignored (nohup, background jobs of
 * scripts) stays ignored. One sent to warden and engine both is one event.
 * 0, ORR_EINVAL for another name, ORR_ESYS. */
int orr_loop_signal(struct orr_loop *loop, const char *name, int64_t *id,
                    struct orr_err *e);

/* Stops the children and this process, as ^Z does; returns when it was
 * continued, with the children continued and their deadlines moved. Without a
 * subscription to "TSTP" the loop does this by itself on ^Z; with one, the
 * subscriber calls it after leaving the terminal tidy. */
void orr_loop_suspend(struct orr_loop *loop);

/* One shot: 'fd' has something to read, or its end. Borrows fd: forget the id
 * before closing it. 0 or ORR_ESYS. */
int orr_loop_readable(struct orr_loop *loop, int fd, int64_t *id,
                      struct orr_err *e);

/* The same for room to write; a connection that was begun is then made, or has
 * failed. The event is READABLE's. 0 or ORR_ESYS. */
int orr_loop_writable(struct orr_loop *loop, int fd, int64_t *id,
                      struct orr_err *e);

/* Changes of a directory's entries (not below them). 0, ORR_ENOENT, ORR_ESYS.
 */
int orr_loop_watch(struct orr_loop *loop, const char *dir, int64_t *id,
                   struct orr_err *e);

/* Ends a timer, signal, readable or watch; its queued events are dropped too.
 * Unknown ids are fine; children are not touched. */
void orr_loop_forget(struct orr_loop *loop, int64_t id);

/* A wake-up that makes event { WAKE, id }; 'id' is the caller's own number.
 * Returns an owned waker; free with orr_waker_free, before or after the loop.
 * 0 or ORR_ESYS. */
int orr_loop_waker(struct orr_loop *loop, int64_t id, struct orr_waker **out,
                   struct orr_err *e);

/* Wakes the loop. Any thread, any time until orr_waker_free; never blocks.
 * Notifications between two waits are one event; none is lost. */
void orr_waker_notify(struct orr_waker *w);

/* A second owner for the same waker. Returns w. */
struct orr_waker *orr_waker_ref(struct orr_waker *w);

/* Gives an owner's share back. A notification made before still arrives. NULL
 * is fine. */
void orr_waker_free(struct orr_waker *w);

#endif
