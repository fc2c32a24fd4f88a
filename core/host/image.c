/* image: a state in a section of the binary. */
#include "host/image.h"

#include <lauxlib.h>
#include <lualib.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/slab.h"
#include "host/embed.h"
#include "host/state.h"

enum { PAGE = 4096, ROOM = 2048 * 1024 - PAGE, DEEP = 1000 };

struct image {
    const void *self; /* where it lies; NULL: there is none */
    const void *code; /* where the code lay that it calls */
    struct orr_slab *slab;
    lua_State *L;
    unsigned char room[ROOM];
};

/* Named, so that the build finds it in the file. */
static struct image image
    __attribute__((section(".orrery.image"), aligned(PAGE))) = {0};

static const char *const streams[] = {"stdin", "stdout", "stderr"};
enum { STREAMS = sizeof streams / sizeof *streams };

/* The handles of the standard files are libc's, which lies elsewhere each
 * time. */
static void set_streams(lua_State *L, FILE *const files[STREAMS])
{
    lua_getglobal(L, LUA_IOLIBNAME); // io
    for (int i = 0; i < STREAMS; i++) {
        lua_getfield(L, -1, streams[i]); // io file
        ((luaL_Stream *)luaL_checkudata(L, -1, LUA_FILEHANDLE))->f = files[i];
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* --- taking it ------------------------------------------------------------ */

/* What the standard libraries read of the environment. */
static const char *const read_at_start[] = {"LUA_PATH", "LUA_PATH_5_4",
                                            "LUA_CPATH", "LUA_CPATH_5_4"};
enum { READ = sizeof read_at_start / sizeof *read_at_start };

static bool is_of_another_environment(void)
{
    for (int i = 0; i < READ; i++)
        if (getenv(read_at_start[i]))
            return true;
    return orr_embed_dir() != NULL;
}

/* Each process has its own random numbers. */
static void seed(lua_State *L)
{
    lua_Integer n[2];
    if (getentropy(n, sizeof n) < 0)
        abort();
    lua_getglobal(L, LUA_MATHLIBNAME); // math
    lua_getfield(L, -1, "randomseed"); // math randomseed
    lua_pushinteger(L, n[0]);
    lua_pushinteger(L, n[1]);
    lua_call(L, 2, 0);
    lua_pop(L, 1);
}

lua_State *orr_image_take(void)
{
    if (image.self != &image || image.code != (void *)lua_newstate ||
        is_of_another_environment())
        return NULL;
    image.self = NULL; // taken
    lua_State *L = image.L;
    orr_slab_release(image.slab);
    set_streams(L, (FILE *[STREAMS]){stdin, stdout, stderr});
    seed(L);
    orr_state_enter(L);
    return L;
}

/* --- making it ------------------------------------------------------------ */

static int fail(const char *why)
{
    fprintf(stderr, "orrery: error: the image cannot be made: %s\n", why);
    return 7;
}

struct range {
    uintptr_t from, to;
};

/* The memory that is there, but for the stack: no call is under way, though
 * the values true and nil keep what lay there in their unused halves. Addresses
 * as low as the binary's are left out, for numbers look like them; malloc gives
 * none of these here. Returns how many. */
static size_t foreign(struct range *out, size_t most)
{
    FILE *f = fopen("/proc/self/maps", "re");
    char line[512];
    size_t n = 0;
    while (f && n < most && fgets(line, sizeof line, f)) {
        char *rest;
        uintptr_t from = strtoull(line, &rest, 16);
        uintptr_t to = strtoull(rest + 1, NULL, 16);
        bool stack = (uintptr_t)line >= from && (uintptr_t)line < to;
        if (from > UINT32_MAX && !stack)
            out[n++] = (struct range){from, to};
    }
    if (f)
        fclose(f);
    return n;
}

static bool is_in(const struct range *list, size_t n, uintptr_t p)
{
    for (size_t i = 0; i < n; i++)
        if (p >= list[i].from && p < list[i].to)
            return true;
    return false;
}

/* Whether some word looks like the address of what another process will not
 * have. */
static bool leads_outside(size_t used)
{
    static struct range list[256];
    size_t n = foreign(list, sizeof list / sizeof *list);
    const uintptr_t *words = (const void *)image.room;
    for (size_t i = 0; i < used / sizeof *words; i++)
        if (is_in(list, n, words[i])) {
            fprintf(stderr, "orrery: at %zu of the image: %#jx\n",
                    i * sizeof *words, (uintmax_t)words[i]);
            return true;
        }
    return n == 0;
}

static bool write_to(const char *path)
{
    FILE *f = fopen(path, "wbe");
    if (!f)
        return false;
    bool ok = fwrite(&image, sizeof image, 1, f) == 1;
    return fclose(f) == 0 && ok;
}

/* What calls left above the top of the stack. */
static void wipe_stack(lua_State *L)
{
    luaL_checkstack(L, DEEP, NULL);
    for (int i = 0; i < DEEP; i++)
        lua_pushinteger(L, 0);
    lua_settop(L, 0);
}

/* The modules, and the state as it is between two calls. */
static bool fill(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "orrery.face.ready");
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        fail(lua_tostring(L, -1));
        return false;
    }
    set_streams(L, (FILE *[STREAMS]){NULL});
    wipe_stack(L);
    orr_state_rest(L);
    return true;
}

int orr_image_make(const char *path)
{
    if (image.self)
        return fail("this binary has one");
    for (int i = 0; i < READ; i++)
        unsetenv(read_at_start[i]);
    unsetenv("ORRERY_LUA_DIR");
    mallopt(M_MMAP_THRESHOLD, 0); // see foreign
    image.slab = orr_slab_within(image.room, sizeof image.room, 192 * 1024);
    image.L = orr_state_within(image.slab);
    if (!image.L)
        return fail("there is no room for a state");
    if (!fill(image.L))
        return 7;
    size_t used = orr_slab_used(image.slab);
    if (leads_outside(used))
        return fail("it refers to what only this process has");
    image.self = &image;
    image.code = (void *)lua_newstate;
    return write_to(path) ? 0 : fail("it cannot be written");
}
