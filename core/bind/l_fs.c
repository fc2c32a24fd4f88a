/* l_fs: orrery.core.fs. Files as Lua sees them; glob is in l_fs_glob.c. */
#include "bind/l_fs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "bind/bind.h"
#include "bind/box.h"
#include "bind/openers.h"
#include "engine/files.h"

static void fini_strs(void *p)
{
    orr_strs_fini(p);
}

struct orr_strs *orr_box_strs(lua_State *L)
{
    return orr_box_new(L, sizeof(struct orr_strs), fini_strs);
}

void orr_push_strs(lua_State *L, const struct orr_strs *s)
{
    int n = s->count < INT_MAX ? (int)s->count : INT_MAX;
    lua_createtable(L, n, 0); // list
    for (size_t i = 0; i < s->count; i++) {
        lua_pushlstring(L, orr_strs_at(s, i), s->items[i].len);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* true, or nil and the error. */
static int answer(lua_State *L, int rc, const struct orr_err *e)
{
    if (rc < 0)
        return orr_fail(L, e);
    lua_pushboolean(L, 1);
    return 1;
}

static int fail_errno(lua_State *L, const char *what, const char *path)
{
    struct orr_err e;
    orr_err_errno(&e, errno, "%s %s", what, path);
    return orr_fail(L, &e);
}

static int l_read(lua_State *L)
{
    const char *path = orr_check_path(L, 1);
    lua_Integer limit = luaL_optinteger(L, 2, LUA_MAXINTEGER);
    luaL_argcheck(L, limit >= 0, 2, "negative limit");
    struct orr_buf *b = orr_box_buf(L); // box
    int box = lua_gettop(L);
    struct orr_err e;
    if (orr_files_read(path, (size_t)limit, b, &e) < 0)
        return orr_fail(L, &e);
    lua_pushlstring(L, b->data ? (char *)b->data : "", b->len);
    orr_box_close(L, box);
    return 1;
}

static int l_write_atomic(lua_State *L)
{
    size_t n;
    const char *path = orr_check_path(L, 1);
    const char *bytes = luaL_checklstring(L, 2, &n);
    lua_Integer mode = -1;
    int sync = 0;
    if (!lua_isnoneornil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        orr_check_options(L, 3, (const char *[]){"mode", "sync", NULL});
        lua_getfield(L, 3, "mode");
        mode = luaL_optinteger(L, -1, -1);
        lua_getfield(L, 3, "sync"); // mode sync
        sync = lua_toboolean(L, -1);
        luaL_argcheck(L, mode >= -1 && mode <= 07777, 3, "mode out of range");
    }
    struct orr_err e;
    return answer(L, orr_files_write(path, bytes, n, (int)mode, sync, &e), &e);
}

static int l_append(lua_State *L)
{
    size_t n;
    const char *path = orr_check_path(L, 1);
    const char *bytes = luaL_checklstring(L, 2, &n);
    int sync = 0;
    if (!lua_isnoneornil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        orr_check_options(L, 3, (const char *[]){"sync", NULL});
        lua_getfield(L, 3, "sync");
        sync = lua_toboolean(L, -1);
    }
    struct orr_err e;
    return answer(L, orr_files_append(path, bytes, n, sync, &e), &e);
}

static const char *type_name(mode_t mode)
{
    if (S_ISREG(mode))
        return "file";
    if (S_ISDIR(mode))
        return "dir";
    return S_ISLNK(mode) ? "link" : "other";
}

static int push_stat(lua_State *L, const struct stat *st)
{
    lua_createtable(L, 0, 7); // stat
    lua_pushstring(L, type_name(st->st_mode));
    lua_setfield(L, -2, "type");
    lua_pushinteger(L, st->st_size);
    lua_setfield(L, -2, "size");
    lua_pushinteger(L, st->st_mode & 07777);
    lua_setfield(L, -2, "mode");
    lua_pushnumber(L, (lua_Number)st->st_mtim.tv_sec +
                          (lua_Number)st->st_mtim.tv_nsec / 1e9);
    lua_setfield(L, -2, "mtime");
    /* rounded as sys.stamp is, so that the two compare */
    const uint64_t changed = (uint64_t)st->st_ctim.tv_sec * 1000000000u +
                             (uint64_t)st->st_ctim.tv_nsec;
    lua_pushnumber(L, (lua_Number)changed / 1e9);
    lua_setfield(L, -2, "ctime");
    lua_pushinteger(L, (lua_Integer)st->st_ino);
    lua_setfield(L, -2, "ino");
    lua_pushinteger(L, (lua_Integer)st->st_dev);
    lua_setfield(L, -2, "dev");
    return 1;
}

static int l_stat(lua_State *L)
{
    const char *path = orr_check_path(L, 1);
    struct stat st;
    if (stat(path, &st) < 0)
        return fail_errno(L, "cannot stat", path);
    return push_stat(L, &st);
}

static int l_lstat(lua_State *L)
{
    const char *path = orr_check_path(L, 1);
    struct stat st;
    if (lstat(path, &st) < 0)
        return fail_errno(L, "cannot stat", path);
    return push_stat(L, &st);
}

static int l_list(lua_State *L)
{
    const char *path = orr_check_path(L, 1);
    struct orr_strs *names = orr_box_strs(L); // box
    int box = lua_gettop(L);
    struct orr_err e;
    if (orr_files_list(path, names, &e) < 0)
        return orr_fail(L, &e);
    orr_push_strs(L, names); // box list
    orr_box_close(L, box);
    return 1;
}

static int l_mkdir(lua_State *L)
{
    struct orr_err e;
    return answer(L, orr_files_mkdir(orr_check_path(L, 1), &e), &e);
}

static int l_remove(lua_State *L)
{
    struct orr_err e;
    return answer(L, orr_files_remove(orr_check_path(L, 1), &e), &e);
}

static int l_remove_tree(lua_State *L)
{
    struct orr_err e;
    return answer(L, orr_files_remove_tree(orr_check_path(L, 1), &e), &e);
}

static int l_rename(lua_State *L)
{
    const char *from = orr_check_path(L, 1), *to = orr_check_path(L, 2);
    struct orr_err e;
    int rc = 0;
    if (rename(from, to) < 0)
        rc = orr_err_errno(&e, errno, "cannot rename %s to %s", from, to);
    return answer(L, rc, &e);
}

static int l_symlink(lua_State *L)
{
    const char *target = orr_check_path(L, 1), *path = orr_check_path(L, 2);
    if (symlink(target, path) < 0)
        return fail_errno(L, "cannot make symlink", path);
    return answer(L, 0, NULL);
}

static int l_readlink(lua_State *L)
{
    const char *path = orr_check_path(L, 1);
    char target[PATH_MAX + 1];
    ssize_t n = readlink(path, target, sizeof target);
    if (n < 0)
        return fail_errno(L, "cannot read symlink", path);
    lua_pushlstring(L, target, (size_t)n);
    return 1;
}

static int l_realpath(lua_State *L)
{
    const char *path = orr_check_path(L, 1);
    char real[PATH_MAX + 1];
    if (!realpath(path, real))
        return fail_errno(L, "cannot resolve", path);
    lua_pushstring(L, real);
    return 1;
}

static int l_chmod(lua_State *L)
{
    const char *path = orr_check_path(L, 1);
    lua_Integer mode = luaL_checkinteger(L, 2);
    luaL_argcheck(L, mode >= 0 && mode <= 07777, 2, "mode out of range");
    if (chmod(path, (mode_t)mode) < 0)
        return fail_errno(L, "cannot change the mode of", path);
    return answer(L, 0, NULL);
}

static int l_copy(lua_State *L)
{
    const char *from = orr_check_path(L, 1), *to = orr_check_path(L, 2);
    struct orr_err e;
    return answer(L, orr_files_copy(from, to, &e), &e);
}

/* Another name of the same file; a copy where the file system has none. */
static int l_link(lua_State *L)
{
    const char *from = orr_check_path(L, 1), *to = orr_check_path(L, 2);
    struct orr_err e;
    if (link(from, to) == 0)
        return answer(L, 0, NULL);
    return answer(L, orr_files_copy(from, to, &e), &e);
}

static int l_safe_parent(lua_State *L)
{
    const char *root = orr_check_path(L, 1), *rel = orr_check_path(L, 2);
    struct orr_err e;
    return answer(L, orr_files_safe_parent(root, rel, &e), &e);
}

/* Pushes a box with the normal form of the argument. */
static struct orr_buf *normal_box(lua_State *L)
{
    size_t n;
    const char *path = luaL_checklstring(L, 1, &n);
    struct orr_buf *b = orr_box_buf(L);
    if (orr_path_normal(b, path, n) < 0)
        luaL_error(L, "not enough memory");
    return b;
}

static int l_normal(lua_State *L)
{
    struct orr_buf *b = normal_box(L); // box
    int box = lua_gettop(L);
    lua_pushlstring(L, (char *)b->data, b->len);
    orr_box_close(L, box);
    return 1;
}

static int l_inside(lua_State *L)
{
    struct orr_buf *b = normal_box(L); // box
    bool in =
        orr_path_inside((char *)b->data, b->len) && !memchr(b->data, 0, b->len);
    orr_box_close(L, lua_gettop(L));
    lua_pushboolean(L, in);
    return 1;
}

static int l_at(lua_State *L)
{
    const char *path = luaL_checkstring(L, 2);
    lua_settop(L, 2); // root path
    if (path[0] == '/')
        return 1;
    luaL_checkstring(L, 1);
    lua_pushliteral(L, "/");
    lua_insert(L, 2); // root slash path
    lua_concat(L, 3);
    return 1;
}

int orr_open_fs(lua_State *L)
{
    static const luaL_Reg functions[] = {{"glob", orr_l_fs_glob},
                                         {"match", orr_l_fs_match},
                                         {"read", l_read},
                                         {"write_atomic", l_write_atomic},
                                         {"append", l_append},
                                         {"stat", l_stat},
                                         {"lstat", l_lstat},
                                         {"list", l_list},
                                         {"mkdir", l_mkdir},
                                         {"remove", l_remove},
                                         {"remove_tree", l_remove_tree},
                                         {"rename", l_rename},
                                         {"symlink", l_symlink},
                                         {"readlink", l_readlink},
                                         {"realpath", l_realpath},
                                         {"chmod", l_chmod},
                                         {"copy", l_copy},
                                         {"link", l_link},
                                         {"normal", l_normal},
                                         {"at", l_at},
                                         {"inside", l_inside},
                                         {"safe_parent", l_safe_parent},
                                         {"disk", orr_l_fs_disk},
                                         {"access", orr_l_fs_access},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
