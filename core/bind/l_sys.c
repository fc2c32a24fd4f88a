/* l_sys: orrery.core.sys. The process and the machine: clocks, ids,
 * environment. */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bind/bind.h"
#include "bind/openers.h"

extern char **environ;

static int l_mono(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)orr_clock_mono() / 1e9);
    return 1;
}

static int l_wall(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)orr_clock_wall() / 1e9);
    return 1;
}

static int l_stamp(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)orr_clock_stamp() / 1e9);
    return 1;
}

static int l_pid(lua_State *L)
{
    lua_pushinteger(L, getpid());
    return 1;
}

static int l_cpus(lua_State *L)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    lua_pushinteger(L, n);
    return 1;
}

static int l_memory(lua_State *L)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    if (pages < 0)
        return 0;
    lua_pushinteger(L, (lua_Integer)pages * sysconf(_SC_PAGESIZE));
    return 1;
}

static int l_environ(lua_State *L)
{
    lua_newtable(L); // env
    for (char **e = environ; *e; e++) {
        const char *eq = strchr(*e, '=');
        if (!eq)
            continue;
        lua_pushlstring(L, *e, (size_t)(eq - *e));
        lua_pushstring(L, eq + 1);
        lua_rawset(L, -3);
    }
    return 1;
}

static int l_random(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n > 0 && n <= 64, 1, "1 to 64 bytes");
    unsigned char bytes[64];
    struct orr_err e;
    size_t want = (size_t)n > sizeof bytes ? sizeof bytes : (size_t)n;
    if (getrandom(bytes, want, 0) != n) {
        orr_err_errno(&e, errno, "getrandom");
        return orr_fail(L, &e);
    }
    char hex[129];
    for (lua_Integer i = 0; i < n; i++) {
        hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    lua_pushlstring(L, hex, (size_t)(2 * n));
    return 1;
}

static int l_cwd(lua_State *L)
{
    char dir[PATH_MAX];
    if (!getcwd(dir, sizeof dir)) {
        struct orr_err e;
        orr_err_errno(&e, errno, "current directory");
        return orr_fail(L, &e);
    }
    lua_pushstring(L, dir);
    return 1;
}

static int l_usage(lua_State *L)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    lua_createtable(L, 0, 2); // usage
    lua_pushnumber(L, (lua_Number)r.ru_utime.tv_sec +
                          (lua_Number)r.ru_utime.tv_usec / 1e6 +
                          (lua_Number)r.ru_stime.tv_sec +
                          (lua_Number)r.ru_stime.tv_usec / 1e6);
    lua_setfield(L, -2, "cpu");
    lua_pushinteger(L, r.ru_maxrss * 1024);
    lua_setfield(L, -2, "rss");
    return 1;
}

/* Only where no loop can wait: on a worker. A cancelled one ends at the next
 * instruction, so it is short. */
static int l_nap(lua_State *L)
{
    lua_Number s = luaL_checknumber(L, 1);
    luaL_argcheck(L, s >= 0 && s <= 0.1, 1, "0 to 0.1 seconds");
    struct timespec t = {.tv_nsec = (long)(s * 1e9)};
    nanosleep(&t, NULL);
    return 0;
}

/* As debug.getinfo(level, "Sl") would tell, without a table for each asking. */
static int l_caller(lua_State *L)
{
    int level = (int)luaL_checkinteger(L, 1);
    size_t n;
    const char *own = luaL_checklstring(L, 2, &n);
    lua_Debug ar;
    for (int last = level + 27; level <= last; level++) {
        if (!lua_getstack(L, level, &ar) || !lua_getinfo(L, "Sl", &ar) ||
            *ar.what == 'C')
            return 0;
        if (strncmp(ar.source, own, n) != 0) {
            lua_pushstring(L, ar.source +
                                  (*ar.source == '@' || *ar.source == '='));
            lua_pushinteger(L, ar.currentline);
            return 2;
        }
    }
    return 0;
}

int orr_open_sys(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"mono", l_mono},     {"wall", l_wall},     {"stamp", l_stamp},
        {"pid", l_pid},       {"cpus", l_cpus},     {"environ", l_environ},
        {"random", l_random}, {"cwd", l_cwd},       {"usage", l_usage},
        {"nap", l_nap},       {"memory", l_memory}, {"caller", l_caller},
        {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_pushliteral(L, ORRERY_VERSION);
    lua_setfield(L, -2, "version");
    return 1;
}
