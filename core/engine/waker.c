/*
 * waker: an eventfd with two halves. The owners' half may be used by any
 * thread; the loop's half is a source. Whichever goes last closes the eventfd.
 *
 * The eventfd is watched edge-triggered and never read: each write is an edge,
 * and its counter takes longer to overflow than the machine lasts. 'pending'
 * folds notifications between two waits into one write.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "engine/source.h"

struct orr_waker {
    int fd;
    int64_t id;           /* the caller's */
    atomic_int owners;    /* shares given out */
    atomic_int halves;    /* owners together, and the loop */
    atomic_bool pending;  /* notified since the loop last looked */
    atomic_bool orphaned; /* no owner is left */
};

struct source {
    struct orr_source src;
    struct orr_waker *w;
};

static void ring(struct orr_waker *w)
{
    uint64_t one = 1;
    ssize_t n = write(w->fd, &one, sizeof one);
    (void)n; // an eventfd only refuses when its counter is full
}

static void half_drop(struct orr_waker *w)
{
    if (atomic_fetch_sub(&w->halves, 1) == 1) {
        close(w->fd);
        free(w);
    }
}

static void source_end(struct orr_source *s)
{
    struct source *me = (struct source *)s;
    orr_source_unwatch(s, me->w->fd);
    orr_source_drop(s);
    half_drop(me->w);
    free(me);
}

static void source_ready(struct orr_source *s, unsigned part, uint32_t events)
{
    (void)part;
    (void)events;
    struct orr_waker *w = ((struct source *)s)->w;
    bool orphaned = atomic_load(&w->orphaned);
    // Cleared before the event is seen: a later notify rings again.
    if (atomic_exchange(&w->pending, false))
        orr_loop_push(s->loop, ORR_EVENT_WAKE, w->id);
    if (orphaned)
        source_end(s);
}

static const struct orr_source_ops waker_ops = {source_ready, source_end,
                                                false};

int orr_loop_waker(struct orr_loop *loop, int64_t id, struct orr_waker **out,
                   struct orr_err *e)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return orr_err_errno(e, errno, "waker");
    struct orr_waker *w = orr_xalloc(sizeof *w);
    struct source *me = orr_xalloc(sizeof *me);
    w->fd = fd;
    w->id = id;
    atomic_init(&w->owners, 1);
    atomic_init(&w->halves, 2);
    me->w = w;
    orr_source_add(loop, &me->src, &waker_ops);
    int sys = orr_source_watch(&me->src, 0, fd, EPOLLIN | EPOLLET);
    if (sys) {
        source_end(&me->src);
        half_drop(w);
        return orr_err_errno(e, sys, "waker");
    }
    *out = w;
    return 0;
}

void orr_waker_notify(struct orr_waker *w)
{
    if (!atomic_exchange(&w->pending, true))
        ring(w);
}

struct orr_waker *orr_waker_ref(struct orr_waker *w)
{
    atomic_fetch_add(&w->owners, 1);
    return w;
}

void orr_waker_free(struct orr_waker *w)
{
    if (!w || atomic_fetch_sub(&w->owners, 1) != 1)
        return;
    atomic_store(&w->orphaned, true);
    ring(w); // the loop drops its half
    half_drop(w);
}
