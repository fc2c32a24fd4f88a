/* utf8: strict UTF-8: no overlong forms, no surrogates, nothing over U+10FFFF.
 */
#ifndef ORR_BASE_UTF8_H
#define ORR_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length of the character at 's' (1 to 4), or 0 when none starts there. */
size_t orr_utf8_len(const unsigned char *s, size_t n);

/* How many of the first bytes are whole characters; n when all are. */
size_t orr_utf8_span(const void *bytes, size_t n);

/* Writes a code point that is no surrogate; returns its length. */
size_t orr_utf8_encode(uint32_t cp, unsigned char out[4]);

#endif
