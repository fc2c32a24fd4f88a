/* box: one metatable for all; the finaliser travels with the bytes. */
#include "bind/box.h"

#include <lauxlib.h>
#include <stddef.h>
#include <string.h>

#define BOX_TYPE "orrery.box"

struct box {
    void (*fini)(void *);
    max_align_t bytes[];
};

static int box_gc(lua_State *L)
{
    struct box *b = lua_touserdata(L, 1);
    void (*fini)(void *) = b->fini;
    b->fini = NULL;
    if (fini)
        fini(b->bytes);
    return 0;
}

void *orr_box_new(lua_State *L, size_t size, void (*fini)(void *))
{
    luaL_checkstack(L, 4, NULL);
    struct box *b = lua_newuserdatauv(L, sizeof *b + size, 0); // box
    b->fini = NULL;
    memset(b->bytes, 0, size);
    if (luaL_newmetatable(L, BOX_TYPE)) { // box mt
        lua_pushcfunction(L, box_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2); // box
    b->fini = fini;
    return b->bytes;
}

static void fini_buf(void *b)
{
    orr_buf_fini(b);
}

struct orr_buf *orr_box_buf(lua_State *L)
{
    return orr_box_new(L, sizeof(struct orr_buf), fini_buf);
}

void orr_box_close(lua_State *L, int idx)
{
    struct box *b = lua_touserdata(L, idx);
    void (*fini)(void *) = b->fini;
    b->fini = NULL;
    if (fini)
        fini(b->bytes);
}
