/*
 * pool_task: what a pool passes around inside: jobs, lists of them, configs.
 * Private to pool.c and pool_thread.c. Threads: none of this locks.
 */
#ifndef ORR_ENGINE_POOL_TASK_H
#define ORR_ENGINE_POOL_TASK_H

#include "engine/pool.h"

struct orr_pool_task {
    struct orr_pool_job pub; /* what the runner sees */
    struct orr_pool_task *next;
    struct orr_pool_result result;
    struct orr_pool_config *config; /* a reference */
    unsigned char bytes[];          /* code, then args */
};

struct orr_pool_jobs {
    struct orr_pool_task *first, *last;
    size_t count;
};

/* A job with room for its inputs; NULL when memory is out. */
struct orr_pool_task *orr_pool_task_new(size_t ncode, size_t nargs);

/* NULL is fine. */
void orr_pool_task_free(struct orr_pool_task *j);

/* Frees a chain of jobs. */
void orr_pool_task_free_all(struct orr_pool_task *first);

/* Makes the result say that it was cancelled; facts stay. */
void orr_pool_task_set_cancelled(struct orr_pool_task *j);

void orr_pool_task_put(struct orr_pool_jobs *l, struct orr_pool_task *j);

/* The first one, or NULL. */
struct orr_pool_task *orr_pool_task_take(struct orr_pool_jobs *l);

/* Takes the job 'id' out; NULL when it is not there. */
struct orr_pool_task *orr_pool_task_remove(struct orr_pool_jobs *l, int64_t id);

/* A config with one reference; NULL when memory is out. */
struct orr_pool_config *orr_pool_config_new(const void *bytes, size_t n);

/* Gives a reference back. NULL is fine. */
void orr_pool_config_drop(struct orr_pool_config *c);

#endif
