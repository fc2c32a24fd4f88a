/* l_lock: orrery.core.lock. Named locks between processes, in one file. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "bind/bind.h"
#include "bind/held.h"
#include "bind/openers.h"
#include "engine/lock.h"

#define FILE_TYPE "orrery.lock.file"

struct file_box {
    struct orr_locks locks;
    char *path; /* owned; NULL when closed */
};

/* The file is made by the first try. */
static int l_open(lua_State *L)
{
    const char *path = orr_check_path(L, 1);
    struct file_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = (struct file_box){.locks = ORR_LOCKS_INIT};
    luaL_setmetatable(L, FILE_TYPE);
    box->path = orr_xstrdup(path);
    return 1;
}

static int take_as(struct file_box *file, const char *name, size_t n,
                   enum orr_lock_how how, uint64_t *place, struct orr_err *e)
{
    return orr_locks_try(&file->locks, AT_FDCWD, file->path, name, n, how,
                         place, e);
}

static int own(void *owner, const char *name, size_t n, uint64_t *place,
               struct orr_err *e)
{
    return take_as(owner, name, n, ORR_LOCK_OWN, place, e);
}

static int share(void *owner, const char *name, size_t n, uint64_t *place,
                 struct orr_err *e)
{
    return take_as(owner, name, n, ORR_LOCK_SHARE, place, e);
}

static void release(void *owner, uint64_t place)
{
    struct file_box *file = owner;
    if (file->path)
        orr_locks_release(&file->locks, place);
}

static struct file_box *check_file(lua_State *L)
{
    struct file_box *file = luaL_checkudata(L, 1, FILE_TYPE);
    luaL_argcheck(L, file->path, 1, "lock file is closed");
    return file;
}

static int l_try(lua_State *L)
{
    static const struct orr_held_kind kind = {own, release};
    check_file(L);
    return orr_held_push(L, &kind);
}

static int l_share(lua_State *L)
{
    static const struct orr_held_kind kind = {share, release};
    check_file(L);
    return orr_held_push(L, &kind);
}

static int l_others(lua_State *L)
{
    size_t n;
    struct file_box *file = check_file(L);
    const char *name = luaL_checklstring(L, 2, &n);
    struct orr_err e;
    bool held;
    if (orr_locks_others(&file->locks, AT_FDCWD, file->path, name, n, &held,
                         &e) < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, held);
    return 1;
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
    static const luaL_Reg methods[] = {{"try", l_try},
                                       {"share", l_share},
                                       {"others", l_others},
                                       {"close", l_close},
                                       {NULL, NULL}};
    orr_handle_type(L, FILE_TYPE, methods, l_close);
    orr_held_open(L);
    luaL_newlib(L, lib);
    return 1;
}
