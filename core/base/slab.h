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

/* A slab that lies in the 'size' bytes at 'mem' (borrowed, aligned to 8, zero)
 * and takes blocks of any size from there alone; what is given back is zeroed.
 * So the bytes hold no address of other memory that is not in a block. NULL:
 * 'mem' is too small for a slab. */
struct orr_slab *orr_slab_within(void *mem, size_t size, size_t first);

/* How many bytes of its memory a slab within takes up, itself included. */
size_t orr_slab_used(const struct orr_slab *s);

/* Lets a slab within grow as another does that started with 'first' bytes. What
 * is left of its memory stays as it is: pages not written to are shared. */
void orr_slab_release(struct orr_slab *s);

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
