/* worker: one Lua state a thread, a fresh environment a job. How a job is ended
 * is in stop.c. */
#include "host/worker.h"

#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "bind/bind.h"
#include "bind/l_func.h"
#include "bind/value.h"
#include "host/state.h"
#include "host/stop.h"

struct worker {
    lua_State *L;
    struct orr_entries es;        /* scratch for packing */
    int begin, finish, configure; /* the recorder's, as registry references */
    int explained;                /* of orrery.kernel.raised */
    uint64_t generation;          /* of the config the recorder has */
    struct orr_pool_result *out;
    struct orr_stop stop;
};

static const char task_key = 0; /* registry key, by address */

static atomic_int lost_threads;

/* Runs before anything is taken down, for it was registered late. */
static void leave(int status, void *unused)
{
    (void)unused;
    if (atomic_load(&lost_threads) > 0) {
        fflush(stdout);
        _exit(status);
    }
}

static void count_lost(int delta)
{
    atomic_fetch_add(&lost_threads, delta);
}

static struct worker *worker_of(lua_State *L)
{
    return (struct worker *)((char *)orr_stop_of(L) -
                             offsetof(struct worker, stop));
}

/* --- opening and closing -------------------------------------------------- */

static void prepare_process(void)
{
    on_exit(leave, NULL);
    orr_stop_catch();
}

static int take_method(lua_State *L, const char *name)
{
    lua_getfield(L, -1, name);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Once a state, inside its first job, so that a failure is that job's. */
static void open_recorder(lua_State *L, struct worker *w)
{
    if (w->begin)
        return;
    orr_stop_replace_coroutines(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "orrery.kernel.recorder");
    lua_call(L, 1, 1); // recorder
    lua_getfield(L, -1, "new");
    lua_call(L, 0, 1); // recorder methods
    w->finish = take_method(L, "finish");
    w->configure = take_method(L, "configure");
    w->begin = take_method(L, "begin");
    lua_getglobal(L, "require");
    lua_pushliteral(L, "orrery.kernel.raised");
    lua_call(L, 1, 1); // … raised
    w->explained = take_method(L, "explained");
    lua_settop(L, 0);
}

static void worker_close(void *ctx)
{
    struct worker *w = ctx;
    orr_stop_detach(&w->stop);
    if (w->L)
        orr_state_close(w->L);
    orr_entries_fini(&w->es);
    free(w);
}

static void *worker_open(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare_process);
    struct worker *w = orr_xalloc(sizeof *w);
    w->L = orr_state_new(ORR_ROLE_WORKER);
    if (!w->L) {
        worker_close(w);
        return NULL;
    }
    orr_stop_attach(&w->stop, w->L);
    return w;
}

/* --- errors --------------------------------------------------------------- */

/* string.rep and its like raise the text, not Lua's own memory error. */
static bool is_memory_error(lua_State *L)
{
    const char *s = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "";
    return !strcmp(s, "not enough memory");
}

/* Puts in place of a value that says nothing by itself, at 1, an error value
 * that tells what it holds. */
static void let_speak(lua_State *L)
{
    const struct worker *w = worker_of(L);
    if (!w->explained || orr_stop_wanted(&w->stop) ||
        lua_type(L, 1) == LUA_TSTRING)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, w->explained);
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
        lua_replace(L, 1);
    lua_settop(L, 1);
}

/* Message handler: any error value becomes { code, message, traceback, … }. */
static int explain(lua_State *L)
{
    lua_settop(L, 1);
    let_speak(L);
    lua_newtable(L); // value err
    if (lua_istable(L, 1)) {
        for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) { // … key value
            if (lua_type(L, -2) != LUA_TSTRING || lua_isfunction(L, -1))
                continue;
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, 2);
        }
    }
    if (lua_getfield(L, 2, "message") != LUA_TSTRING) {
        luaL_tolstring(L, 1, NULL);
        lua_setfield(L, 2, "message");
    }
    if (lua_getfield(L, 2, "code") != LUA_TSTRING) {
        lua_pushstring(L, is_memory_error(L) ? "ENOMEM" : "raised");
        lua_setfield(L, 2, "code");
    }
    luaL_traceback(L, L, NULL, 1);
    lua_setfield(L, 2, "traceback");
    lua_settop(L, 2);
    return 1;
}

/* Keeps of the error on top only what is sure to pack. */
static void plain_error(lua_State *L)
{
    static const char *const fields[] = {"code", "message", "traceback", "task",
                                         NULL};
    lua_newtable(L); // err plain
    for (const char *const *f = fields; *f; f++) {
        lua_getfield(L, -2, *f);
        lua_setfield(L, -2, *f);
    }
    lua_replace(L, -2);
}

/* Packs the error table on top; an error made of more than plain data loses
 * the rest. */
static int protected_fail(lua_State *L)
{
    struct worker *w = worker_of(L);
    struct orr_buf *out = &w->out->value;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &task_key);
    lua_setfield(L, 1, "task");
    if (orr_value_pack(L, 1, "error", out, &w->es, NULL) < 0) {
        orr_buf_clear(out);
        plain_error(L);
        if (orr_value_pack(L, 1, "error", out, &w->es, NULL) < 0)
            orr_buf_clear(out);
    }
    return 0;
}

/* --- a job ---------------------------------------------------------------- */

static int fail_with(lua_State *L, const struct orr_err *e)
{
    orr_push_err(L, e);
    return lua_error(L);
}

static void configure(lua_State *L, struct worker *w)
{
    const struct orr_pool_config *c = w->stop.job->config;
    struct orr_err e;
    if (c->generation == w->generation)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, w->configure);
    if (orr_value_push(L, c->bytes, c->len, &e) < 0)
        fail_with(L, &e);
    lua_call(L, 1, 0);
    w->generation = c->generation;
}

/* Where the function on top is written, for the error's 'task'. */
static void note_task(lua_State *L)
{
    lua_Debug ar;
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">S", &ar);
    lua_pushfstring(L, "%s:%d",
                    ar.source[0] == '@' ? ar.source + 1 : ar.short_src,
                    ar.linedefined);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &task_key);
}

/* The whole job, under the message handler. */
static int protected_run(lua_State *L)
{
    struct worker *w = worker_of(L);
    const struct orr_pool_job *job = w->stop.job;
    struct orr_err e;
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &task_key);
    orr_stop_arm(&w->stop, L);
    open_recorder(L, w);
    configure(L, w);
    lua_rawgeti(L, LUA_REGISTRYINDEX, w->begin);
    lua_call(L, 0, 1);                                  // env
    if (orr_func_load(L, job->code, job->ncode, 1) < 0) // env fn|err
        return lua_error(L);
    note_task(L);
    if (orr_value_push(L, job->args, job->nargs, &e) < 0) // env fn args
        return fail_with(L, &e);
    if (!lua_istable(L, 3))
        return luaL_error(L, "a job's arguments are a packed sequence");
    int n = (int)lua_rawlen(L, 3);
    luaL_checkstack(L, n + 1, "too many arguments");
    for (int i = 1; i <= n; i++)
        lua_rawgeti(L, 3, i);
    lua_remove(L, 3);  // env fn arg…
    lua_call(L, n, 1); // env value
    orr_stop_disarm(&w->stop, L);
    if (orr_stop_wanted(&w->stop))
        return orr_stop_raise(L);
    if (orr_value_pack(L, -1, "result", &w->out->value, &w->es, &e) < 0)
        return fail_with(L, &e);
    if (w->out->value.len > ORR_POOL_BYTES) {
        orr_err_set(&e, ORR_ELIMIT, "a result may have 1 GiB, not %zu bytes",
                    w->out->value.len);
        return fail_with(L, &e);
    }
    return 0;
}

static int protected_facts(lua_State *L)
{
    struct worker *w = worker_of(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, w->finish);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1))
        return 0;
    if (orr_value_pack(L, -1, "facts", &w->out->facts, &w->es, NULL) < 0)
        orr_buf_clear(&w->out->facts);
    return 0;
}

/* The error on top of the stack, written to the result; pops it. */
static void report(lua_State *L, struct worker *w, int status)
{
    w->out->rc = orr_stop_wanted(&w->stop) ? ORR_ECANCELLED
                 : status == LUA_ERRMEM    ? ORR_ENOMEM
                                           : ORR_EINVAL;
    orr_buf_clear(&w->out->value);
    if (status == LUA_ERRMEM || !lua_istable(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_pushcfunction(L, protected_fail);
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        orr_buf_clear(&w->out->value);
        lua_pop(L, 1);
    }
}

static void worker_run(void *ctx, const struct orr_pool_job *job,
                       struct orr_pool_result *out)
{
    struct worker *w = ctx;
    if (!w) {
        out->rc = ORR_ENOMEM;
        return;
    }
    lua_State *L = w->L;
    w->out = out;
    lua_settop(L, 0);
    orr_stop_begin(&w->stop, L, job);
    lua_pushcfunction(L, explain);
    lua_pushcfunction(L, protected_run);
    int status = lua_pcall(L, 0, 0, 1);
    orr_stop_disarm(&w->stop, L);
    if (status != LUA_OK)
        report(L, w, status);
    lua_pushcfunction(L, protected_facts);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
        orr_buf_clear(&out->facts);
    lua_settop(L, 0);
    orr_stop_end(&w->stop);
}

const struct orr_pool_runner orr_worker_runner = {.open = worker_open,
                                                  .run = worker_run,
                                                  .close = worker_close,
                                                  .lost = count_lost,
                                                  .signal = ORR_STOP_SIGNAL};
