/*
 * yaml: libyaml's events, one at a time, into nodes.
 *
 * Depth and size are checked with each event, because libyaml itself needs
 * seconds on a hundred thousand nested "[" when it is let run. Anchored
 * subtrees know what they weigh written out, so an alias is charged in one step
 * and a bomb of aliases is refused before anything is built. Mappings are
 * checked when they end, in yaml_map.c; yaml_explain.c says what is wrong.
 */
#include "engine/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "engine/yaml_build.h"
#include "engine/yaml_scalar.h"

static uint32_t line_of(const yaml_event_t *ev)
{
    return (uint32_t)ev->start_mark.line + 1;
}

static uint32_t column_of(const yaml_event_t *ev)
{
    return (uint32_t)ev->start_mark.column + 1;
}

static int fail_at(struct orr_yaml_build *b, const yaml_event_t *ev, int rc,
                   const char *what, const char *arg)
{
    return orr_yaml_fail(b, rc, line_of(ev), column_of(ev), what, arg);
}

int64_t orr_yaml_add(struct orr_yaml_build *b, const struct orr_yaml_node *node)
{
    struct orr_yaml *y = b->out;
    if (y->count >= ORR_YAML_MAX_NODES)
        return orr_yaml_fail(b, ORR_ELIMIT, node->line, node->column,
                             "over %d values", ORR_YAML_MAX_NODES);
    if (y->count == y->cap) {
        uint32_t cap = y->cap ? y->cap * 2 : 64;
        void *p = realloc(y->nodes, cap * sizeof *y->nodes);
        if (!p)
            return orr_err_set(b->e, ORR_ENOMEM, "%s: no memory", b->name);
        y->nodes = p;
        y->cap = cap;
    }
    y->nodes[y->count] = *node;
    y->nodes[y->count].end = y->count + 1;
    return y->count++;
}

uint32_t orr_yaml_target(const struct orr_yaml *y, uint32_t node)
{
    while (y->nodes[node].kind == ORR_YAML_ALIAS)
        node = y->nodes[node].value.target;
    return node;
}

static struct orr_yaml_frame *top(struct orr_yaml_build *b)
{
    return b->depth ? &b->stack[b->depth - 1] : NULL;
}

/* Is a mapping waiting for a key? */
static bool at_key(struct orr_yaml_build *b)
{
    struct orr_yaml_frame *f = top(b);
    return f && b->out->nodes[f->node].kind == ORR_YAML_MAP && !f->wants_value;
}

/* Adds a node where the document is: as a key, a value, an item, the root. */
static int64_t add_here(struct orr_yaml_build *b, struct orr_yaml_node *node)
{
    struct orr_yaml_frame *f = top(b);
    bool key = at_key(b);
    if (f && !key)
        b->out->nodes[f->node].len++;
    if (f && b->out->nodes[f->node].kind == ORR_YAML_MAP)
        f->wants_value = key;
    b->total.nodes++;
    if (node->kind <= ORR_YAML_STRING)
        b->total.bytes += node->len;
    return orr_yaml_add(b, node);
}

static struct orr_yaml_node node_at(const yaml_event_t *ev, uint8_t kind)
{
    uint32_t column = column_of(ev);
    return (struct orr_yaml_node){
        .kind = kind,
        .line = line_of(ev),
        .column = column < UINT16_MAX ? (uint16_t)column : UINT16_MAX};
}

/* --- anchors -------------------------------------------------------------- */

static int add_anchor(struct orr_yaml_build *b, const char *name, uint32_t node,
                      uint32_t *out)
{
    if (b->anchor_count == b->anchor_cap) {
        uint32_t cap = b->anchor_cap ? b->anchor_cap * 2 : 16;
        void *p = realloc(b->anchors, cap * sizeof *b->anchors);
        if (!p)
            goto no_memory;
        b->anchors = p;
        b->anchor_cap = cap;
    }
    if (orr_map_put(&b->names, name, strlen(name), b->anchor_count) < 0)
        goto no_memory;
    b->anchors[b->anchor_count] =
        (struct orr_yaml_anchor){.node = node, .open = true};
    *out = ++b->anchor_count;
    return 0;
no_memory:
    return orr_err_set(b->e, ORR_ENOMEM, "%s: no memory", b->name);
}

static void close_anchor(struct orr_yaml_build *b, uint32_t anchor,
                         uint32_t height, struct orr_yaml_weight before)
{
    if (!anchor)
        return;
    struct orr_yaml_anchor *a = &b->anchors[anchor - 1];
    a->open = false;
    a->height = height;
    a->weight.nodes = b->total.nodes - before.nodes;
    a->weight.bytes = b->total.bytes - before.bytes;
}

/* Charges what an alias expands to. */
static int charge(struct orr_yaml_build *b, const yaml_event_t *ev,
                  const struct orr_yaml_anchor *a)
{
    struct orr_yaml_frame *f = top(b);
    uint32_t reach = b->depth + a->height;
    if (reach > ORR_YAML_MAX_DEPTH)
        return fail_at(b, ev, ORR_ELIMIT, "nested too deeply%s", "");
    if (f && f->high < reach)
        f->high = reach;
    b->total.nodes += a->weight.nodes;
    b->total.bytes += a->weight.bytes;
    b->expanded.nodes += a->weight.nodes;
    b->expanded.bytes += a->weight.bytes;
    if (b->expanded.nodes > ORR_YAML_MAX_EXPANDED ||
        b->expanded.bytes > ORR_YAML_MAX_BYTES)
        return fail_at(b, ev, ORR_ELIMIT,
                       "aliases expand to too much: this one, *%s, is one too "
                       "many",
                       (const char *)ev->data.alias.anchor);
    return 0;
}

static int on_alias(struct orr_yaml_build *b, const yaml_event_t *ev)
{
    const char *name = (const char *)ev->data.alias.anchor;
    uint64_t *at = orr_map_get(&b->names, name, strlen(name));
    if (!at)
        return fail_at(b, ev, ORR_EINVAL, "no anchor &%s comes before this",
                       name);
    const struct orr_yaml_anchor *a = &b->anchors[*at];
    if (a->open)
        return fail_at(b, ev, ORR_EINVAL,
                       "the alias *%s is inside what it stands for", name);
    int rc = charge(b, ev, a);
    if (rc < 0)
        return rc;
    struct orr_yaml_node node = node_at(ev, ORR_YAML_ALIAS);
    node.value.target = a->node;
    if (at_key(b)) { // a key is text: take a copy
        const struct orr_yaml_node *to = &b->out->nodes[a->node];
        if (to->kind > ORR_YAML_STRING)
            return fail_at(b, ev, ORR_EINVAL,
                           "a key must be text; *%s is a list or a mapping",
                           name);
        node.kind = ORR_YAML_STRING;
        node.text = to->text;
        node.len = to->len;
    }
    int64_t i = add_here(b, &node);
    return i < 0 ? (int)i : 0;
}

/* --- scalars -------------------------------------------------------------- */

/* A tag as people write it. */
static const char *shown(const char *tag, char *buf, size_t size)
{
    static const char core[] = "tag:yaml.org,2002:";
    bool short_form = !strncmp(tag, core, sizeof core - 1);
    snprintf(buf, size, "%s%s", short_form ? "!!" : "",
             tag + (short_form ? sizeof core - 1 : 0));
    return buf;
}

static int resolve(struct orr_yaml_build *b, const yaml_event_t *ev, bool key,
                   struct orr_yaml_node *node)
{
    const char *text = (const char *)ev->data.scalar.value;
    const char *tag = (const char *)ev->data.scalar.tag;
    size_t n = ev->data.scalar.length;
    char buf[80];
    if (tag) {
        int bad = orr_yaml_resolve_tag(tag, text, n, node);
        if (bad == 2)
            return fail_at(b, ev, ORR_EINVAL,
                           "the tag %s is not supported; those of the core "
                           "schema are: !!str, !!int, !!float, !!bool, !!null",
                           shown(tag, buf, sizeof buf));
        if (bad)
            return orr_yaml_fail(b, ORR_EINVAL, line_of(ev), column_of(ev),
                                 "'%.80s' is not what its tag %s says", text,
                                 shown(tag, buf, sizeof buf));
    } else if (node->plain && !key) {
        orr_yaml_resolve(text, n, node);
    }
    if (key)
        node->kind = ORR_YAML_STRING;
    return 0;
}

static int on_scalar(struct orr_yaml_build *b, const yaml_event_t *ev)
{
    size_t n = ev->data.scalar.length;
    bool key = at_key(b);
    struct orr_yaml_frame *f = top(b);
    struct orr_yaml_weight before = b->total;
    struct orr_yaml_node node = node_at(ev, ORR_YAML_STRING);
    node.plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    int rc = resolve(b, ev, key, &node);
    if (rc < 0)
        return rc;
    node.text = (uint32_t)b->out->text.len;
    node.len = (uint32_t)n;
    if (orr_buf_put(&b->out->text, ev->data.scalar.value, n) < 0)
        return orr_err_set(b->e, ORR_ENOMEM, "%s: no memory", b->name);
    if (key && node.plain && !ev->data.scalar.tag && n == 2 &&
        !memcmp(ev->data.scalar.value, "<<", 2)) {
        node.kind = ORR_YAML_SKIP;
        f->merges = true;
    }
    int64_t i = add_here(b, &node);
    if (i >= 0 && ev->data.scalar.anchor) {
        uint32_t anchor = 0;
        rc = add_anchor(b, (const char *)ev->data.scalar.anchor, (uint32_t)i,
                        &anchor);
        if (rc == 0)
            close_anchor(b, anchor, 0, before);
    }
    return i < 0 ? (int)i : rc;
}

/* --- collections ---------------------------------------------------------- */

static int on_start(struct orr_yaml_build *b, const yaml_event_t *ev,
                    uint8_t kind, const char *anchor, const char *tag)
{
    struct orr_yaml_node node = node_at(ev, kind);
    const char *own = kind == ORR_YAML_MAP ? YAML_MAP_TAG : YAML_SEQ_TAG;
    if (at_key(b))
        return orr_yaml_explain(b, line_of(ev), column_of(ev),
                                "a key must be text, not a list or a mapping");
    char buf[80];
    if (tag && strcmp(tag, own) && strcmp(tag, "!"))
        return fail_at(b, ev, ORR_EINVAL,
                       "the tag %s is not supported on a list or a mapping",
                       shown(tag, buf, sizeof buf));
    if (b->depth == ORR_YAML_MAX_DEPTH)
        return orr_yaml_fail(b, ORR_ELIMIT, line_of(ev), column_of(ev),
                             "nested over %d levels deep", ORR_YAML_MAX_DEPTH);
    struct orr_yaml_frame f = {.before = b->total, .high = b->depth + 1};
    int64_t i = add_here(b, &node);
    if (i < 0)
        return (int)i;
    f.node = (uint32_t)i;
    int rc = anchor ? add_anchor(b, anchor, f.node, &f.anchor) : 0;
    if (rc == 0)
        b->stack[b->depth++] = f;
    return rc;
}

static int on_end(struct orr_yaml_build *b)
{
    struct orr_yaml_frame f = *top(b);
    if (b->out->nodes[f.node].kind == ORR_YAML_MAP) {
        int rc = orr_yaml_finish_map(b, f.node, f.merges);
        if (rc < 0)
            return rc;
    }
    b->out->nodes[f.node].end = b->out->count;
    b->depth--;
    if (b->depth && top(b)->high < f.high)
        top(b)->high = f.high;
    close_anchor(b, f.anchor, f.high - b->depth, f.before);
    return 0;
}

static int on_event(struct orr_yaml_build *b, const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_ALIAS_EVENT:
        return on_alias(b, ev);
    case YAML_SCALAR_EVENT:
        return on_scalar(b, ev);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(b, ev, ORR_YAML_LIST,
                        (const char *)ev->data.sequence_start.anchor,
                        (const char *)ev->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return on_start(b, ev, ORR_YAML_MAP,
                        (const char *)ev->data.mapping_start.anchor,
                        (const char *)ev->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(b);
    case YAML_DOCUMENT_START_EVENT:
        if (b->out->count)
            return fail_at(b, ev, ORR_EINVAL,
                           "a second document starts here; one file holds "
                           "one%s",
                           "");
        return 0;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return 0;
}

/* --- the document --------------------------------------------------------- */

/* What libyaml found wrong, with its place. */
static int parser_error(struct orr_yaml_build *b, const yaml_parser_t *p)
{
    uint32_t line = (uint32_t)p->problem_mark.line + 1;
    uint32_t column = (uint32_t)p->problem_mark.column + 1;
    char text[256];
    const char *problem = p->problem ? p->problem : "not YAML";
    if (p->error == YAML_MEMORY_ERROR)
        return orr_err_set(b->e, ORR_ENOMEM, "%s: no memory", b->name);
    if (p->error == YAML_READER_ERROR) {
        orr_yaml_place(b, p->problem_offset, &line, &column);
        bool utf8 = strstr(problem, "UTF-8") != NULL;
        return orr_yaml_fail(b, ORR_EINVAL, line, column,
                             utf8 ? "not UTF-8 text (%s)" : "%s", problem);
    }
    if (p->context && strstr(p->context, "quoted scalar") &&
        strstr(problem, "end of stream"))
        return orr_yaml_fail(b, ORR_EINVAL, (uint32_t)p->context_mark.line + 1,
                             (uint32_t)p->context_mark.column + 1,
                             "the quote that opens here is never closed");
    if (p->context && p->context_mark.line + 1 != line)
        snprintf(text, sizeof text, "%s (%s that starts on line %zu)", problem,
                 p->context, p->context_mark.line + 1);
    else
        snprintf(text, sizeof text, "%s", problem);
    return orr_yaml_explain(b, line, column, text);
}

static int read_events(struct orr_yaml_build *b)
{
    yaml_parser_t p;
    int rc = 0;
    if (!yaml_parser_initialize(&p))
        return orr_err_set(b->e, ORR_ENOMEM, "%s: no memory", b->name);
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)b->src, b->n);
    for (bool done = false; rc == 0 && !done;) {
        yaml_event_t ev;
        if (!yaml_parser_parse(&p, &ev)) {
            rc = parser_error(b, &p);
            break;
        }
        done = ev.type == YAML_STREAM_END_EVENT;
        rc = on_event(b, &ev);
        yaml_event_delete(&ev);
    }
    yaml_parser_delete(&p);
    return rc;
}

int orr_yaml_parse(const char *text, size_t n, const char *name,
                   struct orr_yaml *out, struct orr_err *e)
{
    struct orr_yaml_build *b = calloc(1, sizeof *b);
    *out = (struct orr_yaml){0};
    if (!b)
        return orr_err_set(e, ORR_ENOMEM, "no memory");
    int rc = 0;
    *b = (struct orr_yaml_build){
        .out = out, .name = name ? name : "yaml", .src = text, .n = n, .e = e};
    if (n > ORR_YAML_MAX_BYTES) {
        rc = orr_yaml_fail(b, ORR_ELIMIT, 1, 1, "over %d MiB",
                           ORR_YAML_MAX_BYTES >> 20);
        goto out;
    }
    if (n >= 2 &&
        (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2))) {
        rc = orr_yaml_fail(b, ORR_EINVAL, 1, 1,
                           "UTF-16 text; save the file as UTF-8");
        goto out;
    }
    if (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        b->src += 3;
        b->n -= 3;
    }
    rc = read_events(b);
    if (rc == 0 && !out->count) {
        struct orr_yaml_node none = {
            .kind = ORR_YAML_NULL, .plain = true, .line = 1, .column = 1};
        int64_t i = orr_yaml_add(b, &none);
        rc = i < 0 ? (int)i : 0;
    }
out:
    free(b->anchors);
    orr_map_fini(&b->names);
    free(b);
    return rc;
}

const char *orr_yaml_text(const struct orr_yaml *y,
                          const struct orr_yaml_node *node)
{
    return node->len ? (const char *)y->text.data + node->text : "";
}

void orr_yaml_fini(struct orr_yaml *y)
{
    free(y->nodes);
    orr_buf_fini(&y->text);
    *y = (struct orr_yaml){0};
}
