/* l_pool: orrery.core.pool: Lua functions on other threads. */
#include "bind/l_pool.h"

#include <lauxlib.h>
#include <string.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/box.h"
#include "bind/openers.h"
#include "engine/loop.h"
#include "engine/pack.h"

#define POOL_TYPE "orrery.pool"

static const char runner_key = 0; /* registry key, by address */

void orr_pool_set_runner(lua_State *L, const struct orr_pool_runner *runner)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)runner);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &runner_key);
}

struct box {
    struct orr_pool *pool;
    struct orr_waker *waker; /* a share in it, or NULL */
};

static struct orr_pool *check_pool(lua_State *L)
{
    struct box *ud = luaL_checkudata(L, 1, POOL_TYPE);
    luaL_argcheck(L, ud->pool, 1, "the pool is closed");
    return ud->pool;
}

static int l_close(lua_State *L)
{
    struct box *ud = luaL_checkudata(L, 1, POOL_TYPE);
    orr_pool_close(ud->pool);
    orr_waker_free(ud->waker);
    *ud = (struct box){0};
    return 0;
}

static void wake(void *arg)
{
    orr_waker_notify(arg);
}

static lua_Number number_option(lua_State *L, const char *name, lua_Number def,
                                lua_Number least, lua_Number most)
{
    lua_Number n = def;
    if (lua_getfield(L, 1, name) != LUA_TNIL) {
        n = lua_tonumber(L, -1);
        if (!lua_isnumber(L, -1) || !(n >= least && n <= most))
            luaL_error(L, "bad option '%s' of 'orrery.core.pool.open'", name);
    }
    lua_pop(L, 1);
    return n;
}

/* A share in a waker of opts.loop for opts.id; NULL without a loop. */
static struct orr_waker *take_waker(lua_State *L)
{
    if (lua_getfield(L, 1, "loop") == LUA_TNIL)
        return NULL;
    lua_getfield(L, -1, "waker"); // loop waker()
    lua_insert(L, -2);
    lua_getfield(L, 1, "id");
    lua_call(L, 2, 1); // waker
    return orr_waker_ref(
        *(struct orr_waker **)luaL_checkudata(L, -1, "orrery.waker"));
}

static int l_open(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct orr_pool_options opt = {
        .threads = (int)number_option(L, "threads",
                                      (lua_Number)sysconf(_SC_NPROCESSORS_ONLN),
                                      1, ORR_POOL_THREADS),
        .queue = (size_t)number_option(L, "queue", 1024, 1, 1e9),
        .grace = number_option(L, "grace", 2, 0, 86400),
    };
    struct orr_err e;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &runner_key);
    const struct orr_pool_runner *runner = lua_touserdata(L, -1);
    if (!runner) {
        orr_err_set(&e, ORR_EINVAL, "this state cannot have a pool");
        return orr_fail(L, &e);
    }
    struct box *ud = lua_newuserdatauv(L, sizeof *ud, 0);
    *ud = (struct box){0};
    luaL_setmetatable(L, POOL_TYPE);
    int at = lua_gettop(L);
    ud->waker = take_waker(L);
    if (ud->waker) {
        opt.wake = wake;
        opt.wake_arg = ud->waker;
    }
    if (orr_pool_open(runner, &opt, &ud->pool, &e) < 0)
        return orr_fail(L, &e);
    lua_settop(L, at);
    return 1;
}

static int l_submit(lua_State *L)
{
    struct orr_pool *p = check_pool(L);
    size_t ncode, nargs;
    const char *code = luaL_checklstring(L, 2, &ncode);
    const char *args = luaL_checklstring(L, 3, &nargs);
    struct orr_err e;
    int64_t id;
    if (orr_pool_submit(p, code, ncode, args, nargs, &id, &e) < 0)
        return orr_fail(L, &e);
    lua_pushinteger(L, id);
    return 1;
}

static int l_configure(lua_State *L)
{
    struct orr_pool *p = check_pool(L);
    size_t n;
    const char *bytes = luaL_checklstring(L, 2, &n);
    struct orr_err e;
    if (orr_pool_configure(p, bytes, n, &e) < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_cancel(lua_State *L)
{
    struct orr_pool *p = check_pool(L);
    lua_pushboolean(L, orr_pool_cancel(p, luaL_checkinteger(L, 2)));
    return 1;
}

static int l_wait(lua_State *L)
{
    struct orr_pool *p = check_pool(L);
    lua_Number seconds = luaL_optnumber(L, 2, -1);
    luaL_argcheck(L, seconds == seconds, 2, "not a number");
    lua_pushboolean(L, orr_pool_wait(p, seconds));
    return 1;
}

struct taken {
    struct orr_pool_result r;
    struct orr_entries es;
};

static void taken_fini(void *arg)
{
    struct taken *t = arg;
    orr_buf_fini(&t->r.value);
    orr_buf_fini(&t->r.facts);
    orr_entries_fini(&t->es);
}

/* { code, message } for a failure nobody wrote a text for. */
static void describe(struct taken *t)
{
    struct orr_err e = {.rc = t->r.rc};
    struct orr_buf *b = &t->r.value;
    struct orr_pack_map m;
    const char *code = orr_err_code(&e);
    const char *text = t->r.rc == ORR_ECANCELLED ? "cancelled"
                       : t->r.rc == ORR_ENOMEM   ? "not enough memory"
                                                 : "failed";
    orr_pack_open(b);
    orr_pack_map_begin(b, &t->es, &m);
    orr_pack_key_str(b, &t->es, "code", 4);
    orr_pack_str(b, code, strlen(code));
    orr_pack_key_str(b, &t->es, "message", 7);
    orr_pack_str(b, text, strlen(text));
    orr_pack_map_end(b, &t->es, &m);
}

static void push_buf(lua_State *L, const struct orr_buf *b)
{
    lua_pushlstring(L, b->len ? (const char *)b->data : "", b->len);
}

static int l_take(lua_State *L)
{
    struct orr_pool *p = check_pool(L);
    lua_settop(L, 1);
    struct taken *t = orr_box_new(L, sizeof *t, taken_fini); // pool box
    if (!orr_pool_take(p, &t->r)) {
        orr_box_close(L, 2);
        return 0;
    }
    if (t->r.rc < 0 && t->r.value.len == 0)
        describe(t);
    lua_pushinteger(L, t->r.id);
    lua_pushboolean(L, t->r.rc == 0);
    push_buf(L, &t->r.value);
    push_buf(L, &t->r.facts); // pool box id ok value facts
    orr_box_close(L, 2);
    return 4;
}

static int l_stats(lua_State *L)
{
    struct orr_pool_stats s;
    orr_pool_stats(check_pool(L), &s);
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, s.threads);
    lua_setfield(L, -2, "threads");
    lua_pushinteger(L, s.running);
    lua_setfield(L, -2, "running");
    lua_pushinteger(L, s.lost);
    lua_setfield(L, -2, "lost");
    lua_pushinteger(L, (lua_Integer)s.queued);
    lua_setfield(L, -2, "queued");
    lua_pushinteger(L, (lua_Integer)s.finished);
    lua_setfield(L, -2, "done");
    return 1;
}

int orr_open_pool(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"submit", l_submit},       {"cancel", l_cancel}, {"take", l_take},
        {"configure", l_configure}, {"wait", l_wait},     {"stats", l_stats},
        {"close", l_close},         {NULL, NULL}};
    static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
    orr_handle_type(L, POOL_TYPE, methods, l_close);
    luaL_newlib(L, functions);
    return 1;
}
