/* l_loop_spawn: core.Loop.spawn and core.Child. The spec's strings are lent to
 * the engine while the table on the stack keeps them alive. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/l_loop.h"
#include "engine/spawn.h"

#define CHILD_TYPE "orrery.child"

struct child {
    int64_t id;
    pid_t pid;
};

/* --- the spec -------------------------------------------------------------*/

/* Raw, because what a metamethod computes nobody would keep alive. */
static int field(lua_State *L, int spec, const char *key)
{
    lua_pushstring(L, key);
    return lua_rawget(L, spec);
}

/* Field 'key' of the spec as a C string without NUL, or NULL. */
static const char *opt_text(lua_State *L, int spec, const char *key)
{
    int type = field(L, spec, key); // value
    size_t n = 0;
    const char *s = NULL;
    if (type == LUA_TSTRING)
        s = lua_tolstring(L, -1, &n);
    else if (type != LUA_TNIL)
        luaL_error(L, "bad spec: '%s' must be a string, got %s", key,
                   luaL_typename(L, -1));
    if (s && strlen(s) != n)
        luaL_error(L, "bad spec: '%s' contains a zero byte", key);
    lua_pop(L, 1); // the spec keeps it
    return s;
}

static double opt_seconds(lua_State *L, int spec, const char *key, double def)
{
    field(L, spec, key); // value
    double v = def;
    if (lua_type(L, -1) == LUA_TNUMBER)
        v = lua_tonumber(L, -1);
    else if (!lua_isnil(L, -1))
        luaL_error(L, "bad spec: '%s' must be seconds, got %s", key,
                   luaL_typename(L, -1));
    lua_pop(L, 1);
    return v;
}

static bool opt_flag(lua_State *L, int spec, const char *key)
{
    field(L, spec, key);
    bool on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

/* The list under 'key' as a NULL-terminated array in a userdata that is left on
 * the stack (nil when there is no list). */
static const char *const *words(lua_State *L, int spec, const char *key)
{
    int type = field(L, spec, key); // list
    if (type == LUA_TNIL)
        return NULL;
    if (type != LUA_TTABLE)
        luaL_error(L, "bad spec: '%s' must be a list of strings, got %s", key,
                   luaL_typename(L, -1));
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    const char **v =
        lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *v, 0); // list array
    for (lua_Integer i = 0; i < n; i++) {
        size_t len;
        if (lua_rawgeti(L, -2, i + 1) != LUA_TSTRING) // list array word
            luaL_error(L, "bad spec: '%s[%I]' must be a string, got %s", key,
                       i + 1, luaL_typename(L, -1));
        v[i] = lua_tolstring(L, -1, &len);
        if (strlen(v[i]) != len)
            luaL_error(L, "bad spec: '%s[%I]' contains a zero byte", key,
                       i + 1);
        lua_pop(L, 1);
    }
    v[n] = NULL;
    lua_remove(L, -2); // array
    return v;
}

static enum orr_output output_of(lua_State *L, int spec)
{
    const char *s = opt_text(L, spec, "output");
    if (!s || !strcmp(s, "capture"))
        return ORR_OUTPUT_CAPTURE;
    if (!strcmp(s, "inherit"))
        return ORR_OUTPUT_INHERIT;
    if (strcmp(s, "merge") != 0)
        luaL_error(L,
                   "bad spec: 'output' must be \"capture\", \"inherit\" or "
                   "\"merge\", got \"%s\"",
                   s);
    return ORR_OUTPUT_MERGE;
}

static void read_input(lua_State *L, int i, struct orr_spec *spec)
{
    int type = field(L, i, "stdin"); // value
    if (type == LUA_TSTRING) {
        spec->bytes = lua_tolstring(L, -1, &spec->size);
        bool inherit = spec->size == 7 && !memcmp(spec->bytes, "inherit", 7);
        spec->input = inherit ? ORR_STDIN_INHERIT : ORR_STDIN_BYTES;
    } else if (type != LUA_TNIL && lua_toboolean(L, -1)) {
        luaL_error(L, "bad spec: 'stdin' must be a string or false, got %s",
                   luaL_typename(L, -1));
    } else if (spec->tty) {
        spec->input = ORR_STDIN_INHERIT;
    }
    lua_pop(L, 1);
}

/* Leaves the two arrays on the stack. */
static void read_spec(lua_State *L, int i, struct orr_spec *spec)
{
    *spec = (struct orr_spec){.limit = ORR_SPAWN_LIMIT};
    spec->argv = words(L, i, "argv");
    if (!spec->argv || !spec->argv[0])
        luaL_error(L, "bad spec: 'argv' must have at least one word");
    spec->env = words(L, i, "env");
    spec->file = opt_text(L, i, "file");
    spec->cwd = opt_text(L, i, "cwd");
    spec->tag = opt_text(L, i, "tag");
    spec->live = opt_flag(L, i, "live");
    spec->tty = opt_flag(L, i, "tty");
    spec->timeout = opt_seconds(L, i, "timeout", 0);
    spec->grace = opt_seconds(L, i, "grace", 2);
    spec->output = output_of(L, i);
    read_input(L, i, spec);
    double limit = opt_seconds(L, i, "limit", (double)ORR_SPAWN_LIMIT);
    if (limit >= 0 && limit < 1e15)
        spec->limit = (size_t)limit;
}

int orr_l_spawn(lua_State *L)
{
    struct orr_loop *loop = orr_check_loop(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    bool apart = lua_toboolean(L, 3);
    lua_settop(L, 2);
    struct orr_spec spec;
    read_spec(L, 2, &spec); // loop spec argv env
    struct child *ud = lua_newuserdatauv(L, sizeof *ud, 1);
    *ud = (struct child){-1, -1};
    luaL_setmetatable(L, CHILD_TYPE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1); // the child keeps its loop's box
    struct orr_err e;
    int rc = apart && !spec.tty ? orr_spawn_apart(loop, &spec, &ud->id, &e)
                                : orr_spawn(loop, &spec, &ud->id, &ud->pid, &e);
    return rc < 0 ? orr_fail(L, &e) : 1;
}

/* --- the child ------------------------------------------------------------*/

static int signal_number(lua_State *L, const char *name)
{
    if (!strncmp(name, "SIG", 3))
        name += 3;
    for (int i = 1; i < NSIG; i++) {
        const char *is = sigabbrev_np(i);
        if (is && !strcmp(is, name))
            return i;
    }
    return luaL_error(L, "unknown signal '%s'", name);
}

static int l_kill(lua_State *L)
{
    struct child *c = luaL_checkudata(L, 1, CHILD_TYPE);
    int sig = SIGTERM;
    double grace = -1;
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        const char *name = opt_text(L, 2, "signal");
        sig = name ? signal_number(L, name) : SIGTERM;
        grace = opt_seconds(L, 2, "grace", -1);
    }
    lua_getiuservalue(L, 1, 1); // loop's box
    struct orr_loop **loop = lua_touserdata(L, -1);
    if (loop && *loop)
        orr_child_kill(*loop, c->id, sig, grace);
    return 0;
}

static int l_index(lua_State *L)
{
    struct child *c = luaL_checkudata(L, 1, CHILD_TYPE);
    const char *key = luaL_checkstring(L, 2);
    if (!strcmp(key, "id"))
        lua_pushinteger(L, c->id);
    else if (!strcmp(key, "pid") && c->pid < 0)
        lua_pushnil(L);
    else if (!strcmp(key, "pid"))
        lua_pushinteger(L, c->pid);
    else
        lua_getfield(L, lua_upvalueindex(1), key);
    return 1;
}

void orr_l_child_type(lua_State *L)
{
    static const luaL_Reg methods[] = {{"kill", l_kill}, {NULL, NULL}};
    if (luaL_newmetatable(L, CHILD_TYPE)) { // mt
        luaL_newlib(L, methods);            // mt methods
        lua_pushcclosure(L, l_index, 1);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}
