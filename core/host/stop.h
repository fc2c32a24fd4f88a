/*
 * stop: ends the Lua code of a pool thread when its job is cancelled, whatever
 * it catches, at no cost while nobody cancels.
 *
 * The state's extra space points to its 'struct orr_stop'. Threads: each has
 * its own; only the job's cancel flag is shared.
 */
#ifndef ORR_HOST_STOP_H
#define ORR_HOST_STOP_H

#include <lua.h>
#include <signal.h>
#include <stdbool.h>

#include "engine/pool.h"

enum { ORR_STOP_SIGNAL = SIGURG };

/* Read by the signal handler. */
struct orr_stop {
    lua_State *volatile running; /* the coroutine to interrupt, or NULL */
    const struct orr_pool_job *volatile job;
};

/* Installs the signal handler; once a process. */
void orr_stop_catch(void);

/* Makes 's', which must stay where it is, the calling thread's and the state's;
 * replaces what the coroutine library offers to enter coroutines with. */
void orr_stop_attach(struct orr_stop *s, lua_State *L);
void orr_stop_replace_coroutines(lua_State *L);

/* The thread's state is about to be closed. */
void orr_stop_detach(struct orr_stop *s);

/* The one given to orr_stop_attach, from any coroutine of the state. */
struct orr_stop *orr_stop_of(lua_State *L);

/* Around a job. Between arm, which raises when the job is cancelled already,
 * and disarm, 'L' may be interrupted by { code = "ECANCELLED" } at every
 * instruction. */
void orr_stop_begin(struct orr_stop *s, lua_State *L,
                    const struct orr_pool_job *job);
void orr_stop_arm(struct orr_stop *s, lua_State *L);
void orr_stop_disarm(struct orr_stop *s, lua_State *L);
void orr_stop_end(struct orr_stop *s);

bool orr_stop_wanted(const struct orr_stop *s);

/* Raises what the hook raises. */
int orr_stop_raise(lua_State *L);

#endif
