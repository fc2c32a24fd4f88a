/* registryread: the reading half of registryfile. */
#ifndef ORR_ENGINE_REGISTRYREAD_H
#define ORR_ENGINE_REGISTRYREAD_H

#include "base/err.h"
#include "engine/registry.h"

/* Reads a file into 'into', which is empty, and notes all as saved. After a
 * failure, whose message has the place, it may hold some. */
int orr_registryread_file(struct orr_registry *into, const char *path,
                          struct orr_err *e);

#endif
