/*
 * pool_thread: the threads of a pool: workers, and the guard that replaces
 * stuck ones. Private to pool.c and pool_thread.c.
 */
#ifndef ORR_ENGINE_POOL_THREAD_H
#define ORR_ENGINE_POOL_THREAD_H

#include <pthread.h>

#include "engine/pool_task.h"

struct orr_pool_worker {
    struct orr_pool *pool; /* a reference */
    pthread_t thread;
    // --- guarded by pool->lock
    struct orr_pool_task *job; /* running, or NULL */
    uint64_t deadline;         /* when it is lost; 0: never */
    bool lost;                 /* nobody waits for it any more */
};

struct orr_pool {
    const struct orr_pool_runner *runner;
    struct orr_pool_options opt;
    pthread_mutex_t lock;
    pthread_cond_t work, guard_work, progress;
    // --- guarded by lock
    struct orr_pool_worker
        *workers[ORR_POOL_THREADS]; /* the first 'nworkers' */
    int nworkers, idle, running, lost;
    struct orr_pool_jobs queue, finished;
    struct orr_pool_config *config;
    int64_t last_id;
    uint64_t last_generation;
    int refs;  /* the owner's, and one for each thread */
    int alive; /* threads that are not lost and have not ended */
    bool closing;
    bool guarded; /* the guard runs */
    pthread_t guard;
};

/* All of these are called with the lock held. */

/* A worker for 'slot'. 0 or an errno. */
int orr_pool_start(struct orr_pool *p, int slot);

/* Tells a worker to end what it does, within the grace. Once is enough. */
void orr_pool_stop(struct orr_pool *p, struct orr_pool_worker *w);

/* Sees to it that the end of a grace is noticed. */
void orr_pool_call_guard(struct orr_pool *p);

/* Waits until every thread has ended or its grace is over; returns how many
 * were lost. */
int orr_pool_wait_for_threads(struct orr_pool *p);

/* Waits on a condition until 'deadline' (monotonic ns, 0: none). */
void orr_pool_wait_until(struct orr_pool *p, pthread_cond_t *cond,
                         uint64_t deadline);

/* Puts a job among the finished; true when the owner must be woken, which is
 * done after unlocking. */
bool orr_pool_finish(struct orr_pool *p, struct orr_pool_task *j);

/* Gives back a reference, and the lock. */
void orr_pool_drop_and_unlock(struct orr_pool *p);

#endif
