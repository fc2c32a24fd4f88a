/* xalloc: abort with a message where going on makes no sense. */
#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *orr_xalloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p) {
        fputs("orrery: out of memory\n", stderr);
        abort();
    }
    return p;
}

char *orr_xmemdup0(const void *bytes, size_t n)
{
    char *p = orr_xalloc(n + 1);
    if (n)
        memcpy(p, bytes, n);
    return p;
}

char *orr_xstrdup(const char *s)
{
    return orr_xmemdup0(s, strlen(s));
}
