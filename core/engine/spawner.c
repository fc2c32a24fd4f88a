/*
 * spawner: two queues under one lock. The thread sleeps on a condition, the
 * loop on an eventfd, which is written for what is not quiet.
 *
 *     loop --send--> todo --out--> done --eventfd--> loop: back
 */
#include "engine/spawner.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/xalloc.h"

struct queue {
    struct orr_errand *first, **last;
};

struct orr_spawner {
    struct orr_source src;
    int fd;
    unsigned away; /* the loop's thread only */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work, rest;
    // --- guarded by lock
    struct queue todo, done;
    bool busy, closing;
};

static void put(struct queue *q, struct orr_errand *it)
{
    it->next = NULL;
    *q->last = it;
    q->last = &it->next;
}

static struct orr_errand *take(struct queue *q)
{
    struct orr_errand *it = q->first;
    if (it && !(q->first = it->next))
        q->last = &q->first;
    return it;
}

/* --- the thread -----------------------------------------------------------*/

static void ring(const struct orr_spawner *sp)
{
    uint64_t one = 1;
    ssize_t n = write(sp->fd, &one, sizeof one);
    (void)n; // an eventfd only refuses when its counter is full
}

static void *work(void *arg)
{
    struct orr_spawner *sp = arg;
    pthread_mutex_lock(&sp->lock);
    while (!sp->closing) {
        struct orr_errand *it = take(&sp->todo);
        if (!it) {
            pthread_cond_wait(&sp->work, &sp->lock);
            continue;
        }
        sp->busy = true;
        pthread_mutex_unlock(&sp->lock);
        it->out(it);
        pthread_mutex_lock(&sp->lock);
        sp->busy = false;
        bool quiet = it->quiet;
        put(&sp->done, it);
        pthread_cond_signal(&sp->rest);
        if (quiet)
            continue;
        pthread_mutex_unlock(&sp->lock); // who wakes is not to wait for it
        ring(sp);
        pthread_mutex_lock(&sp->lock);
    }
    pthread_mutex_unlock(&sp->lock);
    return NULL;
}

/* --- the loop's side ------------------------------------------------------*/

static void bring_back(struct orr_spawner *sp, struct orr_errand *it)
{
    while (it) {
        struct orr_errand *next = it->next; // it may be freed
        sp->away--;
        it->back(it);
        it = next;
    }
}

static struct orr_errand *take_all(struct queue *q)
{
    struct orr_errand *first = q->first;
    q->first = NULL;
    q->last = &q->first;
    return first;
}

/* With 'some', waits until there is something to take. */
static void collect(struct orr_spawner *sp, bool some)
{
    pthread_mutex_lock(&sp->lock);
    while (some && !sp->done.first)
        pthread_cond_wait(&sp->rest, &sp->lock);
    struct orr_errand *it = take_all(&sp->done);
    pthread_mutex_unlock(&sp->lock);
    bring_back(sp, it);
}

static void source_ready(struct orr_source *s, unsigned part, uint32_t events)
{
    (void)part;
    (void)events;
    collect((struct orr_spawner *)s, false);
}

static void source_end(struct orr_source *s)
{
    (void)s; // orr_spawner_close was first
}

static const struct orr_source_ops spawner_ops = {source_ready, source_end,
                                                  false};

static void spawner_free(struct orr_spawner *sp)
{
    if (sp->fd >= 0) {
        orr_source_unwatch(&sp->src, sp->fd);
        close(sp->fd);
    }
    orr_source_drop(&sp->src);
    pthread_mutex_destroy(&sp->lock);
    pthread_cond_destroy(&sp->work);
    pthread_cond_destroy(&sp->rest);
    free(sp);
}

/* Signals are for the loop's thread. */
static int begin(struct orr_spawner *sp)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int sys = pthread_create(&sp->thread, NULL, work, sp);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return sys;
}

static int open_spawner(struct orr_loop *loop, struct orr_spawner **out)
{
    struct orr_spawner *sp = orr_xalloc(sizeof *sp);
    sp->todo.last = &sp->todo.first;
    sp->done.last = &sp->done.first;
    pthread_mutex_init(&sp->lock, NULL);
    pthread_cond_init(&sp->work, NULL);
    pthread_cond_init(&sp->rest, NULL);
    orr_source_add(loop, &sp->src, &spawner_ops);
    sp->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int sys = sp->fd < 0 ? errno : 0;
    if (!sys)
        sys = orr_source_watch(&sp->src, 0, sp->fd, EPOLLIN | EPOLLET);
    if (!sys)
        sys = begin(sp);
    if (sys) {
        spawner_free(sp);
        return sys;
    }
    orr_source_hide(&sp->src);
    *out = sp;
    return 0;
}

int orr_spawner_send(struct orr_loop *loop, struct orr_errand *it)
{
    struct orr_spawner **at = orr_loop_spawner(loop);
    int sys = *at ? 0 : open_spawner(loop, at);
    if (sys)
        return sys;
    struct orr_spawner *sp = *at;
    sp->away++;
    pthread_mutex_lock(&sp->lock);
    put(&sp->todo, it);
    pthread_mutex_unlock(&sp->lock);
    pthread_cond_signal(&sp->work);
    return 0;
}

unsigned orr_spawner_away(struct orr_loop *loop)
{
    struct orr_spawner *sp = *orr_loop_spawner(loop);
    return sp ? sp->away : 0;
}

void orr_spawner_collect(struct orr_loop *loop)
{
    struct orr_spawner *sp = *orr_loop_spawner(loop);
    if (sp && sp->away)
        collect(sp, false);
}

void orr_spawner_await(struct orr_loop *loop)
{
    collect(*orr_loop_spawner(loop), true);
}

void orr_spawner_settle(struct orr_loop *loop)
{
    struct orr_spawner *sp = *orr_loop_spawner(loop);
    if (!sp || !sp->away)
        return;
    pthread_mutex_lock(&sp->lock);
    while (sp->busy || sp->todo.first)
        pthread_cond_wait(&sp->rest, &sp->lock);
    struct orr_errand *it = take_all(&sp->done);
    pthread_mutex_unlock(&sp->lock);
    bring_back(sp, it);
}

void orr_spawner_close(struct orr_loop *loop)
{
    struct orr_spawner **at = orr_loop_spawner(loop), *sp = *at;
    if (!sp)
        return;
    pthread_mutex_lock(&sp->lock);
    sp->closing = true;
    pthread_cond_signal(&sp->work);
    pthread_mutex_unlock(&sp->lock);
    pthread_join(sp->thread, NULL);
    bring_back(sp, take_all(&sp->done));
    bring_back(sp, take_all(&sp->todo));
    orr_source_show(&sp->src);
    spawner_free(sp);
    *at = NULL;
}
