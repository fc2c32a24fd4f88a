/* parallel: an atomic counter from which threads take slices. */
#include "engine/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum { MAX_THREADS = 64 };

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

/* How many threads, the caller's included, are to do 'n' numbers. */
static unsigned crew(size_t n, size_t worth, unsigned threads)
{
    size_t most = (n - 1) / worth + 1;
    if (!threads)
        threads = processors();
    if (threads > MAX_THREADS)
        threads = MAX_THREADS;
    return threads > most ? (unsigned)most : threads;
}

void orr_parallel(size_t n, size_t slice, size_t worth, unsigned threads,
                  orr_parallel_fn *fn, void *ctx)
{
    pthread_t others[MAX_THREADS];
    struct work w = {.n = n, .slice = slice, .fn = fn, .ctx = ctx};
    unsigned started = 0;
    sigset_t all, before;
    if (!n)
        return;
    threads = crew(n, worth, threads);
    sigfillset(&all);
    if (threads > 1)
        pthread_sigmask(SIG_SETMASK, &all, &before);
    while (started + 1 < threads &&
           !pthread_create(&others[started], NULL, work_on, &w))
        started++;
    if (threads > 1)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    work_on(&w);
    while (started)
        pthread_join(others[--started], NULL);
}
