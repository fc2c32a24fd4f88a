/* held: the box is made before the lock is taken, so nothing can be lost. */
#include "bind/held.h"

#include <stdbool.h>

#include "bind/bind.h"

#define HELD_TYPE "orrery.lock"

struct held_box {
    const struct orr_held_kind *kind;
    uint64_t place;
    bool held;
};

int orr_held_push(lua_State *L, const struct orr_held_kind *kind)
{
    size_t n;
    const char *name = luaL_checklstring(L, 2, &n);
    struct held_box *box = lua_newuserdatauv(L, sizeof *box, 1); // lock
    *box = (struct held_box){.kind = kind};
    luaL_setmetatable(L, HELD_TYPE);
    lua_pushvalue(L, 1); // lock owner
    lua_setiuservalue(L, -2, 1);
    struct orr_err e;
    int rc = kind->take(lua_touserdata(L, 1), name, n, &box->place, &e);
    if (rc == ORR_EBUSY) {
        lua_pushnil(L);
        return 1;
    }
    if (rc < 0)
        return orr_fail(L, &e);
    box->held = true;
    return 1;
}

static int held_close(lua_State *L)
{
    struct held_box *box = luaL_checkudata(L, 1, HELD_TYPE);
    lua_getiuservalue(L, 1, 1); // owner
    if (box->held)
        box->kind->release(lua_touserdata(L, -1), box->place);
    box->held = false;
    return 0;
}

void orr_held_open(lua_State *L)
{
    static const luaL_Reg methods[] = {{"close", held_close}, {NULL, NULL}};
    orr_handle_type(L, HELD_TYPE, methods, held_close);
}
