/* l_lock: orrery.core.lock. Named locks between processes, in one file. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "bind/bind.h"
#include "bind/openers.h"
#include "engine/lock.h"

#define FILE_TYPE "orrery.lock.file"
#define LOCK_TYPE "orrery.lock"

struct file_box {
    struct orr_locks locks;
    char *path; /* owned; NULL when closed */
};

struct lock_box {
    uint64_t place;
    int held;
};

/* The file is made by the first try. */
static int l_open(lua_State *L)
{
    size_t n;
    const char *path = luaL_checklstring(L, 1, &n);
    luaL_argcheck(L, strlen(path) == n, 1, "a path has no zero bytes");
    struct file_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = (struct file_box){.locks = ORR_LOCKS_INIT};
    luaL_setmetatable(L, FILE_TYPE);
    box->path = orr_xstrdup(path);
    return 1;
}

static int l_try(lua_State *L)
{
    struct file_box *file = luaL_checkudata(L, 1, FILE_TYPE);
    luaL_argcheck(L, file->path, 1, "lock file is closed");
    size_t n;
    const char *name = luaL_checklstring(L, 2, &n);
    struct lock_box *box = lua_newuserdatauv(L, sizeof *box, 1); // lock
    box->held = 0;
    luaL_setmetatable(L, LOCK_TYPE);
    lua_pushvalue(L, 1); // lock file
    lua_setiuservalue(L, -2, 1);
    struct orr_err e;
    int rc = orr_locks_try(&file->locks, AT_FDCWD, file->path, name, n,
                           &box->place, &e);
    if (rc == ORR_EBUSY) {
        lua_pushnil(L);
        return 1;
    }
    if (rc < 0)
        return orr_fail(L, &e);
    box->held = 1;
    return 1;
}

/* A file that was closed first let go of all its locks. */
static int lock_close(lua_State *L)
{
    struct lock_box *box = luaL_checkudata(L, 1, LOCK_TYPE);
    lua_getiuservalue(L, 1, 1); // file
    struct file_box *file = luaL_testudata(L, -1, FILE_TYPE);
    if (box->held && file && file->path)
        orr_locks_release(&file->locks, box->place);
    box->held = 0;
    return 0;
}

static int l_close(lua_State *L)
{
    struct file_box *box = luaL_checkudata(L, 1, FILE_TYPE);
    if (box->path)
        orr_locks_fini(&box->locks);
    free(box->path);
    box->path = NULL;
    return 0;
}

int orr_open_lock(lua_State *L)
{
    static const luaL_Reg lib[] = {{"open", l_open}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"try", l_try}, {"close", l_close}, {NULL, NULL}};
    static const luaL_Reg lock_methods[] = {{"close", lock_close},
                                            {NULL, NULL}};
    orr_handle_type(L, FILE_TYPE, methods, l_close);
    orr_handle_type(L, LOCK_TYPE, lock_methods, lock_close);
    luaL_newlib(L, lib);
    return 1;
}
