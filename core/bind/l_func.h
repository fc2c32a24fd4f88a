/*
 * l_func: what the parts of orrery.core.func share, and what host gives it.
 *
 * A dump is a closure graph in pre-order. Objects (tables, Lua functions) are
 * numbered as they appear, and so are upvalue cells, so that shared and
 * recursive ones stay shared:
 *
 *   value    = NIL | FALSE | TRUE | NULL
 *            | INT 8 bytes | FLOAT 8 bytes | STRING n bytes
 *            | ENV                         the receiver's own environment
 *            | MODULE name | MEMBER name field
 *            | SEEN object
 *            | TABLE marked n values m (key value)…     a new object
 *            | CLOSURE code n upvalue…                  a new object
 *   upvalue  = ENV | SEEN cell | CELL value             a new cell
 *
 * The same walk with 'canon' set writes the canonical form: a closure's code is
 * its digest, a module carries its digest; that is hashed for the identity.
 */
#ifndef ORR_BIND_L_FUNC_H
#define ORR_BIND_L_FUNC_H

#include <lua.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    ORR_FUNC_NIL = 'n',
    ORR_FUNC_FALSE = 'F',
    ORR_FUNC_TRUE = 'T',
    ORR_FUNC_NULL = '0',
    ORR_FUNC_INT = 'i',
    ORR_FUNC_FLOAT = 'd',
    ORR_FUNC_STRING = 's',
    ORR_FUNC_ENV = 'e',
    ORR_FUNC_MODULE = 'm',
    ORR_FUNC_MEMBER = 'f',
    ORR_FUNC_SEEN = 'r',
    ORR_FUNC_TABLE = 't',
    ORR_FUNC_CLOSURE = 'L',
    ORR_FUNC_CELL = 'u',
};

enum {
    ORR_FUNC_KEY = 32,   /* bytes of the process's secret */
    ORR_FUNC_MAC = 16,   /* bytes of it that mark a dump */
    ORR_FUNC_DEPTH = 100 /* tables in tables, as for pack */
};

/* Gives the state the secret that marks this process's dumps; the same for all
 * states. Without it dump and load fail. */
void orr_func_set_key(lua_State *L, const unsigned char key[ORR_FUNC_KEY]);

/* Loads a dump into the environment at index 'env': pushes the function, or an
 * error table; returns 0 or ORR_E*. Raises nothing. */
int orr_func_load(lua_State *L, const void *bytes, size_t n, int env);

/* One dump under way. The integers are absolute stack indices of tables. */
struct orr_func_walk {
    lua_State *L;
    struct orr_buf *out;
    bool canon;
    bool informed; /* uses and digests are wanted, too */
    int seen;      /* object → number */
    int cells;     /* upvalue id → number */
    lua_Integer nseen, ncells;
    int digests;        /* function → digest of its code */
    int names_slot;     /* where 'names' will be */
    int names;          /* object → module, or module NUL field; 0 at first */
    bool members_known; /* 'names' holds members, too */
    int modules;        /* name → digest, given by the caller, or 0 */
    int env;            /* the sender's environment, or 0 */
    int loaded;         /* name → module */
    int used;           /* set of module names that were met */
    int root;           /* the function dumped */
    const char *source; /* its chunk name; valid while it lives */
    int globals, sets;  /* name → line, of all functions met */
    int assigns;        /* name → line, of the root only */
    struct orr_err *e;
};

/* The environment and standard libraries by name, once per state. */
void orr_func_names_open(lua_State *L);

/* Pushes the name of the object at 'idx' ("module" or "module\0field") and
 * returns true, or pushes nothing. */
bool orr_func_name(struct orr_func_walk *w, int idx);

/* True for "_G", "string", "table" …: resolved in an environment, not by
 * require. */
bool orr_func_is_standard(const char *module);

/* Appends the value at 'idx' to w->out; 'root' is the first word of paths in
 * messages. 0 or ORR_E* with w->e filled. */
int orr_func_walk_value(struct orr_func_walk *w, int idx, const char *root);

/* True when the n-th upvalue (1-based; its name given, its value on top of the
 * stack) of a function is its environment. */
bool orr_func_is_env(struct orr_func_walk *w, const char *name);

/* Digest of the code of the Lua function at 'idx', remembered in w->digests;
 * appends the code (length, bytes) to w->out unless w->canon. */
int orr_func_walk_code(struct orr_func_walk *w, int idx,
                       unsigned char digest[32]);

/* The mark over 'n' bytes; false when the state has no secret. */
bool orr_func_mac(lua_State *L, const void *bytes, size_t n,
                  unsigned char out[ORR_FUNC_MAC]);

#endif
