/* yaml_scalar: what the text of a scalar means in YAML 1.2's core schema. */
#ifndef ORR_ENGINE_YAML_SCALAR_H
#define ORR_ENGINE_YAML_SCALAR_H

#include <stddef.h>

#include "engine/yaml.h"

/* Sets kind and value of a plain scalar without a tag. 'text' is
 * NUL-terminated. Numbers no double can hold stay text; integers beyond 64 bits
 * become floats. */
void orr_yaml_resolve(const char *text, size_t n, struct orr_yaml_node *node);

/* Sets kind and value as the tag says. 0; 1: the text is no such value; 2: no
 * scalar tag that is known. */
int orr_yaml_resolve_tag(const char *tag, const char *text, size_t n,
                         struct orr_yaml_node *node);

#endif
