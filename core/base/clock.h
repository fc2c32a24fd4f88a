/* clock: the clocks. Wall time is for people, monotonic time for spans. */
#ifndef ORR_BASE_CLOCK_H
#define ORR_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t orr_clock_mono(void);

/* Nanoseconds since 1970 of CLOCK_REALTIME. */
uint64_t orr_clock_wall(void);

/* The same by the clock that stamps files, which lags by up to a tick: what is
 * changed from now on has no earlier ctime. */
uint64_t orr_clock_stamp(void);

#endif
