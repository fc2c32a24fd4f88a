/* pool: what its owner does: open, configure, submit, cancel, take, close. A
 * job is in the queue, in the hands of one worker, or among the finished. */
#include "engine/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "engine/pool_thread.h"

int orr_pool_open(const struct orr_pool_runner *runner,
                  const struct orr_pool_options *opt, struct orr_pool **out,
                  struct orr_err *e)
{
    if (opt->threads < 1 || opt->threads > ORR_POOL_THREADS)
        return orr_err_set(e, ORR_EINVAL, "a pool has 1 to %d threads, not %d",
                           ORR_POOL_THREADS, opt->threads);
    struct orr_pool *p = orr_xalloc(sizeof *p);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, &attr);
    pthread_cond_init(&p->guard_work, &attr);
    pthread_cond_init(&p->progress, &attr);
    pthread_condattr_destroy(&attr);
    p->runner = runner;
    p->opt = *opt;
    p->refs = 1;
    p->config = orr_pool_config_new(NULL, 0);
    if (!p->config) {
        pthread_mutex_lock(&p->lock);
        orr_pool_drop_and_unlock(p);
        return orr_err_set(e, ORR_ENOMEM, "not enough memory");
    }
    *out = p;
    return 0;
}

int orr_pool_configure(struct orr_pool *p, const void *bytes, size_t n,
                       struct orr_err *e)
{
    struct orr_pool_config *c = orr_pool_config_new(bytes, n);
    if (!c)
        return orr_err_set(e, ORR_ENOMEM, "not enough memory");
    pthread_mutex_lock(&p->lock);
    struct orr_pool_config *old = p->config;
    c->generation = ++p->last_generation;
    p->config = c;
    pthread_mutex_unlock(&p->lock);
    orr_pool_config_drop(old);
    return 0;
}

/* Queues a job, with the lock held. */
static int enqueue(struct orr_pool *p, struct orr_pool_task *j,
                   struct orr_err *e)
{
    if (p->closing)
        return orr_err_set(e, ORR_ECLOSED, "the pool is closed");
    if (p->queue.count >= p->opt.queue)
        return orr_err_set(e, ORR_EBUSY, "the pool's queue is full");
    if ((size_t)p->idle <= p->queue.count && p->nworkers < p->opt.threads) {
        int rc = orr_pool_start(p, p->nworkers);
        if (rc == 0)
            p->nworkers++;
        else if (p->nworkers == 0)
            return orr_err_errno(e, rc, "start a thread");
    }
    j->config = p->config;
    atomic_fetch_add(&j->config->refs, 1);
    j->pub.config = j->config;
    j->pub.id = j->result.id = ++p->last_id;
    orr_pool_task_put(&p->queue, j);
    pthread_cond_signal(&p->work);
    return 0;
}

int orr_pool_submit(struct orr_pool *p, const void *code, size_t ncode,
                    const void *args, size_t nargs, int64_t *id,
                    struct orr_err *e)
{
    if (ncode > ORR_POOL_BYTES || nargs > ORR_POOL_BYTES)
        return orr_err_set(e, ORR_ELIMIT,
                           "a function with its arguments may have 1 GiB, "
                           "this has %zu bytes",
                           ncode > nargs ? ncode : nargs);
    struct orr_pool_task *j = orr_pool_task_new(ncode, nargs);
    if (!j)
        return orr_err_set(e, ORR_ENOMEM, "not enough memory");
    if (ncode)
        memcpy(j->bytes, code, ncode);
    if (nargs)
        memcpy(j->bytes + ncode, args, nargs);
    pthread_mutex_lock(&p->lock);
    int rc = enqueue(p, j, e);
    if (rc == 0)
        *id = j->pub.id;
    pthread_mutex_unlock(&p->lock);
    if (rc < 0)
        orr_pool_task_free(j);
    return rc;
}

bool orr_pool_cancel(struct orr_pool *p, int64_t id)
{
    bool found = false, wake = false;
    pthread_mutex_lock(&p->lock);
    struct orr_pool_task *j = orr_pool_task_remove(&p->queue, id);
    if (j) {
        found = true;
        orr_pool_task_set_cancelled(j);
        wake = orr_pool_finish(p, j);
    }
    for (int i = 0; !found && i < p->nworkers; i++) {
        struct orr_pool_worker *w = p->workers[i];
        if (w->job && w->job->pub.id == id) {
            found = true;
            orr_pool_stop(p, w);
            orr_pool_call_guard(p);
        }
    }
    pthread_mutex_unlock(&p->lock);
    if (wake)
        p->opt.wake(p->opt.wake_arg);
    return found;
}

bool orr_pool_take(struct orr_pool *p, struct orr_pool_result *out)
{
    pthread_mutex_lock(&p->lock);
    struct orr_pool_task *j = orr_pool_task_take(&p->finished);
    pthread_mutex_unlock(&p->lock);
    if (!j)
        return false;
    *out = j->result;
    j->result.value = j->result.facts = (struct orr_buf){0};
    orr_pool_task_free(j);
    return true;
}

bool orr_pool_wait(struct orr_pool *p, double seconds)
{
    uint64_t deadline = 0; // beyond 30 years there is none either
    if (seconds >= 0 && seconds < 1e9)
        deadline = orr_clock_mono() + (uint64_t)(seconds * 1e9) + 1;
    pthread_mutex_lock(&p->lock);
    while (!p->finished.first && (p->running > 0 || p->queue.first)) {
        if (deadline && orr_clock_mono() >= deadline)
            break;
        orr_pool_wait_until(p, &p->progress, deadline);
    }
    bool any = p->finished.first != NULL;
    pthread_mutex_unlock(&p->lock);
    return any;
}

void orr_pool_stats(struct orr_pool *p, struct orr_pool_stats *out)
{
    pthread_mutex_lock(&p->lock);
    *out = (struct orr_pool_stats){.threads = p->nworkers,
                                   .running = p->running,
                                   .lost = p->lost,
                                   .queued = p->queue.count,
                                   .finished = p->finished.count};
    pthread_mutex_unlock(&p->lock);
}

void orr_pool_close(struct orr_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    struct orr_pool_task *queued = p->queue.first;
    p->queue = (struct orr_pool_jobs){0};
    for (int i = 0; i < p->nworkers; i++)
        orr_pool_stop(p, p->workers[i]);
    pthread_cond_broadcast(&p->work);
    pthread_cond_broadcast(&p->guard_work);
    int lost = orr_pool_wait_for_threads(p);
    struct orr_pool_task *finished = p->finished.first;
    p->finished = (struct orr_pool_jobs){0};
    struct orr_pool_config *config = p->config;
    p->config = NULL;
    pthread_mutex_unlock(&p->lock);

    if (p->guarded)
        pthread_join(p->guard, NULL);
    for (int i = 0; i < p->nworkers; i++) {
        pthread_join(p->workers[i]->thread, NULL);
        free(p->workers[i]);
    }
    for (int i = 0; i < lost && p->runner->lost; i++)
        p->runner->lost(+1);
    orr_pool_task_free_all(queued);
    orr_pool_task_free_all(finished);
    orr_pool_config_drop(config);
    pthread_mutex_lock(&p->lock);
    orr_pool_drop_and_unlock(p);
}
