/* regex_ecma: an ECMA pattern in PCRE2's words; used by regex.c only. */
#ifndef ORR_ENGINE_REGEX_ECMA_H
#define ORR_ENGINE_REGEX_ECMA_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* One piece of the translation: where it starts there and in the original. */
struct orr_ecma_place {
    uint32_t out, in;
};

/* Appends the translation of the pattern to 'out' and to 'places' a struct
 * orr_ecma_place for each piece, ascending. 0; ORR_ENOMEM; ORR_EINVAL, then
 * 'bad' is the offset in the pattern and 'why' a static text. */
int orr_ecma_translate(const char *pattern, size_t n, struct orr_buf *out,
                       struct orr_buf *places, size_t *bad, const char **why);

#endif
