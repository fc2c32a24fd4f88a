/*
 * pool_job: what a pool passes around inside: jobs, lists of them, configs.
 * Private to pool.c and pool_thread.c. Threads: none of this locks.
 */
#ifndef ORR_ENGINE_POOL_JOB_H
#define ORR_ENGINE_POOL_JOB_H

#include "engine/pool.h"

struct orr_job {
    struct orr_pool_job pub; /* what the runner sees */
    struct orr_job *next;
    struct orr_pool_result result;
    struct orr_pool_config *config; /* a reference */
    unsigned char bytes[];          /* code, then args */
};

struct orr_job_list {
    struct orr_job *first, *last;
    size_t count;
};

/* A job with room for its inputs; NULL when memory is out. */
struct orr_job *orr_job_new(size_t ncode, size_t nargs);

/* NULL is fine. */
void orr_job_free(struct orr_job *j);

/* Frees a chain of jobs. */
void orr_job_free_all(struct orr_job *first);

/* Makes the result say that it was cancelled; facts stay. */
void orr_job_set_cancelled(struct orr_job *j);

void orr_job_put(struct orr_job_list *l, struct orr_job *j);

/* The first one, or NULL. */
struct orr_job *orr_job_take(struct orr_job_list *l);

/* Takes the job 'id' out; NULL when it is not there. */
struct orr_job *orr_job_remove(struct orr_job_list *l, int64_t id);

/* A config with one reference; NULL when memory is out. */
struct orr_pool_config *orr_config_new(const void *bytes, size_t n);

/* Gives a reference back. NULL is fine. */
void orr_config_drop(struct orr_pool_config *c);

#endif
