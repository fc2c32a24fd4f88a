/*
 * packjson: packed values as JSON text and back, without a tree between. What
 * JSON cannot say is bent: integer keys become strings, bytes that are not
 * UTF-8 become U+FFFD, NaN and infinities null. Threads: reentrant.
 */
#ifndef ORR_ENGINE_PACKJSON_H
#define ORR_ENGINE_PACKJSON_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/entries.h"
#include "engine/json.h"

/* Appends the JSON of a packed text. ORR_ECORRUPT: it is none. */
int orr_packjson_write(struct orr_buf *out, const void *packed, size_t n,
                       struct orr_err *e);

/* Packs the value that begins with token 't', just read from 'j', without the
 * version byte. Messages carry the place. */
int orr_packjson_read(struct orr_json *j, const struct orr_json_token *t,
                      struct orr_buf *out, struct orr_entries *es,
                      struct orr_err *e);

/* Reads past the value that begins with token 't'. */
int orr_packjson_skip(struct orr_json *j, const struct orr_json_token *t,
                      struct orr_err *e);

#endif
