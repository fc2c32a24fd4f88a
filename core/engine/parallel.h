/*
 * parallel: one loop over numbers, done by several threads that live only as
 * long as it. For work of a few milliseconds; the pool is for anything longer.
 */
#ifndef ORR_ENGINE_PARALLEL_H
#define ORR_ENGINE_PARALLEL_H

#include <stddef.h>

/* Does the numbers from 'from' up to, not including, 'to'. */
typedef void orr_parallel_fn(void *ctx, size_t from, size_t to);

/* Has 'fn' do 0 … n-1 in slices, with up to 'threads' threads (the caller is
 * one of them; 0: one per processor), and returns when all is done. Another
 * thread is started for each 'worth' numbers. Signals are left to the threads
 * there were before. Never fails: when no thread can be made the caller does it
 * all. */
void orr_parallel(size_t n, size_t slice, size_t worth, unsigned threads,
                  orr_parallel_fn *fn, void *ctx);

#endif
