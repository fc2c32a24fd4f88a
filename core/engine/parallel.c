/* parallel: an atomic counter from which threads take slices. */
#include "engine/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { MAX_THREADS = 64, WORTH = 4 /* slices a thread */ };

struct work {
    size_t n, slice;
    atomic_size_t next;
    orr_parallel_fn *fn;
    void *ctx;
};

static void *work_on(void *arg)
{
    struct work *w = arg;
    for (;;) {
        size_t from = atomic_fetch_add(&w->next, w->slice);
        if (from >= w->n)
            return NULL;
        size_t left = w->n - from;
        w->fn(w->ctx, from, from + (left < w->slice ? left : w->slice));
    }
}

static unsigned processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 ? (unsigned)n : 1;
}

void orr_parallel(size_t n, size_t slice, unsigned threads, orr_parallel_fn *fn,
                  void *ctx)
{
    pthread_t others[MAX_THREADS];
    struct work w = {.n = n, .slice = slice, .fn = fn, .ctx = ctx};
    size_t worth = n / (slice * WORTH) + 1;
    unsigned started = 0;
    if (!threads)
        threads = processors();
    if (threads > MAX_THREADS)
        threads = MAX_THREADS;
    if (threads > worth)
        threads = (unsigned)worth;
    while (started + 1 < threads &&
           !pthread_create(&others[started], NULL, work_on, &w))
        started++;
    work_on(&w);
    while (started)
        pthread_join(others[--started], NULL);
}
