/* l_fs_disk: fs.disk and fs.access of orrery.core.fs. */
#include <unistd.h>

#include "bind/bind.h"
#include "bind/l_fs.h"
#include "engine/disk.h"

int orr_l_fs_disk(lua_State *L)
{
    const char *dir = orr_check_path(L, 1);
    struct orr_disk d;
    struct orr_err e;
    if (orr_disk_look(dir, &d, &e) < 0)
        return orr_fail(L, &e);
    lua_createtable(L, 0, 4); // disk
    lua_pushstring(L, d.type);
    lua_setfield(L, -2, "type");
    lua_pushinteger(L, (lua_Integer)d.size);
    lua_setfield(L, -2, "size");
    lua_pushinteger(L, (lua_Integer)d.free);
    lua_setfield(L, -2, "free");
    lua_pushboolean(L, d.clones);
    lua_setfield(L, -2, "clones");
    return 1;
}

int orr_l_fs_access(lua_State *L)
{
    const char *path = orr_check_path(L, 1);
    static const char *const names[] = {"read", "write", "execute", NULL};
    static const int how[] = {R_OK, W_OK, X_OK};
    lua_pushboolean(
        L, orr_disk_may(path, how[luaL_checkoption(L, 2, NULL, names)]));
    return 1;
}
