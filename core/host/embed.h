/*
 * embed: the Lua tree carried by the binary as bytecode, found by module name.
 * ORRERY_LUA_DIR=<dir> makes 'require' read the source tree instead.
 */
#ifndef ORR_HOST_EMBED_H
#define ORR_HOST_EMBED_H

#include <lua.h>
#include <stddef.h>

struct orr_embed_entry {
    const char *name; /* "orrery.face.main" */
    size_t offset, size;
};

/* Made at build time, sorted by file name. */
extern const struct orr_embed_entry orr_embed_table[];
extern const size_t orr_embed_count;
extern const char orr_embed_bytes[];

/* Where the source tree is read instead; NULL when it is not. */
const char *orr_embed_dir(void);

/* Puts the searcher for embedded modules first among package.searchers. */
void orr_embed_install(lua_State *L);

/* Loads module 'name' as a function; LUA_OK, or an error code and a message on
 * the stack; LUA_ERRFILE with a message when there is no such module. */
int orr_embed_load(lua_State *L, const char *name);

#endif
