/*
 * bytecode: one recursive pass over a binary chunk of Lua 5.4.
 *
 *   header  nupvalues  function
 *   function = source linedefined lastlinedefined params vararg stack
 *              code constants upvalues functions lineinfo abslines locals names
 *
 * Debug info comes last, after the nested functions; so a function is read
 * twice: once past everything (a skip that finds where its parts begin), once
 * to hash and to look at its instructions.
 */
#include "bind/bytecode.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MAX_NEST = 200 }; /* LUAI_MAXCCALLS: the compiler nests no deeper */

/* The few opcodes that touch upvalues; the others are only hashed. */
enum {
    OP_LOADK = 3,
    OP_GETUPVAL = 9,
    OP_SETUPVAL = 10,
    OP_GETTABUP = 11,
    OP_GETTABLE = 12,
    OP_SETTABUP = 15,
};

struct reader {
    const unsigned char *p, *end;
    bool bad; /* sticky: ran past the end, or nonsense */
};

/* One function's parts, as pointers into the chunk. */
struct proto {
    const struct proto *parent;
    const unsigned char *shape; /* params, vararg, stack: 3 bytes */
    const unsigned char *code;  /* 4 bytes an instruction */
    size_t ncode;
    const unsigned char *consts, *consts_end; /* the count included */
    size_t nconst;
    const unsigned char *ups; /* instack, idx, kind: 3 bytes each */
    size_t nups;
    const unsigned char *inner; /* the nested functions */
    size_t ninner;
    const unsigned char *lines; /* one signed delta an instruction */
    size_t nlines;
    const unsigned char *abslines, *abs_end; /* pairs of varints: pc, line */
    size_t nabs;
    size_t line; /* linedefined */
};

struct scan {
    struct orr_hasher hash;
    orr_code_fn *fn;
    void *arg;
};

static const unsigned char *take(struct reader *r, size_t n)
{
    const unsigned char *at = r->p;
    if (r->bad || n > (size_t)(r->end - r->p)) {
        r->bad = true;
        return at;
    }
    r->p += n;
    return at;
}

static unsigned take_byte(struct reader *r)
{
    const unsigned char *at = take(r, 1);
    return r->bad ? 0 : *at;
}

/* Big-endian groups of seven bits; the last one has the high bit set. */
static size_t take_size(struct reader *r)
{
    size_t x = 0;
    for (int i = 0; i < 10 && !r->bad; i++) {
        unsigned b = take_byte(r);
        x = (x << 7) | (b & 0x7f);
        if (b & 0x80)
            return x;
    }
    r->bad = true;
    return 0;
}

/* An array of 'width' byte items after its count. */
static const unsigned char *take_array(struct reader *r, size_t width,
                                       size_t *count)
{
    *count = take_size(r);
    if (*count > (size_t)(r->end - r->p) / width)
        r->bad = true;
    return take(r, r->bad ? 0 : *count * width);
}

/* A string's length is stored plus one; 0 is no string. */
static const char *take_string(struct reader *r, size_t *len)
{
    size_t n = take_size(r);
    *len = n ? n - 1 : 0;
    return (const char *)take(r, *len);
}

/* Skips a constant; a string's text goes to 'text', else NULL does. */
static void take_const(struct reader *r, const char **text, size_t *len)
{
    *text = NULL;
    switch (take_byte(r)) {
    case 0x00: /* nil */
    case 0x01: /* false */
    case 0x11: /* true */
        return;
    case 0x03: /* integer */
    case 0x13: /* float */
        take(r, 8);
        return;
    case 0x04: /* short string */
    case 0x14: /* long string */
        *text = take_string(r, len);
        return;
    default:
        r->bad = true;
    }
}

static void read_proto(struct reader *r, struct proto *p, int depth);

static void skip_inner(struct reader *r, struct proto *p, int depth)
{
    p->ninner = take_size(r);
    p->inner = r->p;
    struct proto skipped;
    for (size_t i = 0; i < p->ninner && !r->bad; i++)
        read_proto(r, &skipped, depth + 1);
}

static void read_debug(struct reader *r, struct proto *p)
{
    size_t len;
    p->lines = take_array(r, 1, &p->nlines);
    p->nabs = take_size(r);
    p->abslines = r->p;
    for (size_t i = 0; i < p->nabs && !r->bad; i++) {
        take_size(r);
        take_size(r);
    }
    p->abs_end = r->p;
    for (size_t n = take_size(r); n > 0 && !r->bad; n--) {
        take_string(r, &len);
        take_size(r);
        take_size(r);
    }
    for (size_t n = take_size(r); n > 0 && !r->bad; n--)
        take_string(r, &len);
}

/* Finds the parts of the function at the reader and moves past it. */
static void read_proto(struct reader *r, struct proto *p, int depth)
{
    const char *text;
    size_t len;
    if (depth > MAX_NEST) {
        r->bad = true;
        return;
    }
    take_string(r, &len);
    p->line = take_size(r);
    take_size(r);
    p->shape = take(r, 3);
    p->code = take_array(r, 4, &p->ncode);
    p->consts = r->p;
    p->nconst = take_size(r);
    for (size_t i = 0; i < p->nconst && !r->bad; i++)
        take_const(r, &text, &len);
    p->consts_end = r->p;
    p->ups = take_array(r, 3, &p->nups);
    skip_inner(r, p, depth);
    read_debug(r, p);
}

static uint32_t instruction(const struct proto *p, size_t pc)
{
    uint32_t i;
    memcpy(&i, p->code + 4 * pc, 4); /* the host's order, as dumped */
    return i;
}

static unsigned op_of(uint32_t i)
{
    return i & 0x7f;
}

static unsigned a_of(uint32_t i)
{
    return (i >> 7) & 0xff;
}

static unsigned b_of(uint32_t i)
{
    return (i >> 16) & 0xff;
}

static unsigned c_of(uint32_t i)
{
    return i >> 24;
}

/* The k-th constant when it is a string, else NULL. */
static const char *const_text(const struct proto *p, size_t k, size_t *len)
{
    struct reader r = {p->consts, p->consts_end, false};
    const char *text = NULL;
    take_size(&r);
    if (k >= p->nconst)
        return NULL;
    for (size_t i = 0; i <= k && !r.bad; i++)
        take_const(&r, &text, len);
    return r.bad ? NULL : text;
}

/* The line of an instruction: deltas from the start, with absolute restarts
 * where a delta does not fit (-128). */
static unsigned line_of(const struct proto *p, size_t pc)
{
    if (pc >= p->nlines)
        return 0;
    struct reader abs = {p->abslines, p->abs_end, false};
    size_t line = p->line;
    for (size_t i = 0, left = p->nabs; i <= pc; i++) {
        int delta = (signed char)p->lines[i];
        if (delta == -128 && left > 0) {
            take_size(&abs);
            line = take_size(&abs);
            left--;
        } else {
            line += (size_t)(ptrdiff_t)delta;
        }
    }
    return (unsigned)line;
}

/* Follows upvalue 'up' outward; true when it comes from outside the top
 * function, whose own index then replaces *up. */
static bool outside(const struct proto *p, unsigned *up)
{
    for (; p; p = p->parent) {
        if (*up >= p->nups)
            return false;
        if (!p->parent)
            return true;
        const unsigned char *u = p->ups + 3 * (size_t)*up;
        if (u[0])
            return false; /* a local of the parent */
        *up = u[1];
    }
    return false;
}

static void report(const struct scan *s, const struct proto *p, size_t pc,
                   struct orr_code_event ev, size_t k)
{
    if (!outside(p, &ev.up))
        return;
    if (ev.use != ORR_USE_ASSIGN) {
        ev.name = const_text(p, k, &ev.len);
        if (!ev.name)
            return;
    }
    ev.line = line_of(p, pc);
    s->fn(s->arg, &ev);
}

/* Past 255 constants, _ENV and the name go through registers:
 * GETUPVAL r up; LOADK r+1 k; then GETTABLE, or a SETTABLE further on. */
static void report_far(const struct scan *s, const struct proto *p, size_t pc)
{
    if (pc + 2 >= p->ncode)
        return;
    uint32_t get = instruction(p, pc), name = instruction(p, pc + 1),
             then = instruction(p, pc + 2);
    if (op_of(name) != OP_LOADK || a_of(name) != a_of(get) + 1)
        return;
    bool read = op_of(then) == OP_GETTABLE && b_of(then) == a_of(get) &&
                c_of(then) == a_of(name);
    report(s, p, pc,
           (struct orr_code_event){.use = read ? ORR_USE_GET : ORR_USE_SET,
                                   .up = b_of(get)},
           name >> 15);
}

static void report_one(const struct scan *s, const struct proto *p, size_t pc)
{
    uint32_t i = instruction(p, pc);
    switch (op_of(i)) {
    case OP_SETUPVAL:
        report(s, p, pc,
               (struct orr_code_event){.use = ORR_USE_ASSIGN, .up = b_of(i)},
               0);
        break;
    case OP_GETTABUP:
        report(s, p, pc,
               (struct orr_code_event){.use = ORR_USE_GET, .up = b_of(i)},
               c_of(i));
        break;
    case OP_SETTABUP:
        report(s, p, pc,
               (struct orr_code_event){.use = ORR_USE_SET, .up = a_of(i)},
               b_of(i));
        break;
    case OP_GETUPVAL:
        report_far(s, p, pc);
        break;
    default:
        break;
    }
}

static void put_count(struct scan *s, size_t n)
{
    uint64_t wide = n;
    orr_hasher_put(&s->hash, &wide, sizeof wide);
}

/* Where a nested function's upvalues are in its parent is part of the code;
 * where the top one's were is not, nor whether a local was <const>. */
static void hash_upvalues(struct scan *s, const struct proto *p)
{
    put_count(s, p->nups);
    for (size_t i = 0; p->parent && i < p->nups; i++)
        orr_hasher_put(&s->hash, p->ups + 3 * i, 2);
}

static void scan_proto(struct scan *s, struct reader *r,
                       const struct proto *parent, int depth)
{
    struct proto p = {.parent = parent};
    read_proto(r, &p, depth);
    if (r->bad)
        return;
    p.parent = parent;
    orr_hasher_put(&s->hash, p.shape, 3);
    put_count(s, p.ncode);
    orr_hasher_put(&s->hash, p.code, 4 * p.ncode);
    orr_hasher_put(&s->hash, p.consts, (size_t)(p.consts_end - p.consts));
    hash_upvalues(s, &p);
    for (size_t pc = 0; s->fn && pc < p.ncode; pc++)
        report_one(s, &p, pc);
    put_count(s, p.ninner);
    struct reader in = {p.inner, r->end, false};
    for (size_t i = 0; i < p.ninner; i++)
        scan_proto(s, &in, &p, depth + 1);
}

/* The dump starts with a signature, the version, and samples of the number
 * formats: 31 bytes, then the top function's count of upvalues. */
static bool take_header(struct reader *r)
{
    static const unsigned char start[] = {0x1b, 'L',  'u',  'a',  0x54,
                                          0,    0x19, 0x93, '\r', '\n',
                                          0x1a, '\n', 4,    8,    8};
    const unsigned char *at = take(r, sizeof start + 16);
    take_byte(r);
    return !r->bad && !memcmp(at, start, sizeof start);
}

int orr_bytecode_scan(const void *code, size_t n, struct orr_digest *out,
                      orr_code_fn *fn, void *arg, struct orr_err *e)
{
    struct reader r = {code, (const unsigned char *)code + n, false};
    struct scan s = {.fn = fn, .arg = arg};
    if (!take_header(&r))
        return orr_err_set(e, ORR_EINVAL, "not a binary chunk of Lua 5.4");
    orr_hasher_init(&s.hash);
    scan_proto(&s, &r, NULL, 0);
    if (r.bad)
        return orr_err_set(e, ORR_EINVAL, "damaged binary chunk");
    orr_hasher_get(&s.hash, out);
    return 0;
}
