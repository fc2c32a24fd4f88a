/*
 * value: Lua values as plain data. What may be passed, how a table is read (as
 * sequence, map or empty array), and the path to what may not. l_pack and
 * l_json walk by it; the worker and the pool use the two ends at the bottom.
 *
 * Walking uses raw access only and calls no Lua code, so it never yields and
 * raises nothing.
 */
#ifndef ORR_BIND_VALUE_H
#define ORR_BIND_VALUE_H

#include <lua.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/entries.h"
#include "engine/pack.h"

struct orr_walk_frame {
    const void *table; /* its address, to see cycles */
    const char *key;   /* of the value looked at; NULL: the integer */
    size_t len;
    lua_Integer i;
};

/* What a value may come to in writing. Tables that share parts are small in
 * memory and double with each level on the way out. */
#define ORR_VALUE_BYTES ((size_t)512 << 20)
#define ORR_VALUE_PARTS ((size_t)32 << 20)

/* Where the walk is: one frame for each table entered. */
struct orr_walk {
    lua_State *L;
    const char *root; /* first word of paths */
    const char *verb; /* "pass", "write as JSON" */
    const void *array_mt;
    size_t parts; /* values seen so far */
    unsigned depth;
    struct orr_walk_frame frames[ORR_PACK_DEPTH];
};

enum orr_shape { ORR_SHAPE_SEQ, ORR_SHAPE_MAP, ORR_SHAPE_EMPTY };

void orr_walk_init(struct orr_walk *w, lua_State *L, const char *root,
                   const char *verb);

/* Counts one more value after 'len' bytes were written. ORR_ELIMIT, with the
 * path, when that is more than a value may come to. */
int orr_walk_count(struct orr_walk *w, size_t len, struct orr_err *e);

/* Enters the table at stack index 'idx' and says how to read it; 'n' gets the
 * length of a sequence. ORR_EINVAL: cycle, metatable (but one whose field
 * __plain is true, which says that its raw fields are all there is), a marked
 * array with holes or other keys; ORR_ELIMIT: too deep; then nothing was
 * entered. Makes room for eight stack slots. */
int orr_walk_enter(struct orr_walk *w, int idx, enum orr_shape *shape,
                   size_t *n, struct orr_err *e);

/* A writer begins with its walk, so that what the drivers below call back finds
 * it. 'idx' is absolute; 0 or ORR_E*, which ends the walk. */
typedef int orr_walk_put(struct orr_walk *w, int idx, struct orr_err *e);
typedef int orr_walk_put_seq(struct orr_walk *w, int idx, size_t n,
                             struct orr_err *e);
typedef int orr_walk_put_key(struct orr_walk *w, const struct orr_walk_frame *f,
                             struct orr_err *e);

/* Enters the table at 'idx', has it put as what it is, and leaves it. An empty
 * array is a sequence of none. */
int orr_walk_table(struct orr_walk *w, int idx, orr_walk_put_seq *seq,
                   orr_walk_put *map, struct orr_err *e);

/* Put the values of the table just entered: 'n' items in order, or all pairs
 * in the table's. Of a pair 'key' comes first; keys that are neither strings
 * nor integers are refused. */
int orr_walk_items(struct orr_walk *w, int idx, size_t n, orr_walk_put *value,
                   struct orr_err *e);
int orr_walk_pairs(struct orr_walk *w, int idx, orr_walk_put_key *key,
                   orr_walk_put *value, struct orr_err *e);

/* Writes "<path>: <message>" and returns 'rc'. */
int orr_walk_refuse(const struct orr_walk *w, int rc, struct orr_err *e,
                    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Refuses the value at 'idx' for its type: "<path>: cannot pass a function". */
int orr_walk_refuse_type(const struct orr_walk *w, int idx, struct orr_err *e);

/* Appends the packed text of the value at 'idx'. 'es' is scratch of the caller,
 * reusable. Returns 0 or ORR_E*, with 'out' then holding a torn text. */
int orr_value_pack(lua_State *L, int idx, const char *root, struct orr_buf *out,
                   struct orr_entries *es, struct orr_err *e);

/* Pushes the value of a packed text; on failure pushes nothing. Raises only
 * Lua's memory error. */
int orr_value_push(lua_State *L, const void *bytes, size_t n,
                   struct orr_err *e);

#endif
