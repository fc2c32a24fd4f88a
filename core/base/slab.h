/*
 * slab: memory for one thread and for a user that says a block's size when it
 * gives it back, as Lua does: small blocks have no header and cost a handful of
 * instructions. What was given back serves blocks of its size again; the
 * system has all of it back at orr_slab_free.
 * Threads: none; one owner.
 */
#ifndef ORR_BASE_SLAB_H
#define ORR_BASE_SLAB_H

#include <stddef.h>

struct orr_slab;

/* A slab that starts with 'first' bytes, which are taken at once. Returns
 * owned; NULL: no memory. */
struct orr_slab *orr_slab_new(size_t first);

/* A function of the kind lua_Alloc; 'slab' is a struct orr_slab. 'was' is the
 * size the block at 'p' was asked for with. NULL: no memory, 'p' is as it was;
 * never when the block is to become smaller. A block is aligned for any type
 * without extended alignment, up to 8 bytes. */
void *orr_slab_alloc(void *slab, void *p, size_t was, size_t size);

/* Frees the slab; blocks of up to ORR_SLAB_SMALL bytes with it, larger ones
 * are to be given back before. Accepts NULL. */
void orr_slab_free(struct orr_slab *s);

enum { ORR_SLAB_SMALL = 1024 };

#endif
