/*
 * l_func_names: which objects travel by name instead of by value.
 *
 * Standard libraries are looked up in a table made once per state. Modules and
 * their members are indexed once per dump, and only when something asks: most
 * functions capture neither. An object with several names takes the least, so
 * that the order of a table never shows: Orrery's modules before others, then
 * by bytes.
 */
#include <lauxlib.h>
#include <string.h>

#include "bind/l_func.h"

static const char *const standard[] = {
    "_G",   "string",    "table",   "math",  "io", "os",
    "utf8", "coroutine", "package", "debug", NULL};

static const char names_key = 0; /* registry key, by address */

bool orr_func_is_standard(const char *module)
{
    for (const char *const *s = standard; *s; s++)
        if (!strcmp(*s, module))
            return true;
    return false;
}

/* "module\0field" for the member whose key is at 'key'; pushes it. */
static void push_member(lua_State *L, const char *module, int key)
{
    lua_pushvalue(L, key); // key
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    luaL_addstring(&b, module);
    luaL_addchar(&b, '\0');
    lua_pushvalue(L, key);
    luaL_addvalue(&b);
    luaL_pushresult(&b); // key name
    lua_remove(L, -2);   // name
}

/* Pops a member's name: is it one of the standard libraries as they came? */
static bool is_known(lua_State *L, int known)
{
    bool found = lua_rawget(L, known) == LUA_TBOOLEAN;
    lua_pop(L, 1);
    return found;
}

/* Names the functions of the table on top of the stack, in the table 'into'.
 * With 'known' 0 they are the originals: C functions, noted as known. Else they
 * may be anything that stands in for a known one. */
static void add_standard_members(lua_State *L, const char *module, int into,
                                 int known)
{
    int lib = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, lib); lua_settop(L, lib + 1)) { // key fn
        if (!lua_isfunction(L, -1) || lua_type(L, -2) != LUA_TSTRING)
            continue;
        push_member(L, module, lib + 1); // key fn name
        if (known) {
            lua_pushvalue(L, -1);
            if (!is_known(L, known))
                continue;
        } else {
            if (!lua_iscfunction(L, lib + 2))
                continue;
            lua_pushvalue(L, -1);
            lua_pushboolean(L, 1);
            lua_rawset(L, into);
        }
        lua_rawset(L, into); // key
    }
}

/* Names the standard libraries found in the table at 'from'. */
static void add_standard(lua_State *L, int from, int into, int known)
{
    for (const char *const *s = standard + 1; *s; s++) {
        lua_pushstring(L, *s);
        if (lua_rawget(L, from) == LUA_TTABLE) { // lib
            lua_pushvalue(L, -1);
            lua_pushstring(L, *s);
            lua_rawset(L, into); // lib
            add_standard_members(L, *s, into, known);
        }
        lua_pop(L, 1);
    }
    lua_pushvalue(L, from); // env
    add_standard_members(L, "_G", into, known);
    lua_pop(L, 1);
}

void orr_func_names_open(lua_State *L)
{
    lua_newtable(L); // names
    int into = lua_gettop(L);
    lua_pushglobaltable(L); // names globals
    add_standard(L, into + 1, into, 0);
    lua_pop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &names_key);
}

static int rank(const char *name)
{
    return strncmp(name, "orrery", 6) != 0;
}

/* Is the name on top of the stack better than the one below it (or nil)? */
static bool better(lua_State *L)
{
    if (lua_isnil(L, -2))
        return true;
    size_t na, nb;
    const char *a = lua_tolstring(L, -1, &na), *b = lua_tolstring(L, -2, &nb);
    if (rank(a) != rank(b))
        return rank(a) < rank(b);
    int c = memcmp(a, b, na < nb ? na : nb);
    return c ? c < 0 : na < nb;
}

/* Pops a name; gives it to the object at 'obj' unless that has a better. */
static void offer(struct orr_func_walk *w, int obj)
{
    lua_State *L = w->L;
    lua_pushvalue(L, obj);
    lua_rawget(L, w->names); // name old
    lua_insert(L, -2);       // old name
    if (better(L)) {
        lua_pushvalue(L, obj); // old name obj
        lua_insert(L, -2);     // old obj name
        lua_rawset(L, w->names);
        lua_pop(L, 1);
    } else {
        lua_pop(L, 2);
    }
}

/* Does a Lua function of this module travel by name? Only when a change of its
 * source would be seen in the identity, or it is ours. */
static bool vouched(struct orr_func_walk *w, const char *module)
{
    if (!strncmp(module, "orrery", 6) && (!module[6] || module[6] == '.'))
        return true;
    if (!w->modules)
        return false;
    bool known = lua_getfield(w->L, w->modules, module) != LUA_TNIL;
    lua_pop(w->L, 1);
    return known;
}

/* The value on top is a module's, or a module itself: may a name stand for it?
 */
static bool nameable(struct orr_func_walk *w, const char *module)
{
    switch (lua_type(w->L, -1)) {
    case LUA_TTABLE:
        return true;
    case LUA_TFUNCTION:
        return lua_iscfunction(w->L, -1) || vouched(w, module);
    default:
        return false;
    }
}

static void add_members(struct orr_func_walk *w, const char *module)
{
    lua_State *L = w->L;
    int lib = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, lib); lua_pop(L, 1)) { // key fn
        if (!lua_isfunction(L, -1) || lua_type(L, -2) != LUA_TSTRING ||
            !nameable(w, module))
            continue;
        push_member(L, module, lua_gettop(L) - 1); // key fn name
        offer(w, lua_gettop(L) - 1);
    }
}

static void add_modules(struct orr_func_walk *w, bool members)
{
    lua_State *L = w->L;
    for (lua_pushnil(L); lua_next(L, w->loaded); lua_pop(L, 1)) { // name mod
        if (lua_type(L, -2) != LUA_TSTRING)
            continue;
        const char *name = lua_tostring(L, -2);
        if (orr_func_is_standard(name) || !nameable(w, name))
            continue;
        if (!members) {
            lua_pushvalue(L, -2); // name mod name
            offer(w, lua_gettop(L) - 1);
        } else if (lua_istable(L, -1)) {
            add_members(w, name);
        }
    }
}

static void index_names(struct orr_func_walk *w, bool members)
{
    lua_State *L = w->L;
    if (!w->names) {
        lua_newtable(L);
        lua_replace(L, w->names_slot);
        w->names = w->names_slot;
        if (w->env) {
            lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key); // known
            add_standard(L, w->env, w->names, lua_gettop(L));
            lua_pop(L, 1);
        }
        add_modules(w, false);
    }
    if (members && !w->members_known) {
        w->members_known = true;
        add_modules(w, true);
    }
}

bool orr_func_name(struct orr_func_walk *w, int idx)
{
    lua_State *L = w->L;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key); // standard
    lua_pushvalue(L, idx);
    lua_rawget(L, -2); // standard name?
    lua_remove(L, -2);
    if (lua_isstring(L, -1))
        return true;
    lua_pop(L, 1);
    index_names(w, !lua_istable(L, idx));
    lua_pushvalue(L, idx);
    if (lua_rawget(L, w->names) == LUA_TSTRING)
        return true;
    lua_pop(L, 1);
    return false;
}
