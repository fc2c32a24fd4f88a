/* l_proc: orrery.core.proc. What a command line means, without running it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/box.h"
#include "bind/openers.h"
#include "engine/cmdline.h"
#include "engine/program.h"
#include "engine/relay.h"

static int l_split(lua_State *L)
{
    size_t n, argc = 0;
    const char *cmd = luaL_checklstring(L, 1, &n);
    struct orr_buf *b = orr_box_buf(L); // buf
    int rc = orr_cmdline_split(cmd, n, b, &argc);
    if (rc < 0)
        return luaL_error(L, "out of memory");
    if (rc == 0)
        return 0;
    const char *at = (const char *)b->data;
    lua_createtable(L, (int)argc, 0); // buf argv
    for (size_t i = 0; i < argc; i++) {
        lua_pushstring(L, at);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
        at += strlen(at) + 1;
    }
    orr_buf_fini(b);
    return 1;
}

static int l_quote(lua_State *L)
{
    size_t n;
    const char *word = luaL_checklstring(L, 1, &n);
    struct orr_buf *b = orr_box_buf(L); // buf
    if (orr_cmdline_quote(word, n, b) < 0)
        return luaL_error(L, "out of memory");
    lua_pushlstring(L, (const char *)b->data, b->len);
    orr_buf_fini(b);
    return 1;
}

static int l_which(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const char *path = luaL_optstring(L, 2, getenv("PATH"));
    const char *cwd = luaL_optstring(L, 3, NULL);
    struct orr_buf *b = orr_box_buf(L); // buf
    if (orr_program_absolute(name, path, cwd, b) < 0)
        return 0;
    lua_pushstring(L, (const char *)b->data);
    orr_buf_fini(b);
    return 1;
}

/* For -C, before anything else has begun: no thread and no child of ours has
 * looked at a relative path yet. */
static int l_chdir(lua_State *L)
{
    const char *dir = orr_check_path(L, 1);
    struct orr_err e;
    if (chdir(dir) < 0) {
        orr_err_errno(&e, errno, "change to %s", dir);
        return orr_fail(L, &e);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int l_warden(lua_State *L)
{
    int sig = 0;
    prctl(PR_GET_PDEATHSIG, &sig);
    lua_pushboolean(L, sig == ORR_RELAY_ORPHANED);
    return 1;
}

int orr_open_proc(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"split", l_split}, {"quote", l_quote},   {"which", l_which},
        {"chdir", l_chdir}, {"warden", l_warden}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
