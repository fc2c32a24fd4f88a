/* state: the one table of openers, and what a fresh state is given. */
#include "host/state.h"

#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/slab.h"
#include "bind/l_func.h"
#include "bind/l_pool.h"
#include "bind/openers.h"
#include "host/embed.h"
#include "host/worker.h"

enum { WORKER_OK = 1 };

static const struct {
    const char *name;
    lua_CFunction open;
    int flags;
} openers[] = {
    {"orrery.core.sys", orr_open_sys, WORKER_OK},
    {"orrery.core.pack", orr_open_pack, WORKER_OK},
    {"orrery.core.json", orr_open_json, WORKER_OK},
    {"orrery.core.yaml", orr_open_yaml, WORKER_OK},
    {"orrery.core.hash", orr_open_hash, WORKER_OK},
    {"orrery.core.fs", orr_open_fs, WORKER_OK},
    {"orrery.core.func", orr_open_func, WORKER_OK},
    {"orrery.core.store", orr_open_store, WORKER_OK},
    {"orrery.core.git", orr_open_git, WORKER_OK},
    {"orrery.core.regex", orr_open_regex, WORKER_OK},
    {"orrery.core.registry", orr_open_registry, 0},
    {"orrery.core.index", orr_open_index, 0},
    {"orrery.core.lock", orr_open_lock, 0},
    {"orrery.core.plan", orr_open_plan, 0},
    {"orrery.core.pool", orr_open_pool, 0},
    {"orrery.core.loop", orr_open_loop, 0},
    {"orrery.core.proc", orr_open_proc, 0},
    {"orrery.core.term", orr_open_term, 0},
    {"orrery.core.sock", orr_open_sock, 0},
};

int luaopen_cjson(lua_State *L);

/* Opens a native module under its full name, so that messages carry it:
 * "bad argument #1 to 'orrery.core.pool.open'". */
static int open_native(lua_State *L)
{
    lua_CFunction open = lua_tocfunction(L, lua_upvalueindex(1));
    const char *name = luaL_checkstring(L, 1);
    luaL_requiref(L, name, open, 0);
    return 1;
}

/* Marks the functions this process dumps; shared by all its states. */
static unsigned char secret[ORR_FUNC_KEY];

static void make_secret(void)
{
    if (getentropy(secret, sizeof secret) < 0)
        abort();
}

/* --- a state with memory of its own --------------------------------------- */

/* While a state comes up it makes no garbage; so the collector first looks when
 * this much has been taken. */
enum { MAIN_KIB = 4096, WORKER_KIB = 512 };

/* What `orrery version` takes; a state that comes to run something. */
enum { MAIN_FIRST = 192 * 1024, WORKER_FIRST = 96 * 1024 };

/* As with luaL_newstate, warn() is silent until it is told "@on". A text may
 * come in pieces. */
static void warn_not(void *L, const char *text, int more);
static void warn(void *L, const char *text, int more);

static void warn_on(void *L, const char *text, int more)
{
    fprintf(stderr, "%s%s", text, more ? "" : "\n");
    lua_setwarnf(L, more ? warn_on : warn, L);
}

static void warn(void *L, const char *text, int more)
{
    if (!more && !strcmp(text, "@off")) {
        lua_setwarnf(L, warn_not, L);
        return;
    }
    fputs("Lua warning: ", stderr);
    warn_on(L, text, more);
}

static void warn_not(void *L, const char *text, int more)
{
    if (!more && !strcmp(text, "@on"))
        lua_setwarnf(L, warn, L);
}

static int panic(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    fprintf(stderr, "orrery: internal error: %s\n", text ? text : "not a text");
    return 0; // to abort
}

static lua_State *state_in(struct orr_slab *slab)
{
    lua_State *L = lua_newstate(orr_slab_alloc, slab);
    if (!L)
        return NULL;
    lua_atpanic(L, panic);
    lua_setwarnf(L, warn_not, L);
    return L;
}

#ifdef __SANITIZE_ADDRESS__

enum { FREE_ALL = true }; /* it wants to see that */

/* Each block by itself, so that going beyond one is seen. */
static lua_State *bare_state(enum orr_role role)
{
    (void)role;
    return luaL_newstate();
}

void orr_state_close(lua_State *L)
{
    lua_close(L);
}

#else

enum { FREE_ALL = false };

static lua_State *bare_state(enum orr_role role)
{
    struct orr_slab *slab =
        orr_slab_new(role == ORR_ROLE_MAIN ? MAIN_FIRST : WORKER_FIRST);
    lua_State *L = slab ? state_in(slab) : NULL;
    if (!L)
        orr_slab_free(slab);
    return L;
}

void orr_state_close(lua_State *L)
{
    void *slab;
    lua_getallocf(L, &slab);
    lua_close(L);
    orr_slab_free(slab);
}

#endif

/* --- its end -------------------------------------------------------------- */

struct last {
    bool ends;
    int code;
};

/* Finalisers are called last in, first out: this one is the last of all. A
 * script's os.exit(code, true) closes the state, too, and has its own code. */
static int end_process(lua_State *L)
{
    const struct last *last = lua_touserdata(L, 1);
    if (last->ends)
        exit(last->code);
    return 0;
}

static char last_key;

static void put_last(lua_State *L)
{
    struct last *last = lua_newuserdatauv(L, sizeof *last, 0); // last
    *last = (struct last){0};
    lua_createtable(L, 0, 1); // last mt
    lua_pushcfunction(L, end_process);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2); // last
    lua_rawsetp(L, LUA_REGISTRYINDEX, &last_key);
}

_Noreturn void orr_state_end(lua_State *L, int code, bool closed)
{
    if (!FREE_ALL && closed)
        exit(code);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &last_key) == LUA_TUSERDATA)
        *(struct last *)lua_touserdata(L, -1) = (struct last){true, code};
    lua_close(L);
    exit(code);
}

/* --- what it is given ----------------------------------------------------- */

/* All but what is of one process. */
static void furnish(lua_State *L, enum orr_role role)
{
    if (role == ORR_ROLE_MAIN && !FREE_ALL)
        put_last(L);
    luaL_openlibs(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE); // preload
    for (size_t i = 0; i < sizeof openers / sizeof *openers; i++) {
        if (role == ORR_ROLE_WORKER && !(openers[i].flags & WORKER_OK))
            continue;
        lua_pushcfunction(L, openers[i].open);
        lua_pushcclosure(L, open_native, 1);
        lua_setfield(L, -2, openers[i].name);
    }
    lua_pushcfunction(L, luaopen_cjson);
    lua_setfield(L, -2, "cjson");
    lua_pop(L, 1);
    orr_embed_install(L);
    if (role == ORR_ROLE_MAIN)
        orr_pool_set_runner(L, &orr_worker_runner);
}

void orr_state_enter(lua_State *L)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_secret);
    orr_func_set_key(L, secret);
}

lua_State *orr_state_new(enum orr_role role)
{
    lua_State *L = bare_state(role);
    if (!L)
        return NULL;
    lua_gc(L, LUA_GCSTEP, role == ORR_ROLE_MAIN ? -MAIN_KIB : -WORKER_KIB);
    furnish(L, role);
    orr_state_enter(L);
    return L;
}

lua_State *orr_state_within(struct orr_slab *slab)
{
    lua_State *L = state_in(slab);
    if (L)
        furnish(L, ORR_ROLE_MAIN);
    return L;
}

void orr_state_rest(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT); // from here it waits until twice as much is taken
    int now = lua_gc(L, LUA_GCCOUNT);
    if (2 * now < MAIN_KIB)
        lua_gc(L, LUA_GCSTEP, 2 * now - MAIN_KIB);
}
