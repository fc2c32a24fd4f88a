/*
 * pool_thread: workers and their guard.
 *
 * Threads wait on 'work', the guard on 'guard_work', everyone who waits for
 * results or ends on 'progress'. The guard begins with the first cancelled
 * running job: it alone sees that a grace is over, for every other thread may
 * be stuck by then. A lost worker owns itself and its job; the pool is freed by
 * whoever drops the last reference, so it still finds it should it come back.
 */
#include "engine/pool_thread.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/xalloc.h"

enum { REPEAT = 10000000 }; /* ns between signals to a cancelled job */

static struct timespec when(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
}

void orr_pool_wait_until(struct orr_pool *p, pthread_cond_t *cond,
                         uint64_t deadline)
{
    struct timespec ts = when(deadline);
    if (deadline)
        pthread_cond_timedwait(cond, &p->lock, &ts);
    else
        pthread_cond_wait(cond, &p->lock);
}

void orr_pool_drop_and_unlock(struct orr_pool *p)
{
    bool last = --p->refs == 0;
    pthread_mutex_unlock(&p->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->guard_work);
    pthread_cond_destroy(&p->progress);
    free(p);
}

bool orr_pool_finish(struct orr_pool *p, struct orr_pool_task *j)
{
    orr_pool_task_put(&p->finished, j);
    pthread_cond_broadcast(&p->progress);
    return p->finished.count == 1 && p->opt.wake;
}

static uint64_t grace_end(const struct orr_pool *p)
{
    return orr_clock_mono() + (uint64_t)(p->opt.grace * 1e9) + 1;
}

/* --- a worker ------------------------------------------------------------- */

/* Runs the next job of the queue; the lock is held before and after. False
 * when the thread was lost meanwhile. */
static bool work_once(struct orr_pool_worker *w, void **ctx, bool *opened)
{
    struct orr_pool *p = w->pool;
    struct orr_pool_task *j = orr_pool_task_take(&p->queue);
    w->job = j;
    p->running++;
    pthread_mutex_unlock(&p->lock);

    if (!*opened) {
        *ctx = p->runner->open();
        *opened = true;
    }
    p->runner->run(*ctx, &j->pub, &j->result);

    pthread_mutex_lock(&p->lock);
    if (w->lost) {
        pthread_mutex_unlock(&p->lock);
        orr_pool_task_free(j);
        pthread_mutex_lock(&p->lock);
        return false;
    }
    w->job = NULL;
    w->deadline = p->closing ? grace_end(p) : 0;
    p->running--;
    if (atomic_load(&j->pub.cancelled) && j->result.rc != ORR_ECANCELLED)
        orr_pool_task_set_cancelled(j);
    if (orr_pool_finish(p, j)) {
        pthread_mutex_unlock(&p->lock);
        p->opt.wake(p->opt.wake_arg);
        pthread_mutex_lock(&p->lock);
    }
    return true;
}

static void *work(void *arg)
{
    struct orr_pool_worker *w = arg;
    struct orr_pool *p = w->pool;
    void *ctx = NULL;
    bool opened = false, mine = true;
    pthread_mutex_lock(&p->lock);
    while (mine && !p->closing) {
        if (p->queue.first) {
            mine = work_once(w, &ctx, &opened);
        } else {
            p->idle++;
            pthread_cond_wait(&p->work, &p->lock);
            p->idle--;
        }
    }
    pthread_mutex_unlock(&p->lock);
    if (ctx)
        p->runner->close(ctx);
    pthread_mutex_lock(&p->lock);
    if (w->lost) {
        p->lost--;
        pthread_mutex_unlock(&p->lock);
        free(w);
        if (p->runner->lost)
            p->runner->lost(-1);
        pthread_mutex_lock(&p->lock);
    } else {
        w->deadline = 0;
        p->alive--;
        pthread_cond_broadcast(&p->progress);
    }
    orr_pool_drop_and_unlock(p);
    return NULL;
}

/* Starts a thread in which only the runner's signal and faults arrive: the
 * others are for the owner's. */
static int start_thread(struct orr_pool *p, pthread_t *thread,
                        void *(*fn)(void *), void *arg)
{
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    if (p->runner->signal)
        sigdelset(&all, p->runner->signal);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

int orr_pool_start(struct orr_pool *p, int slot)
{
    struct orr_pool_worker *w = orr_xalloc(sizeof *w);
    w->pool = p;
    int rc = start_thread(p, &w->thread, work, w);
    if (rc) {
        free(w);
        return rc;
    }
    p->workers[slot] = w;
    p->refs++;
    p->alive++;
    return 0;
}

/* --- the guard ------------------------------------------------------------ */

/* Leaves a stuck worker to itself, with the lock held: from here on it owns
 * itself and its job. Returns a finished job in that one's place; NULL when
 * it had none and is stuck closing its context. */
static struct orr_pool_task *lose(struct orr_pool *p, struct orr_pool_worker *w)
{
    w->lost = true;
    pthread_detach(w->thread);
    p->alive--;
    p->lost++;
    if (!w->job)
        return NULL;
    p->running--;
    struct orr_pool_task *stand_in = orr_xalloc(sizeof *stand_in);
    stand_in->result.id = w->job->pub.id;
    orr_pool_task_set_cancelled(stand_in);
    return stand_in;
}

/* Interrupts a worker whose job was cancelled. */
static void interrupt(const struct orr_pool *p, const struct orr_pool_worker *w)
{
    if (p->runner->signal && w->job)
        pthread_kill(w->thread, p->runner->signal);
}

/* The worker whose grace is over, or -1; then 'next' is when to look again, 0:
 * nothing is to be ended. A signal that came just before a read began to wait
 * did not end it: so they are repeated. */
static int overdue(const struct orr_pool *p, uint64_t *next)
{
    uint64_t now = orr_clock_mono();
    *next = 0;
    for (int i = 0; i < p->nworkers; i++) {
        const struct orr_pool_worker *w = p->workers[i];
        if (!w->deadline)
            continue;
        if (w->deadline <= now)
            return i;
        uint64_t again = now + REPEAT;
        uint64_t at = w->deadline < again ? w->deadline : again;
        if (!*next || at < *next)
            *next = at;
        interrupt(p, w);
    }
    return -1;
}

/* Replaces a stuck worker; gives up the lock for the callbacks. */
static void replace(struct orr_pool *p, int slot)
{
    struct orr_pool_task *stand_in = lose(p, p->workers[slot]);
    if (orr_pool_start(p, slot) != 0) {
        p->workers[slot] = p->workers[--p->nworkers];
        p->workers[p->nworkers] = NULL;
    }
    bool wake = stand_in && orr_pool_finish(p, stand_in);
    pthread_mutex_unlock(&p->lock);
    if (p->runner->lost)
        p->runner->lost(+1);
    if (wake)
        p->opt.wake(p->opt.wake_arg);
    pthread_mutex_lock(&p->lock);
}

static void *guard(void *arg)
{
    struct orr_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->closing) {
        uint64_t next;
        int slot = overdue(p, &next);
        if (slot >= 0)
            replace(p, slot);
        else
            orr_pool_wait_until(p, &p->guard_work, next);
    }
    orr_pool_drop_and_unlock(p);
    return NULL;
}

/* Without a guard (no thread to be had) a stuck job stays until the close. */
void orr_pool_call_guard(struct orr_pool *p)
{
    if (p->guarded) {
        pthread_cond_signal(&p->guard_work);
    } else if (start_thread(p, &p->guard, guard, p) == 0) {
        p->guarded = true;
        p->refs++;
    }
}

void orr_pool_stop(struct orr_pool *p, struct orr_pool_worker *w)
{
    if (w->deadline)
        return;
    w->deadline = grace_end(p);
    if (!w->job)
        return;
    atomic_store(&w->job->pub.cancelled, true);
    interrupt(p, w);
}

int orr_pool_wait_for_threads(struct orr_pool *p)
{
    int lost = 0;
    while (p->alive > 0) {
        uint64_t next;
        int slot = overdue(p, &next);
        if (slot >= 0) {
            orr_pool_task_free(lose(p, p->workers[slot]));
            p->workers[slot] = p->workers[--p->nworkers];
            lost++;
        } else {
            orr_pool_wait_until(p, &p->progress, next);
        }
    }
    return lost;
}
