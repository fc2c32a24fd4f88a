/* json_scalar: strings and numbers of the JSON reader; used by json.c only. */
#ifndef ORR_ENGINE_JSON_SCALAR_H
#define ORR_ENGINE_JSON_SCALAR_H

#include "engine/json.h"

/* At the opening quote: fills s and n, goes past the closing quote. */
int orr_json_read_str(struct orr_json *j, struct orr_json_token *t,
                      struct orr_err *e);

/* At '-' or a digit: fills kind and i or d. */
int orr_json_read_number(struct orr_json *j, struct orr_json_token *t,
                         struct orr_err *e);

/* ORR_EINVAL at the place the reader stands. */
int orr_json_fail_here(const struct orr_json *j, struct orr_err *e,
                       const char *what);

#endif
