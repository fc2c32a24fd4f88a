/* l_fs: what the files of the fs binding share. */
#ifndef ORR_BIND_L_FS_H
#define ORR_BIND_L_FS_H

#include <lua.h>

#include "base/strs.h"

/* Pushes a boxed, empty list of strings. */
struct orr_strs *orr_box_strs(lua_State *L);

/* Pushes a sequence of the strings. */
void orr_push_strs(lua_State *L, const struct orr_strs *s);

int orr_l_fs_glob(lua_State *L);
int orr_l_fs_match(lua_State *L);
int orr_l_fs_disk(lua_State *L);
int orr_l_fs_access(lua_State *L);

#endif
