/* clock: the two clocks. Wall time is for people, monotonic time for spans. */
#ifndef ORR_BASE_CLOCK_H
#define ORR_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t orr_clock_mono(void);

/* Nanoseconds since 1970 of CLOCK_REALTIME. */
uint64_t orr_clock_wall(void);

#endif
