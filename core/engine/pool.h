/*
 * pool: N threads that turn bytes into bytes. What a job does is the runner's
 * business; here are a bounded queue, a list of what is finished, cancelling
 * and waking the owner.
 *
 *   submit ──► queue ──► thread: runner.run ──► finished ──► take
 *
 * Ownership: a message has one owner, and handing it over means forgetting it.
 * submit copies its inputs; take gives the result's buffers away. Threads:
 * everything may be called from any thread, except close, which ends it all.
 *
 * A job that ignores its cancel flag (a C call that cannot be stopped) loses
 * its thread after a grace: the thread is left to itself, another takes its
 * place, and the job ends as cancelled. Should the call ever return, the thread
 * cleans up and ends; until then the program must leave by _exit.
 */
#ifndef ORR_ENGINE_POOL_H
#define ORR_ENGINE_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    ORR_POOL_THREADS = 256,     /* most a pool may have */
    ORR_POOL_BYTES = 1073741824 /* most that code, args or a result may have */
};

struct orr_pool;

/* Bytes all later jobs see; never changed once made. */
struct orr_pool_config {
    atomic_int refs;
    uint64_t generation; /* differs between any two of a pool; 0: the empty */
    size_t len;
    unsigned char bytes[];
};

struct orr_pool_job {
    int64_t id;
    const unsigned char *code, *args; /* borrowed while the job runs */
    size_t ncode, nargs;
    const struct orr_pool_config *config;
    atomic_bool cancelled; /* set once; long operations look at it */
};

struct orr_pool_result {
    int64_t id;
    int rc;               /* 0, or why there is no value */
    struct orr_buf value; /* or the error, when rc is not 0; may be empty */
    struct orr_buf facts; /* what is to be said beside it; may be empty */
};

/* How jobs are run. All but 'lost' are called on pool threads. */
struct orr_pool_runner {
    /* The thread's own context, made before its first job; NULL when memory is
     * out, then 'run' gets NULL. */
    void *(*open)(void);
    /* Fills 'out', whose buffers are empty; the id is set. */
    void (*run)(void *ctx, const struct orr_pool_job *job,
                struct orr_pool_result *out);
    void (*close)(void *ctx); /* before the thread ends; ctx is not NULL */
    /* A thread was lost (+1), or came back and ended (-1). May be NULL. */
    void (*lost)(int delta);
    /* Sent to the thread whose job is cancelled, to interrupt it; 0: none. Its
     * handler must bear that the job is over by then. */
    int signal;
};

struct orr_pool_options {
    int threads;  /* 1 … ORR_POOL_THREADS; started on need */
    size_t queue; /* most jobs waiting */
    double grace; /* seconds a cancelled job has before its thread is lost */
    void (*wake)(void *arg); /* on a pool thread, when something finished while
                                nothing else was; never under a lock; or NULL */
    void *wake_arg;
};

struct orr_pool_stats {
    int threads, running, lost;
    size_t queued, finished;
};

/* Returns an owned pool; close with orr_pool_close. 'runner' is static. 0,
 * ORR_EINVAL or ORR_ESYS. */
int orr_pool_open(const struct orr_pool_runner *runner,
                  const struct orr_pool_options *opt, struct orr_pool **out,
                  struct orr_err *e);

/* Cancels everything, waits for the threads (for a busy one the grace, then it
 * is lost), frees what nobody took. NULL is fine. */
void orr_pool_close(struct orr_pool *p);

/* What later jobs see as their config. Copies. 0 or ORR_ENOMEM. */
int orr_pool_configure(struct orr_pool *p, const void *bytes, size_t n,
                       struct orr_err *e);

/* Queues a job; copies both. 0, ORR_EBUSY: the queue is full, ORR_ELIMIT,
 * ORR_ENOMEM, ORR_ESYS: no thread could be started. */
int orr_pool_submit(struct orr_pool *p, const void *code, size_t ncode,
                    const void *args, size_t nargs, int64_t *id,
                    struct orr_err *e);

/* Ends a job. True: its result will be, or is, ORR_ECANCELLED; false: it is
 * finished already, or there never was one. */
bool orr_pool_cancel(struct orr_pool *p, int64_t id);

/* The next finished job, in order of completion. True: 'out' is the caller's,
 * buffers too. */
bool orr_pool_take(struct orr_pool *p, struct orr_pool_result *out);

/* Blocks until something is finished. False: 'seconds' passed (negative: no
 * limit), or nothing is under way. */
bool orr_pool_wait(struct orr_pool *p, double seconds);

void orr_pool_stats(struct orr_pool *p, struct orr_pool_stats *out);

#endif
