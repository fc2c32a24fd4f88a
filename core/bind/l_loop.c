/* l_loop: orrery.core.loop. The one blocking wait and what can end it. */
#include "bind/l_loop.h"

#include <signal.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/openers.h"

#define LOOP_TYPE "orrery.loop"
#define WAKER_TYPE "orrery.waker"

struct orr_loop *orr_check_loop(lua_State *L, int idx)
{
    struct orr_loop **ud = luaL_checkudata(L, idx, LOOP_TYPE);
    luaL_argcheck(L, *ud, idx, "the loop is closed");
    return *ud;
}

static int l_new(lua_State *L)
{
    struct orr_loop **ud = lua_newuserdatauv(L, sizeof *ud, 0);
    *ud = NULL;
    luaL_setmetatable(L, LOOP_TYPE);
    struct orr_err e;
    if (orr_loop_open(ud, &e) < 0)
        return orr_fail(L, &e);
    return 1;
}

static int l_close(lua_State *L)
{
    struct orr_loop **ud = luaL_checkudata(L, 1, LOOP_TYPE);
    struct orr_loop *loop = *ud;
    *ud = NULL;
    orr_loop_close(loop);
    return 0;
}

/* --- events ---------------------------------------------------------------*/

void orr_push_signal(lua_State *L, int signum)
{
    const char *name = sigabbrev_np(signum);
    if (name)
        lua_pushstring(L, name);
    else
        lua_pushfstring(L, "%d", signum);
}

static void set_bytes(lua_State *L, const char *key, const struct orr_buf *b)
{
    lua_pushlstring(L, b->data ? (const char *)b->data : "", b->len);
    lua_setfield(L, -2, key);
}

static void set_flag(lua_State *L, const char *key, bool on)
{
    if (!on)
        return;
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, lua_Number n)
{
    lua_pushnumber(L, n);
    lua_setfield(L, -2, key);
}

static void set_integer(lua_State *L, const char *key, lua_Integer n)
{
    lua_pushinteger(L, n);
    lua_setfield(L, -2, key);
}

static void set_exit(lua_State *L, const struct orr_exit *x)
{
    if (x->error) {
        orr_push_err(L, x->error);
        lua_setfield(L, -2, "error");
        return;
    }
    set_integer(L, "code", x->code);
    set_bytes(L, "stdout", &x->out[0]);
    set_bytes(L, "stderr", &x->out[1]);
    set_number(L, "cpu", x->cpu);
    set_number(L, "wall", x->wall);
    set_integer(L, "rss", x->rss);
    set_flag(L, "timed_out", x->timed_out);
    set_flag(L, "killed", x->killed);
    set_flag(L, "truncated", x->truncated);
    if (x->left)
        set_integer(L, "left", x->left);
    if (x->signal) {
        orr_push_signal(L, x->signal);
        lua_setfield(L, -2, "signal");
    }
}

static void push_event(lua_State *L, const struct orr_event *ev)
{
    static const char *const kinds[] = {"timer", "signal", "readable", "change",
                                        "wake",  "output", "exit"};
    lua_createtable(L, 0, ev->exit ? 10 : 4); // event
    set_integer(L, "id", ev->id);
    lua_pushstring(L, kinds[ev->kind]);
    lua_setfield(L, -2, "kind");
    switch (ev->kind) {
    case ORR_EVENT_TIMER:
    case ORR_EVENT_READABLE:
    case ORR_EVENT_WAKE:
        break;
    case ORR_EVENT_SIGNAL:
        lua_pushstring(L, ev->name);
        lua_setfield(L, -2, "name");
        break;
    case ORR_EVENT_CHANGE:
        set_bytes(L, "name", &ev->text);
        break;
    case ORR_EVENT_OUTPUT:
        set_integer(L, "stream", ev->stream);
        set_bytes(L, "data", &ev->text);
        break;
    case ORR_EVENT_EXIT:
        set_exit(L, ev->exit);
        break;
    }
}

/* Waits once more when the system interrupted; an error here means that the
 * process cannot wait at all, which no caller can mend. */
static int l_wait(lua_State *L)
{
    struct orr_loop *loop = orr_check_loop(L, 1);
    lua_Number timeout = luaL_optnumber(L, 2, -1);
    luaL_argcheck(L, timeout == timeout, 2, "not a number");
    const struct orr_event *events = NULL;
    size_t n = 0;
    struct orr_err e;
    if (orr_loop_wait(loop, timeout, &events, &n, &e) < 0) {
        orr_push_err(L, &e);
        return lua_error(L);
    }
    lua_createtable(L, (int)n, 0); // list
    for (size_t i = 0; i < n; i++) {
        push_event(L, &events[i]); // list event
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* --- sources --------------------------------------------------------------*/

static int l_timer(lua_State *L)
{
    struct orr_loop *loop = orr_check_loop(L, 1);
    lua_Number seconds = luaL_checknumber(L, 2);
    luaL_argcheck(L, seconds == seconds, 2, "not a number");
    lua_pushinteger(L, orr_loop_timer(loop, seconds));
    return 1;
}

static int push_id(lua_State *L, int rc, int64_t id, const struct orr_err *e)
{
    if (rc < 0)
        return orr_fail(L, e);
    lua_pushinteger(L, id);
    return 1;
}

static int l_signal(lua_State *L)
{
    struct orr_loop *loop = orr_check_loop(L, 1);
    const char *name = luaL_checkstring(L, 2);
    struct orr_err e;
    int64_t id = 0;
    int rc = orr_loop_signal(loop, name, &id, &e);
    return push_id(L, rc, id, &e);
}

static int check_fd(lua_State *L, int arg)
{
    lua_Integer fd = luaL_checkinteger(L, arg);
    luaL_argcheck(L, fd >= 0 && fd <= 1 << 30, arg, "not a file descriptor");
    return (int)fd;
}

static int l_readable(lua_State *L)
{
    struct orr_loop *loop = orr_check_loop(L, 1);
    struct orr_err e;
    int64_t id = 0;
    int rc = orr_loop_readable(loop, check_fd(L, 2), &id, &e);
    return push_id(L, rc, id, &e);
}

static int l_writable(lua_State *L)
{
    struct orr_loop *loop = orr_check_loop(L, 1);
    struct orr_err e;
    int64_t id = 0;
    int rc = orr_loop_writable(loop, check_fd(L, 2), &id, &e);
    return push_id(L, rc, id, &e);
}

static int l_watch(lua_State *L)
{
    struct orr_loop *loop = orr_check_loop(L, 1);
    const char *dir = luaL_checkstring(L, 2);
    struct orr_err e;
    int64_t id = 0;
    int rc = orr_loop_watch(loop, dir, &id, &e);
    return push_id(L, rc, id, &e);
}

static int l_forget(lua_State *L)
{
    struct orr_loop *loop = orr_check_loop(L, 1);
    orr_loop_forget(loop, luaL_checkinteger(L, 2));
    return 0;
}

static int l_suspend(lua_State *L)
{
    orr_loop_suspend(orr_check_loop(L, 1));
    return 0;
}

/* --- wakers ---------------------------------------------------------------*/

static int l_waker(lua_State *L)
{
    struct orr_loop *loop = orr_check_loop(L, 1);
    lua_Integer id = luaL_checkinteger(L, 2);
    struct orr_waker **ud = lua_newuserdatauv(L, sizeof *ud, 0);
    *ud = NULL;
    luaL_setmetatable(L, WAKER_TYPE);
    struct orr_err e;
    if (orr_loop_waker(loop, id, ud, &e) < 0)
        return orr_fail(L, &e);
    return 1;
}

static int l_waker_notify(lua_State *L)
{
    struct orr_waker **ud = luaL_checkudata(L, 1, WAKER_TYPE);
    luaL_argcheck(L, *ud, 1, "the waker is closed");
    orr_waker_notify(*ud);
    return 0;
}

static int l_waker_close(lua_State *L)
{
    struct orr_waker **ud = luaL_checkudata(L, 1, WAKER_TYPE);
    orr_waker_free(*ud);
    *ud = NULL;
    return 0;
}

int orr_open_loop(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"wait", l_wait},         {"timer", l_timer},
        {"signal", l_signal},     {"readable", l_readable},
        {"writable", l_writable}, {"watch", l_watch},
        {"forget", l_forget},     {"suspend", l_suspend},
        {"waker", l_waker},       {"spawn", orr_l_spawn},
        {"close", l_close},       {NULL, NULL}};
    static const luaL_Reg waker_methods[] = {
        {"notify", l_waker_notify}, {"close", l_waker_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};
    orr_handle_type(L, LOOP_TYPE, methods, l_close);
    orr_handle_type(L, WAKER_TYPE, waker_methods, l_waker_close);
    orr_l_child_type(L);
    luaL_newlib(L, functions);
    return 1;
}
