/*
 * bytecode: reads what lua_dump of Lua 5.4 writes, without a Lua state.
 *
 * Two questions are answered in one pass: the digest of the code as it counts
 * for a function's identity, and what the code does to things outside it.
 * The digest leaves out whatever changes when a function merely moves in its
 * file: source name, line fields, debug info, and where the top function's
 * upvalues sat in their parent. Nothing is allocated; names point into 'code'.
 */
#ifndef ORR_BIND_BYTECODE_H
#define ORR_BIND_BYTECODE_H

#include <stddef.h>

#include "base/err.h"
#include "engine/hash.h"

enum orr_code_use {
    ORR_USE_GET,    /* reads field 'name' of the upvalue: a global of _ENV */
    ORR_USE_SET,    /* assigns field 'name' of the upvalue */
    ORR_USE_ASSIGN, /* assigns the upvalue itself; no name */
};

/* One use of upvalue 'up' (0-based) of the top function, by it or by a function
 * nested in it. 'line' is 0 when the code carries no debug info. */
struct orr_code_event {
    enum orr_code_use use;
    unsigned up;
    const char *name;
    size_t len;
    unsigned line;
};

typedef void orr_code_fn(void *arg, const struct orr_code_event *ev);

/* Scans 'n' bytes of a binary chunk. 'fn' may be NULL; it may leave by longjmp,
 * nothing is owned here. 0, or ORR_EINVAL when this is no chunk of ours. */
int orr_bytecode_scan(const void *code, size_t n, struct orr_digest *out,
                      orr_code_fn *fn, void *arg, struct orr_err *e);

#endif
