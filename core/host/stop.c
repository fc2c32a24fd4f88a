/*
 * stop: a signal, a hook, and who runs.
 *
 * Cancelling must end 'while true do pcall(loop) end' and cost nothing while
 * nobody cancels (a count hook that is always on makes Lua half as fast). So
 * the pool interrupts the thread by a signal, whose handler sets a count hook
 * of 1 on the coroutine that runs: the hook raises at every further
 * instruction, which no pcall survives. The hook counts for one coroutine only;
 * so resume and its like, replaced here, note who runs, and raise on in the
 * resumer.
 */
#include "host/stop.h"

#include <lauxlib.h>
#include <sched.h>

#include "bind/bind.h"

/* The handler's only way to its thread's state. */
static _Thread_local struct orr_stop *volatile current;

struct orr_stop *orr_stop_of(lua_State *L)
{
    return *(struct orr_stop **)lua_getextraspace(L);
}

bool orr_stop_wanted(const struct orr_stop *s)
{
    return s->job && atomic_load(&s->job->cancelled);
}

static void stop_hook(lua_State *L, lua_Debug *ar);

/* TSan delivers a signal no sooner than at the next call it intercepts, which a
 * loop in Lua never makes: there a hook is always on. */
static void clear_hook(lua_State *L)
{
#ifdef __SANITIZE_THREAD__
    lua_sethook(L, stop_hook, LUA_MASKCOUNT, 1000);
#else
    lua_sethook(L, NULL, 0, 0);
#endif
}

int orr_stop_raise(lua_State *L)
{
    struct orr_err e;
    orr_err_set(&e, ORR_ECANCELLED, "cancelled");
    orr_push_err(L, &e);
    return lua_error(L);
}

/* Stays only while its job is cancelled: a coroutine kept by a module may meet
 * the next one with the hook still on. */
static void stop_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    if (orr_stop_wanted(orr_stop_of(L))) {
        lua_sethook(L, stop_hook, LUA_MASKCOUNT, 1);
        orr_stop_raise(L);
    }
    clear_hook(L);
}

/* lua_sethook is made to be called from signal handlers. */
static void on_signal(int signo)
{
    (void)signo;
    struct orr_stop *s = current;
    if (s && s->running && orr_stop_wanted(s))
        lua_sethook(s->running, stop_hook, LUA_MASKCOUNT, 1);
}

void orr_stop_catch(void)
{
    // No SA_RESTART: a read that waits ends with EINTR, and then the hook acts.
    struct sigaction sa = {.sa_handler = on_signal};
    sigemptyset(&sa.sa_mask);
    sigaction(ORR_STOP_SIGNAL, &sa, NULL);
}

/* --- a job ---------------------------------------------------------------- */

void orr_stop_attach(struct orr_stop *s, lua_State *L)
{
    *(struct orr_stop **)lua_getextraspace(L) = s;
    current = s;
}

void orr_stop_detach(struct orr_stop *s)
{
    s->running = NULL;
    current = NULL;
}

void orr_stop_begin(struct orr_stop *s, lua_State *L,
                    const struct orr_pool_job *job)
{
    s->job = job;
    clear_hook(L);
}

void orr_stop_arm(struct orr_stop *s, lua_State *L)
{
    s->running = L;
    if (orr_stop_wanted(s)) {
        lua_sethook(L, stop_hook, LUA_MASKCOUNT, 1);
        orr_stop_raise(L);
    }
}

void orr_stop_disarm(struct orr_stop *s, lua_State *L)
{
    s->running = NULL;
    lua_sethook(L, NULL, 0, 0);
    if (orr_stop_wanted(s))
        sched_yield(); // takes a signal still under way, lest the next job does
}

void orr_stop_end(struct orr_stop *s)
{
    s->job = NULL;
}

/* --- coroutines ----------------------------------------------------------- */

/* coroutine.resume and .close: upvalue 1 is the library's own. */
static int l_enter(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    struct orr_stop *s = orr_stop_of(L);
    int n = lua_gettop(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    if (co)
        s->running = co;
    int rc = lua_pcall(L, n, LUA_MULTRET, 0);
    orr_stop_arm(s, L);
    return rc == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* Raises in 'L' the error that ended 'co', or kept it from starting. */
static int rethrow(lua_State *L, lua_State *co, struct orr_stop *s)
{
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD)
        lua_resetthread(co);
    lua_xmove(co, L, 1); // … error
    orr_stop_arm(s, L);
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

/* What coroutine.wrap returns: upvalue 1 is the coroutine. */
static int l_wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    struct orr_stop *s = orr_stop_of(L);
    int n = lua_gettop(L), got = 0;
    luaL_argcheck(L, lua_checkstack(co, n), 1, "too many arguments");
    lua_xmove(L, co, n);
    s->running = co;
    int rc = lua_resume(co, L, n, &got);
    if (rc != LUA_OK && rc != LUA_YIELD)
        return rethrow(L, co, s);
    s->running = L;
    luaL_checkstack(L, got, "too many results");
    lua_xmove(co, L, got);
    orr_stop_arm(s, L);
    return got;
}

static int l_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, l_wrapped, 1);
    return 1;
}

void orr_stop_replace_coroutines(lua_State *L)
{
    static const char *const entering[] = {"resume", "close", NULL};
    lua_getglobal(L, "coroutine");
    for (const char *const *name = entering; *name; name++) {
        lua_getfield(L, -1, *name);
        lua_pushcclosure(L, l_enter, 1);
        lua_setfield(L, -2, *name);
    }
    lua_pushcfunction(L, l_wrap);
    lua_setfield(L, -2, "wrap");
    lua_pop(L, 1);
}
