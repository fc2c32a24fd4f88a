/*
 * watch: what libuv watches for the loop: timers, signals, directory changes;
 * and readable file descriptors, which need no libuv. A handle's memory lives
 * until libuv's close callback; its slot is free at once.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/xalloc.h"
#include "engine/relay.h"
#include "engine/source.h"

/* libuv counts from the last whole millisecond, which may be nearly one ago:
 * rounded up and one more, or a timer could be early. */
static uint64_t to_ms(double seconds)
{
    if (!(seconds > 0))
        return 0;
    double ms = seconds > 1e12 ? 1e15 : seconds * 1e3 + 1.999;
    return (uint64_t)ms;
}

/* --- timers ---------------------------------------------------------------*/

struct timer {
    struct orr_source src;
    uv_timer_t uv;
};

static void free_data(uv_handle_t *h)
{
    free(h->data);
}

static void timer_end(struct orr_source *s)
{
    struct timer *t = (struct timer *)s;
    orr_source_drop(s);
    uv_close((uv_handle_t *)&t->uv, free_data);
}

static void timer_fired(uv_timer_t *uv)
{
    struct timer *t = uv->data;
    orr_loop_push(t->src.loop, ORR_EVENT_TIMER, t->src.id);
    timer_end(&t->src);
}

static const struct orr_source_ops timer_ops = {NULL, timer_end, true};

int64_t orr_loop_timer(struct orr_loop *loop, double seconds)
{
    struct timer *t = orr_xalloc(sizeof *t);
    orr_source_add(loop, &t->src, &timer_ops);
    uv_timer_init(orr_loop_uv(loop), &t->uv);
    t->uv.data = t;
    uv_update_time(orr_loop_uv(loop));
    uv_timer_start(&t->uv, timer_fired, to_ms(seconds), 0);
    return t->src.id;
}

struct orr_alarm {
    uv_timer_t uv;
    void (*ring)(void *);
    void *arg;
};

struct orr_alarm *orr_alarm_new(struct orr_loop *loop, void (*ring)(void *),
                                void *arg)
{
    struct orr_alarm *a = orr_xalloc(sizeof *a);
    uv_timer_init(orr_loop_uv(loop), &a->uv);
    a->uv.data = a;
    a->ring = ring;
    a->arg = arg;
    return a;
}

static void alarm_fired(uv_timer_t *uv)
{
    struct orr_alarm *a = uv->data;
    a->ring(a->arg);
}

void orr_alarm_set(struct orr_alarm *a, double seconds)
{
    uv_update_time(a->uv.loop);
    uv_timer_start(&a->uv, alarm_fired, to_ms(seconds), 0);
}

void orr_alarm_free(struct orr_alarm *a)
{
    if (a)
        uv_close((uv_handle_t *)&a->uv, free_data);
}

/* --- signals --------------------------------------------------------------*/

static const struct {
    const char *name;
    int signum;
} signals[] = {{"INT", SIGINT},     {"TERM", SIGTERM}, {"HUP", SIGHUP},
               {"WINCH", SIGWINCH}, {"TSTP", SIGTSTP}, {"CONT", SIGCONT}};

struct sig {
    struct orr_source src;
    const char *name;
    int signum;
    struct way {
        uv_signal_t uv;
        unsigned seen;
    } ways[2]; /* direct; through the warden */
    int open;
    unsigned told; /* the larger 'seen' so far */
};

static void way_closed(uv_handle_t *h)
{
    struct sig *s = h->data;
    if (--s->open == 0)
        free(s);
}

static void sig_end(struct orr_source *src)
{
    struct sig *s = (struct sig *)src;
    int n = s->open;
    orr_source_drop(src);
    if (n == 0)
        free(s);
    for (int i = 0; i < n; i++)
        uv_close((uv_handle_t *)&s->ways[i].uv, way_closed);
}

static void sig_caught(uv_signal_t *uv, int signum)
{
    (void)signum;
    struct sig *s = uv->data;
    struct way *way = &s->ways[uv == &s->ways[1].uv];
    if (++way->seen <= s->told)
        return; // the other way's copy came first
    s->told = way->seen;
    orr_loop_push(s->src.loop, ORR_EVENT_SIGNAL, s->src.id)->name = s->name;
}

static int sig_listen(struct sig *s, int signum)
{
    uv_signal_t *uv = &s->ways[s->open].uv;
    int rc = uv_signal_init(orr_loop_uv(s->src.loop), uv);
    if (rc < 0)
        return -rc;
    uv->data = s;
    s->open++;
    return -uv_signal_start(uv, sig_caught, signum);
}

static bool is_ignored(int signum)
{
    struct sigaction sa;
    return sigaction(signum, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
}

static const struct orr_source_ops sig_ops = {NULL, sig_end, true};

int orr_loop_signal(struct orr_loop *loop, const char *name, int64_t *id,
                    struct orr_err *e)
{
    size_t i = 0, n = sizeof signals / sizeof *signals;
    while (i < n && strcmp(signals[i].name, name) != 0)
        i++;
    if (i == n)
        return orr_err_set(e, ORR_EINVAL,
                           "unknown signal '%s'; known: INT, TERM, HUP, WINCH, "
                           "TSTP, CONT",
                           name);
    int signum = signals[i].signum, sys = 0;
    struct sig *s = orr_xalloc(sizeof *s);
    s->name = signals[i].name;
    s->signum = signum;
    orr_source_add(loop, &s->src, &sig_ops);
    if (!is_ignored(signum)) {
        sys = sig_listen(s, signum);
        if (!sys && orr_relay_of(signum))
            sys = sig_listen(s, orr_relay_of(signum));
    }
    if (sys) {
        sig_end(&s->src);
        return orr_err_errno(e, sys, "signal %s", name);
    }
    *id = s->src.id;
    return 0;
}

bool orr_signal_taken(struct orr_loop *loop, int signum)
{
    size_t at = 0;
    for (struct orr_source *s; (s = orr_source_walk(loop, &at));)
        if (s->ops == &sig_ops && ((struct sig *)s)->signum == signum)
            return true;
    return false;
}

/* --- directories ----------------------------------------------------------*/

struct dir {
    struct orr_source src;
    uv_fs_event_t uv;
};

static void dir_end(struct orr_source *s)
{
    struct dir *d = (struct dir *)s;
    orr_source_drop(s);
    uv_close((uv_handle_t *)&d->uv, free_data);
}

static void dir_changed(uv_fs_event_t *uv, const char *name, int events,
                        int status)
{
    (void)events;
    (void)status;
    struct dir *d = uv->data;
    struct orr_event *ev =
        orr_loop_push(d->src.loop, ORR_EVENT_CHANGE, d->src.id);
    if (name)
        orr_buf_puts(&ev->text, name);
}

static const struct orr_source_ops dir_ops = {NULL, dir_end, true};

int orr_loop_watch(struct orr_loop *loop, const char *path, int64_t *id,
                   struct orr_err *e)
{
    struct dir *d = orr_xalloc(sizeof *d);
    orr_source_add(loop, &d->src, &dir_ops);
    uv_fs_event_init(orr_loop_uv(loop), &d->uv);
    d->uv.data = d;
    int rc = uv_fs_event_start(&d->uv, dir_changed, path, 0);
    if (rc < 0) {
        dir_end(&d->src);
        return orr_err_errno(e, -rc, "watch %s", path);
    }
    *id = d->src.id;
    return 0;
}

/* --- readable -------------------------------------------------------------*/

struct readable {
    struct orr_source src;
    int fd;
};

static void readable_end(struct orr_source *s)
{
    orr_source_unwatch(s, ((struct readable *)s)->fd);
    orr_source_drop(s);
    free(s);
}

static void readable_ready(struct orr_source *s, unsigned part, uint32_t events)
{
    (void)part;
    (void)events;
    orr_loop_push(s->loop, ORR_EVENT_READABLE, s->id);
    readable_end(s);
}

static const struct orr_source_ops readable_ops = {readable_ready, readable_end,
                                                   true};

static int await_fd(struct orr_loop *loop, int fd, uint32_t what, int64_t *id,
                    struct orr_err *e)
{
    struct readable *r = orr_xalloc(sizeof *r);
    r->fd = fd;
    orr_source_add(loop, &r->src, &readable_ops);
    int64_t mine = r->src.id;
    int sys = orr_source_watch(&r->src, 0, fd, what);
    if (sys == EPERM) { // files and /dev/null always are
        readable_ready(&r->src, 0, what);
    } else if (sys) {
        orr_source_drop(&r->src);
        free(r);
        return orr_err_errno(e, sys, "file descriptor %d", fd);
    }
    *id = mine;
    return 0;
}

int orr_loop_readable(struct orr_loop *loop, int fd, int64_t *id,
                      struct orr_err *e)
{
    return await_fd(loop, fd, EPOLLIN, id, e);
}

int orr_loop_writable(struct orr_loop *loop, int fd, int64_t *id,
                      struct orr_err *e)
{
    return await_fd(loop, fd, EPOLLOUT, id, e);
}
