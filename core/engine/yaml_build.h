/* yaml_build: what reading events and checking mappings share. Internal to
 * yaml. */
#ifndef ORR_ENGINE_YAML_BUILD_H
#define ORR_ENGINE_YAML_BUILD_H

#include <stdarg.h>

#include "base/map.h"
#include "engine/yaml.h"

struct orr_yaml_weight { /* what a subtree is when written out */
    uint64_t nodes, bytes;
};

struct orr_yaml_frame { /* a collection or anchored scalar being read */
    uint32_t node;      /* its index */
    uint32_t anchor;    /* 1 + index of its anchor; 0: none */
    uint32_t high;      /* deepest level reached inside */
    bool wants_value;   /* a mapping that has had a key */
    bool merges;        /* a mapping with a plain << */
    struct orr_yaml_weight before; /* totals when it began */
};

struct orr_yaml_anchor {
    uint32_t node;
    uint32_t height; /* levels inside */
    bool open;       /* still being read */
    struct orr_yaml_weight weight;
};

struct orr_yaml_build {
    struct orr_yaml *out;
    const char *name; /* for messages */
    const char *src;  /* the document, without a byte-order mark */
    size_t n;
    struct orr_err *e;
    struct orr_yaml_frame stack[ORR_YAML_MAX_DEPTH];
    uint32_t depth;
    struct orr_yaml_anchor *anchors; /* owned */
    uint32_t anchor_count, anchor_cap;
    struct orr_map names;            /* anchor name → index */
    struct orr_yaml_weight total;    /* so far, with aliases written out */
    struct orr_yaml_weight expanded; /* what aliases added */
};

/* Sets the error "name:line:column: …" and returns rc. */
int orr_yaml_fail(struct orr_yaml_build *b, int rc, uint32_t line,
                  uint32_t column, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Appends a node and returns its index, or an error. */
int64_t orr_yaml_add(struct orr_yaml_build *b,
                     const struct orr_yaml_node *node);

/* Follows an alias. */
uint32_t orr_yaml_target(const struct orr_yaml *y, uint32_t node);

/* Checks the finished mapping at the top of the stack: keys are unique, merge
 * keys are resolved. */
int orr_yaml_finish_map(struct orr_yaml_build *b, uint32_t map, bool merges);

/* The message for libyaml's refusal at a place (1-based), or for a mapping or
 * list used as a key there; names the unquoted template when one is to blame.
 */
int orr_yaml_explain(struct orr_yaml_build *b, uint32_t line, uint32_t column,
                     const char *problem);

/* Where byte 'at' of the source is. */
void orr_yaml_place(const struct orr_yaml_build *b, size_t at, uint32_t *line,
                    uint32_t *column);

#endif
