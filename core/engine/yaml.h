/*
 * yaml: one YAML 1.2 document as a flat, checked tree.
 *
 * Nodes are in document order: a collection is followed by its children, and
 * 'end' is the index behind its last. A mapping's children are key, value, key,
 * value … Keys are always text, exactly as written, and unique. Merge keys
 * (<<) are resolved: the pairs they bring follow the mapping's own, and the
 * pair itself stays as ORR_YAML_SKIP. An alias is a node that points at what it
 * stands for; caps on depth and on what aliases expand to are enforced here,
 * while libyaml is read, so that a visitor needs none.
 * Threads: a document is immutable once parsed.
 */
#ifndef ORR_ENGINE_YAML_H
#define ORR_ENGINE_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    ORR_YAML_MAX_DEPTH = 128,
    ORR_YAML_MAX_BYTES = 64 * 1024 * 1024, /* of a document, and of what
                                              aliases add to it */
    ORR_YAML_MAX_NODES = 10 * 1000 * 1000, /* written out */
    ORR_YAML_MAX_EXPANDED = 1000 * 1000    /* nodes that aliases add */
};

enum orr_yaml_kind {
    ORR_YAML_NULL,
    ORR_YAML_BOOL,
    ORR_YAML_INT,
    ORR_YAML_FLOAT,
    ORR_YAML_STRING, /* also every key */
    ORR_YAML_LIST,
    ORR_YAML_MAP,
    ORR_YAML_ALIAS, /* 'value.target' stands here */
    ORR_YAML_SKIP   /* a resolved "<<": leave it and its value out */
};

struct orr_yaml_node {
    uint8_t kind;
    bool plain;      /* a scalar that was not quoted */
    uint16_t column; /* 1-based, in characters; 65535 stands for more */
    uint32_t line;   /* 1-based */
    uint32_t end;    /* index of the next node that is no child of this */
    uint32_t text;   /* scalars: offset of the text in the document's */
    uint32_t len;    /* scalars: its length; collections: values in it */
    union {
        bool b;
        int64_t i;
        double d;
        uint32_t target;
    } value;
};

struct orr_yaml {
    struct orr_yaml_node *nodes; /* owned; the root is nodes[0] */
    uint32_t count, cap;
    struct orr_buf text; /* what scalars say, one after the other */
};

/* Parses. 'name' (NULL: "yaml") starts messages: "name:line:column: …". An
 * empty document is one null. 'out' is freed with orr_yaml_fini, also after a
 * failure. ORR_EINVAL, ORR_ELIMIT or ORR_ENOMEM, with the place. */
int orr_yaml_parse(const char *text, size_t n, const char *name,
                   struct orr_yaml *out, struct orr_err *e);

/* The text of a scalar. */
const char *orr_yaml_text(const struct orr_yaml *y,
                          const struct orr_yaml_node *node);

void orr_yaml_fini(struct orr_yaml *y);

#endif
