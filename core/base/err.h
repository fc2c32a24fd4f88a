/*
 * err: how a C function of Orrery says what went wrong.
 *
 * Every fallible function returns 0 or a negative ORR_E* and fills a
 * caller-owned 'struct orr_err' (never NULL-checked by callees' callers: pass
 * NULL when the text is of no interest). The deepest function that knows writes
 * the message, once. Threads: an orr_err belongs to one thread at a time;
 * functions are reentrant.
 */
#ifndef ORR_BASE_ERR_H
#define ORR_BASE_ERR_H

#include <stddef.h>

enum {
    ORR_OK = 0,
    ORR_EINVAL = -1,     /* bad input: text, arguments, file contents */
    ORR_ESYS = -2,       /* a system call failed; 'sys' holds errno */
    ORR_ENOMEM = -3,     /* no memory for a size that came from input */
    ORR_ENOENT = -4,     /* the thing asked for is not there */
    ORR_ELIMIT = -5,     /* a cap was hit: depth, size, count */
    ORR_ECORRUPT = -6,   /* stored bytes fail their checksum or format */
    ORR_ECLOSED = -7,    /* the handle was closed */
    ORR_ECANCELLED = -8, /* cancelled by request */
    ORR_EBUSY = -9,      /* queue full, lock held elsewhere */
    ORR_EGIT = -10,      /* libgit2 refused; message says what */
    ORR_EUNSAFE = -11    /* a path leaves its root, or passes a symlink */
};

struct orr_err {
    int rc;          /* the ORR_E* returned */
    int sys;         /* errno, or 0 */
    unsigned line;   /* 1-based place in the input, 0 when unknown */
    unsigned column; /* 1-based, 0 when unknown */
    char msg[512];   /* one line, no trailing newline; NUL-terminated */
};

/* Writes a printf-style message; returns 'rc'. 'e' may be NULL. */
int orr_err_set(struct orr_err *e, int rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Same with a place in the input. */
int orr_err_at(struct orr_err *e, int rc, unsigned line, unsigned column,
               const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Message is "<fmt>: <strerror(sys)>". Returns ORR_ENOENT for ENOENT and
 * ENOTDIR, ORR_ENOMEM for ENOMEM, else ORR_ESYS. */
int orr_err_errno(struct orr_err *e, int sys, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The stable code shown to Lua: "ENOENT", "EACCES" … for system errors,
 * else "EINVAL", "ELIMIT", "ECORRUPT" … Static string. */
const char *orr_err_code(const struct orr_err *e);

#endif
