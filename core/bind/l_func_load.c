/*
 * l_func_load: makes a function out of a dump of this process.
 *
 * The mark is checked before a byte is believed: damaged bytecode can crash
 * Lua. What follows runs protected, for 'require' may raise; all memory is
 * Lua's.
 */
#include <lauxlib.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/l_func.h"

/* Stack of the protected call. */
enum { ENV = 2, OBJECTS = 3, CELLS = 4 };

struct decoder {
    lua_State *L;
    const unsigned char *p, *end;
    lua_Integer nobjects, ncells;
};

static void decode(struct decoder *d);

static int damaged(struct decoder *d)
{
    return luaL_error(d->L, "damaged function dump");
}

static const unsigned char *take(struct decoder *d, size_t n)
{
    const unsigned char *at = d->p;
    if (n > (size_t)(d->end - d->p))
        damaged(d);
    d->p += n;
    return at;
}

static uint64_t take_u64(struct decoder *d)
{
    return orr_get_u64(take(d, 8));
}

static const char *take_bytes(struct decoder *d, size_t *n)
{
    *n = take_u64(d);
    return (const char *)take(d, *n);
}

/* Numbers the object on top of the stack. */
static void keep(struct decoder *d)
{
    lua_pushvalue(d->L, -1);
    lua_rawseti(d->L, OBJECTS, ++d->nobjects);
}

/* --- names ---------------------------------------------------------------- */

/* Pushes what 'require' of the environment gives for a module. */
static void require_module(struct decoder *d, const char *module)
{
    lua_State *L = d->L;
    if (lua_getfield(L, ENV, "require") != LUA_TFUNCTION) {
        lua_pop(L, 1);
        lua_getglobal(L, "require");
    }
    lua_pushstring(L, module);
    lua_call(L, 1, 1); // module
}

static void push_module(struct decoder *d, const char *module)
{
    lua_State *L = d->L;
    if (!strcmp(module, "_G"))
        lua_pushvalue(L, ENV);
    else if (orr_func_is_standard(module))
        lua_getfield(L, ENV, module);
    else
        require_module(d, module);
    if (lua_isnil(L, -1))
        luaL_error(L, "the library '%s' is not there", module);
}

static void decode_module(struct decoder *d)
{
    size_t n;
    const char *name = take_bytes(d, &n);
    lua_pushlstring(d->L, name, n); // name: keeps a NUL behind it
    push_module(d, lua_tostring(d->L, -1));
    lua_remove(d->L, -2);
}

static void decode_member(struct decoder *d)
{
    lua_State *L = d->L;
    size_t n;
    const char *name = take_bytes(d, &n);
    lua_pushlstring(L, name, n); // name
    const char *module = lua_tostring(L, -1);
    const char *field = module + strlen(module) + 1;
    push_module(d, module); // name module
    lua_pushlstring(L, field, n - (size_t)(field - module));
    if (lua_gettable(L, -2) == LUA_TNIL) // name module member
        luaL_error(L, "'%s.%s' is not there", module, field);
    lua_replace(L, -3);
    lua_pop(L, 1); // member
}

/* --- objects -------------------------------------------------------------- */

static void decode_table(struct decoder *d)
{
    lua_State *L = d->L;
    bool marked = *take(d, 1) != 0;
    uint64_t n = take_u64(d);
    lua_createtable(L, n < 65536 ? (int)n : 65536, 0); // t
    keep(d);
    for (uint64_t i = 1; i <= n; i++) {
        decode(d);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    for (uint64_t left = take_u64(d); left > 0; left--) {
        decode(d);
        decode(d); // t key value
        lua_rawset(L, -3);
    }
    if (marked)
        orr_mark_array(L, -1);
}

/* Joins upvalue 'i' of the function on top with a cell that was filled. */
static void join_cell(struct decoder *d, int i)
{
    lua_State *L = d->L;
    lua_Integer cell = (lua_Integer)take_u64(d);
    if (lua_rawgeti(L, CELLS, 2 * cell + 1) != LUA_TFUNCTION) // fn owner
        damaged(d);
    lua_rawgeti(L, CELLS, 2 * cell + 2); // fn owner n
    int n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    lua_upvaluejoin(L, -2, i, -1, n);
    lua_pop(L, 1);
}

/* A new cell: known before its value, which may lead back to it. */
static void fill_cell(struct decoder *d, int i)
{
    lua_State *L = d->L;
    lua_Integer cell = d->ncells++;
    lua_pushvalue(L, -1);
    lua_rawseti(L, CELLS, 2 * cell + 1);
    lua_pushinteger(L, i);
    lua_rawseti(L, CELLS, 2 * cell + 2);
    decode(d); // fn value
    lua_setupvalue(L, -2, i);
}

static void decode_closure(struct decoder *d)
{
    lua_State *L = d->L;
    size_t n;
    const char *code = take_bytes(d, &n);
    if (luaL_loadbufferx(L, code, n, "dump", "b") != LUA_OK) // fn
        lua_error(L);
    keep(d);
    for (int i = 1; lua_getupvalue(L, -1, i); i++) {
        lua_pop(L, 1);
        switch (*take(d, 1)) {
        case ORR_FUNC_ENV:
            lua_pushvalue(L, ENV);
            lua_setupvalue(L, -2, i);
            break;
        case ORR_FUNC_SEEN:
            join_cell(d, i);
            break;
        case ORR_FUNC_CELL:
            fill_cell(d, i);
            break;
        default:
            damaged(d);
        }
    }
}

static void decode_float(struct decoder *d)
{
    uint64_t bits = take_u64(d);
    double x;
    memcpy(&x, &bits, 8);
    lua_pushnumber(d->L, x);
}

static void decode_string(struct decoder *d)
{
    size_t n;
    const char *s = take_bytes(d, &n);
    lua_pushlstring(d->L, s, n);
}

static void decode_word(lua_State *L, int tag)
{
    if (tag == ORR_FUNC_NIL)
        lua_pushnil(L);
    else if (tag == ORR_FUNC_NULL)
        lua_pushlightuserdata(L, ORR_LUA_NULL);
    else
        lua_pushboolean(L, tag == ORR_FUNC_TRUE);
}

/* Pushes one value. */
static void decode(struct decoder *d)
{
    lua_State *L = d->L;
    luaL_checkstack(L, 12, "captured values nest too deep");
    switch (*take(d, 1)) {
    case ORR_FUNC_NIL:
    case ORR_FUNC_FALSE:
    case ORR_FUNC_TRUE:
    case ORR_FUNC_NULL:
        decode_word(L, d->p[-1]);
        break;
    case ORR_FUNC_INT:
        lua_pushinteger(L, (lua_Integer)take_u64(d));
        break;
    case ORR_FUNC_FLOAT:
        decode_float(d);
        break;
    case ORR_FUNC_STRING:
        decode_string(d);
        break;
    case ORR_FUNC_ENV:
        lua_pushvalue(L, ENV);
        break;
    case ORR_FUNC_MODULE:
        decode_module(d);
        break;
    case ORR_FUNC_MEMBER:
        decode_member(d);
        break;
    case ORR_FUNC_SEEN:
        lua_rawgeti(L, OBJECTS, (lua_Integer)take_u64(d) + 1);
        break;
    case ORR_FUNC_TABLE:
        decode_table(d);
        break;
    case ORR_FUNC_CLOSURE:
        decode_closure(d);
        break;
    default:
        damaged(d);
    }
}

static int protected_load(lua_State *L)
{
    struct decoder *d = lua_touserdata(L, 1);
    lua_newtable(L); // decoder env objects
    lua_newtable(L); // decoder env objects cells
    d->L = L;
    decode(d);
    if (d->p != d->end || !lua_isfunction(L, -1))
        damaged(d);
    return 1;
}

/* The error value on top becomes an error table with a message. */
static void as_err(lua_State *L)
{
    struct orr_err e;
    if (lua_istable(L, -1))
        return;
    const char *text = lua_tostring(L, -1);
    orr_err_set(&e, ORR_EINVAL, "%s", text ? text : "unknown error");
    lua_pop(L, 1);
    orr_push_err(L, &e);
}

int orr_func_load(lua_State *L, const void *bytes, size_t n, int env)
{
    unsigned char mac[ORR_FUNC_MAC];
    struct orr_err e;
    const unsigned char *p = bytes;
    env = lua_absindex(L, env);
    if (n < ORR_FUNC_MAC ||
        !orr_func_mac(L, p + ORR_FUNC_MAC, n - ORR_FUNC_MAC, mac) ||
        memcmp(mac, p, ORR_FUNC_MAC) != 0) {
        int rc = orr_err_set(&e, ORR_EINVAL,
                             "not a function that this process dumped");
        orr_push_err(L, &e);
        return rc;
    }
    struct decoder d = {.p = p + ORR_FUNC_MAC, .end = p + n};
    lua_pushcfunction(L, protected_load);
    lua_pushlightuserdata(L, &d);
    lua_pushvalue(L, env);
    if (lua_pcall(L, 2, 1, 0) == LUA_OK)
        return 0;
    as_err(L);
    return ORR_EINVAL;
}
