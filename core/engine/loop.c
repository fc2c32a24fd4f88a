/*
 * loop: slots, one epoll, one list of events.
 *
 * Child pipes, pidfds and wakers sit in our own epoll, which costs one system
 * call to enter and one to leave; libuv's poll handles take five each. libuv's
 * loop (timers, signals, inotify) is one member of that epoll, embedded as its
 * documentation describes: wait on its backend fd, then let it run without
 * blocking. What a source is, its own file knows.
 */
#include "engine/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "engine/job.h"
#include "engine/source.h"
#include "engine/spawner.h"

enum { BATCH = 64, PART_SHIFT = 61 };
#define GEN_MAX 0x1fffffffu
#define ID_MASK ((UINT64_C(1) << PART_SHIFT) - 1)
#define UV_TOKEN UINT64_MAX

struct slot {
    struct orr_source *s; /* NULL while free */
    uint32_t gen;
    uint32_t next; /* free list: index + 1, 0 ends it */
};

struct orr_loop {
    int ep, null;
    uv_loop_t uv;
    bool uv_open;
    struct slot *slots;
    uint32_t slot_count, slot_cap, free_head;
    size_t sources; /* living */
    struct orr_event *events;
    size_t count, cap, given; /* the first 'given' were handed out */
    struct orr_job *job;
    struct orr_spawner *spawner;
    unsigned char
        *scratch; /* owned; not cleared: most of it is never touched */
};

/* --- slots ----------------------------------------------------------------*/

static uint32_t slot_take(struct orr_loop *loop)
{
    if (loop->free_head) {
        uint32_t i = loop->free_head - 1;
        loop->free_head = loop->slots[i].next;
        return i;
    }
    if (loop->slot_count == loop->slot_cap) {
        uint32_t cap = loop->slot_cap ? loop->slot_cap * 2 : 16;
        struct slot *v = realloc(loop->slots, cap * sizeof *v);
        if (!v)
            abort();
        loop->slots = v;
        loop->slot_cap = cap;
    }
    loop->slots[loop->slot_count] = (struct slot){.gen = 0};
    return loop->slot_count++;
}

void orr_source_add(struct orr_loop *loop, struct orr_source *s,
                    const struct orr_source_ops *ops)
{
    uint32_t i = slot_take(loop);
    struct slot *slot = &loop->slots[i];
    slot->gen = slot->gen == GEN_MAX ? 1 : slot->gen + 1;
    slot->s = s;
    s->ops = ops;
    s->loop = loop;
    s->id = (int64_t)((uint64_t)slot->gen << 32 | i);
    loop->sources++;
}

void orr_source_drop(struct orr_source *s)
{
    uint32_t i = (uint32_t)s->id;
    struct slot *slot = &s->loop->slots[i];
    slot->s = NULL;
    slot->next = s->loop->free_head;
    s->loop->free_head = i + 1;
    s->loop->sources--;
}

void orr_source_hide(struct orr_source *s)
{
    s->loop->sources--;
}

void orr_source_show(struct orr_source *s)
{
    s->loop->sources++;
}

struct orr_source *orr_source_find(struct orr_loop *loop, int64_t id)
{
    uint32_t i = (uint32_t)id;
    if (id < 0 || i >= loop->slot_count)
        return NULL;
    struct orr_source *s = loop->slots[i].s;
    return s && s->id == id ? s : NULL;
}

struct orr_source *orr_source_walk(struct orr_loop *loop, size_t *at)
{
    while (*at < loop->slot_count) {
        struct orr_source *s = loop->slots[(*at)++].s;
        if (s)
            return s;
    }
    return NULL;
}

int orr_source_watch(struct orr_source *s, unsigned part, int fd,
                     uint32_t events)
{
    struct epoll_event ev = {.events = events};
    ev.data.u64 = (uint64_t)part << PART_SHIFT | (uint64_t)s->id;
    return epoll_ctl(s->loop->ep, EPOLL_CTL_ADD, fd, &ev) < 0 ? errno : 0;
}

void orr_source_unwatch(struct orr_source *s, int fd)
{
    epoll_ctl(s->loop->ep, EPOLL_CTL_DEL, fd, NULL);
}

/* --- events ---------------------------------------------------------------*/

struct orr_event *orr_loop_push(struct orr_loop *loop, enum orr_event_kind kind,
                                int64_t id)
{
    if (loop->count == loop->cap) {
        size_t cap = loop->cap ? loop->cap * 2 : 16;
        struct orr_event *v = realloc(loop->events, cap * sizeof *v);
        if (!v)
            abort();
        loop->events = v;
        loop->cap = cap;
    }
    struct orr_event *ev = &loop->events[loop->count++];
    *ev = (struct orr_event){.kind = kind, .id = id};
    return ev;
}

static void event_fini(struct orr_event *ev)
{
    orr_buf_fini(&ev->text);
    if (ev->exit) {
        orr_buf_fini(&ev->exit->out[0]);
        orr_buf_fini(&ev->exit->out[1]);
        free(ev->exit->error);
        free(ev->exit);
    }
}

static void drop_given(struct orr_loop *loop)
{
    for (size_t i = 0; i < loop->given; i++)
        event_fini(&loop->events[i]);
    loop->count -= loop->given;
    if (loop->count)
        memmove(loop->events, loop->events + loop->given,
                loop->count * sizeof *loop->events);
    loop->given = 0;
}

/* Events already queued for an id that was forgotten must not arrive; those of
 * the list that is lent out stay where they are. Wakes carry foreign ids. */
static void unqueue(struct orr_loop *loop, int64_t id)
{
    size_t keep = loop->given;
    for (size_t i = keep; i < loop->count; i++) {
        struct orr_event *ev = &loop->events[i];
        if (ev->id == id && ev->kind != ORR_EVENT_WAKE)
            event_fini(ev);
        else
            loop->events[keep++] = *ev;
    }
    loop->count = keep;
}

void orr_loop_forget(struct orr_loop *loop, int64_t id)
{
    struct orr_source *s = orr_source_find(loop, id);
    if (s && s->ops->forgets)
        s->ops->end(s);
    else if (s)
        return;
    unqueue(loop, id);
}

/* --- the wait -------------------------------------------------------------*/

/* Milliseconds until libuv wants to run; -1: it has nothing to run for. */
static int uv_due(struct orr_loop *loop)
{
    if (!uv_loop_alive(&loop->uv))
        return -1;
    uv_update_time(&loop->uv);
    return uv_backend_timeout(&loop->uv);
}

/* Rounded up, or a wait would spin through its last millisecond. */
static int ms_left(uint64_t until)
{
    uint64_t now = orr_clock_mono();
    if (now >= until)
        return 0;
    uint64_t ms = (until - now + 999999) / 1000000;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int sooner(int a, int b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

static void dispatch(struct orr_loop *loop, const struct epoll_event *ev)
{
    int64_t id = (int64_t)(ev->data.u64 & ID_MASK);
    struct orr_source *s = orr_source_find(loop, id);
    if (s)
        s->ops->ready(s, (unsigned)(ev->data.u64 >> PART_SHIFT), ev->events);
}

/* One round: blocks up to 'ms', then lets everyone that is ready act. */
static int poll_once(struct orr_loop *loop, int ms, struct orr_err *e)
{
    struct epoll_event ready[BATCH];
    int due = uv_due(loop);
    if (due == 0) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        due = loop->count ? 0 : uv_due(loop);
    }
    int n = epoll_wait(loop->ep, ready, BATCH, sooner(ms, due));
    if (n < 0 && errno != EINTR)
        return orr_err_errno(e, errno, "waiting for events");
    bool uv_ready = false;
    for (int i = 0; i < n; i++) {
        if (ready[i].data.u64 == UV_TOKEN)
            uv_ready = true;
        else
            dispatch(loop, &ready[i]);
    }
    if (uv_ready || (due >= 0 && uv_due(loop) == 0))
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    return 0;
}

int orr_loop_wait(struct orr_loop *loop, double timeout,
                  const struct orr_event **events, size_t *n, struct orr_err *e)
{
    drop_given(loop);
    uint64_t until = UINT64_MAX;
    if (timeout >= 0 && timeout < 1e9)
        until = orr_clock_mono() + (uint64_t)(timeout * 1e9);
    for (;;) {
        int ms = -1;
        if (loop->count)
            ms = 0;
        else if (until != UINT64_MAX)
            ms = ms_left(until);
        else if (!loop->sources)
            break;
        int rc = poll_once(loop, ms, e);
        if (rc < 0)
            return rc;
        if (loop->count || ms == 0)
            break;
    }
    loop->given = loop->count;
    *events = loop->events;
    *n = loop->count;
    return 0;
}

/* --- life -----------------------------------------------------------------*/

unsigned char *orr_loop_scratch(struct orr_loop *loop)
{
    return loop->scratch;
}

int orr_loop_null(struct orr_loop *loop)
{
    return loop->null;
}

uv_loop_t *orr_loop_uv(struct orr_loop *loop)
{
    return &loop->uv;
}

struct orr_job **orr_loop_job(struct orr_loop *loop)
{
    return &loop->job;
}

struct orr_spawner **orr_loop_spawner(struct orr_loop *loop)
{
    return &loop->spawner;
}

static int embed_uv(struct orr_loop *loop, struct orr_err *e)
{
    int rc = uv_loop_init(&loop->uv);
    if (rc < 0)
        return orr_err_errno(e, -rc, "event loop");
    loop->uv_open = true;
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = UV_TOKEN};
    if (epoll_ctl(loop->ep, EPOLL_CTL_ADD, uv_backend_fd(&loop->uv), &ev) < 0)
        return orr_err_errno(e, errno, "event loop");
    return 0;
}

int orr_loop_open(struct orr_loop **out, struct orr_err *e)
{
    struct orr_loop *loop = orr_xalloc(sizeof *loop);
    if (!(loop->scratch = malloc(ORR_LOOP_SCRATCH)))
        abort();
    loop->null = -1;
    loop->ep = epoll_create1(EPOLL_CLOEXEC);
    int rc = loop->ep < 0 ? orr_err_errno(e, errno, "event loop") : 0;
    if (rc == 0)
        rc = embed_uv(loop, e);
    if (rc == 0 && (loop->null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
        rc = orr_err_errno(e, errno, "/dev/null");
    if (rc < 0)
        orr_loop_close(loop);
    else
        *out = loop;
    return rc;
}

void orr_loop_close(struct orr_loop *loop)
{
    if (!loop)
        return;
    size_t at = 0;
    orr_spawner_close(loop);
    for (struct orr_source *s; (s = orr_source_walk(loop, &at));)
        s->ops->end(s);
    orr_job_free(loop->job);
    if (loop->uv_open) {
        while (uv_run(&loop->uv, UV_RUN_NOWAIT)) {
        }
        uv_loop_close(&loop->uv);
    }
    loop->given = loop->count;
    drop_given(loop);
    if (loop->null >= 0)
        close(loop->null);
    if (loop->ep >= 0)
        close(loop->ep);
    free(loop->events);
    free(loop->slots);
    free(loop->scratch);
    free(loop);
}
