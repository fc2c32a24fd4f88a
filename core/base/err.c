/* err: messages for people, codes for programs. Knows nothing of what failed.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct orr_err *e, int rc, int sys, unsigned line,
                 unsigned column)
{
    e->rc = rc;
    e->sys = sys;
    e->line = line;
    e->column = column;
}

int orr_err_set(struct orr_err *e, int rc, const char *fmt, ...)
{
    if (e) {
        va_list ap;
        fill(e, rc, 0, 0, 0);
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof e->msg, fmt, ap);
        va_end(ap);
    }
    return rc;
}

int orr_err_at(struct orr_err *e, int rc, unsigned line, unsigned column,
               const char *fmt, ...)
{
    if (e) {
        va_list ap;
        fill(e, rc, 0, line, column);
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof e->msg, fmt, ap);
        va_end(ap);
    }
    return rc;
}

int orr_err_errno(struct orr_err *e, int sys, const char *fmt, ...)
{
    int rc = ORR_ESYS;
    if (sys == ENOENT || sys == ENOTDIR)
        rc = ORR_ENOENT;
    else if (sys == ENOMEM)
        rc = ORR_ENOMEM;
    if (e) {
        va_list ap;
        fill(e, rc, sys, 0, 0);
        va_start(ap, fmt);
        int n = vsnprintf(e->msg, sizeof e->msg, fmt, ap);
        va_end(ap);
        const char *why = strerrordesc_np(sys);
        if (n >= 0 && (size_t)n < sizeof e->msg)
            snprintf(e->msg + n, sizeof e->msg - (size_t)n, ": %s",
                     why ? why : "unknown error");
    }
    return rc;
}

const char *orr_err_code(const struct orr_err *e)
{
    static const char *const names[] = {
        "OK",       "EINVAL",  "ESYS",       "ENOMEM", "ENOENT", "ELIMIT",
        "ECORRUPT", "ECLOSED", "ECANCELLED", "EBUSY",  "EGIT",   "EUNSAFE"};
    if (e->sys) {
        const char *s = strerrorname_np(e->sys);
        if (s)
            return s;
    }
    size_t i = (size_t)-e->rc;
    return i < sizeof names / sizeof *names ? names[i] : "EUNKNOWN";
}
