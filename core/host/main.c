/* main: makes the main state and hands argv to orrery.face.main. */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <unistd.h>

#include "host/embed.h"
#include "host/state.h"
#include "host/worker.h"

static int traceback(lua_State *L)
{
    const char *msg = luaL_tolstring(L, 1, NULL);
    luaL_traceback(L, L, msg, 1);
    return 1;
}

int main(int argc, char **argv)
{
    lua_State *L = orr_state_new(ORR_ROLE_MAIN);
    if (!L) {
        fputs("orrery: error: out of memory\n", stderr);
        return 7;
    }
    lua_pushcfunction(L, traceback);                // handler
    int rc = orr_embed_load(L, "orrery.face.main"); // handler fn|msg
    if (rc == LUA_OK)
        rc = lua_pcall(L, 0, 1, 1); // handler main|msg
    if (rc == LUA_OK) {
        lua_createtable(L, argc, 1);
        for (int i = 0; i < argc; i++) {
            lua_pushstring(L, argv[i]);
            lua_rawseti(L, -2, i);
        }
        rc = lua_pcall(L, 1, 1, 1); // handler code|msg
    }
    int code = 7;
    if (rc == LUA_OK)
        code = (int)lua_tointeger(L, -1);
    else
        fprintf(stderr, "orrery: internal error: %s\n", lua_tostring(L, -1));
    lua_close(L);
    if (orr_worker_lost() > 0) {
        fflush(stdout);
        _exit(code);
    }
    return code;
}
