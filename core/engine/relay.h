/*
 * relay: the numbers by which a warden and its engine talk.
 *
 * A signal can reach the engine twice: directly (the terminal, kill of the
 * group, pkill by name) and through the warden, which passes on what it got
 * itself. The warden's copies therefore travel as real-time signals of their
 * own, and the engine counts both ways: the larger count is how often it
 * happened. Signals that one side merged, or never got, do no harm.
 */
#ifndef ORR_ENGINE_RELAY_H
#define ORR_ENGINE_RELAY_H

#include <signal.h>

/* The engine's parent-death signal: the warden is gone. */
#define ORR_RELAY_ORPHANED (SIGRTMIN + 3)

/* The signal that stands for the warden's copy of INT, TERM, HUP; else 0. */
static inline int orr_relay_of(int signum)
{
    switch (signum) {
    case SIGINT:
        return SIGRTMIN + 4;
    case SIGTERM:
        return SIGRTMIN + 5;
    case SIGHUP:
        return SIGRTMIN + 6;
    default:
        return 0;
    }
}

#endif
