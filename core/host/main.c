/* main: makes the main state and hands argv to orrery.face.main. */
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/image.h"
#include "host/state.h"
#include "host/warden.h"

static int traceback(lua_State *L)
{
    const char *msg = luaL_tolstring(L, 1, NULL);
    luaL_traceback(L, L, msg, 1);
    return 1;
}

static void no_pipe(int sig)
{
    (void)sig;
}

/* Descriptors 0 to 2 exist, or the next file opened would become one of them.
 * A reader that went away is an error of write, not our end; handled and not
 * ignored, because programs we start would inherit the ignoring. */
static void settle(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            _exit(7);
    struct sigaction sa = {.sa_handler = no_pipe, .sa_flags = SA_RESTART};
    sigaction(SIGPIPE, &sa, NULL);
    signal(SIGCHLD, SIG_DFL); // ignored by our parent, it would lose statuses
}

int main(int argc, char **argv)
{
    settle();
    if (argc == 3 && !strcmp(argv[1], "--make-image")) // the build asks that
        return orr_image_make(argv[2]);
    if (orr_warden_wanted(argc, argv))
        orr_warden_start();
    lua_State *L = orr_image_take();
    if (!L)
        L = orr_state_new(ORR_ROLE_MAIN);
    if (!L) {
        fputs("orrery: error: out of memory\n", stderr);
        return 7;
    }
    lua_pushcfunction(L, traceback); // handler
    lua_getglobal(L, "require");     // handler require
    lua_pushliteral(L, "orrery.face.main");
    int rc = lua_pcall(L, 1, 1, 1); // handler main|msg
    if (rc == LUA_OK) {
        lua_createtable(L, argc, 1);
        for (int i = 0; i < argc; i++) {
            lua_pushstring(L, argv[i]);
            lua_rawseti(L, -2, i);
        }
        rc = lua_pcall(L, 1, 2, 1); // handler code closed|msg
    }
    int code = 7;
    bool closed = false;
    if (rc == LUA_OK) {
        code = (int)lua_tointeger(L, -2);
        closed = lua_toboolean(L, -1);
    } else {
        fprintf(stderr, "orrery: internal error: %s\n", lua_tostring(L, -1));
    }
    orr_state_end(L, code, closed);
}
