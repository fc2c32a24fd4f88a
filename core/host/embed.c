/* embed: a binary search over the build-time table, or a file when
 * ORRERY_LUA_DIR says so. */
#include "host/embed.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *name, const void *entry)
{
    return strcmp(name, ((const struct orr_embed_entry *)entry)->name);
}

static const struct orr_embed_entry *find(const char *name)
{
    return bsearch(name, orr_embed_table, orr_embed_count,
                   sizeof *orr_embed_table, by_name);
}

static int load_source(lua_State *L, const char *dir, const char *name)
{
    const char *rel = luaL_gsub(L, name, ".", "/");       // rel
    lua_pushfstring(L, "%s/%s.lua", dir, rel);            // rel path
    int rc = luaL_loadfilex(L, lua_tostring(L, -1), "t"); // rel path fn|msg
    if (rc == LUA_ERRFILE) {
        lua_pop(L, 1);
        lua_pushfstring(L, "%s/%s/init.lua", dir, rel);
        rc = luaL_loadfilex(L, lua_tostring(L, -1), "t");
        lua_remove(L, -2);
    }
    lua_replace(L, -3);
    lua_pop(L, 1); // fn|msg
    return rc;
}

const char *orr_embed_dir(void)
{
    const char *dir = getenv("ORRERY_LUA_DIR");
    return dir && *dir ? dir : NULL;
}

int orr_embed_load(lua_State *L, const char *name)
{
    const char *dir = orr_embed_dir();
    if (dir)
        return load_source(L, dir, name);
    const struct orr_embed_entry *e = find(name);
    if (!e) {
        lua_pushfstring(L, "no embedded module '%s'", name);
        return LUA_ERRFILE;
    }
    const char *chunk = lua_pushfstring(L, "@%s", name); // chunkname
    int rc = luaL_loadbufferx(L, orr_embed_bytes + e->offset, e->size, chunk,
                              "b"); // chunkname fn|msg
    lua_remove(L, -2);
    return rc;
}

static int searcher(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (strncmp(name, "orrery", 6) != 0 || (name[6] && name[6] != '.')) {
        lua_pushliteral(L, "");
        return 1;
    }
    int rc = orr_embed_load(L, name); // fn|msg
    if (rc == LUA_ERRFILE)
        return 1;
    if (rc != LUA_OK)
        return lua_error(L);
    lua_pushfstring(L, "orrery:%s", name); // fn where
    return 2;
}

void orr_embed_install(lua_State *L)
{
    lua_getglobal(L, "package");      // package
    lua_getfield(L, -1, "searchers"); // package searchers
    lua_Integer n = luaL_len(L, -1);
    for (lua_Integer i = n; i >= 2; i--) { // after preload, before files
        lua_geti(L, -1, i);
        lua_seti(L, -2, i + 1);
    }
    lua_pushcfunction(L, searcher);
    lua_seti(L, -2, 2);
    lua_pop(L, 2);
}
