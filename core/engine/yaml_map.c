/*
 * yaml_map: the end of a mapping. Keys must be unique; what merge keys bring is
 * appended as further pairs, whose values are aliases. A mapping's own keys win
 * over merged ones, the first of several merged mappings over later ones.
 */
#include "engine/yaml_build.h"

#include <string.h>

enum { FEW = 8 }; /* keys that are compared one by one */

/* The keys of one mapping: by scanning, or by a map when there are many. */
struct keys {
    struct orr_yaml *y;
    uint32_t map;
    struct orr_map names;
    bool many;
};

static const struct orr_yaml_node *node(const struct keys *k, uint32_t i)
{
    return &k->y->nodes[i];
}

static bool same_text(const struct keys *k, uint32_t a, uint32_t b)
{
    const struct orr_yaml_node *x = node(k, a), *z = node(k, b);
    return x->len == z->len && x->kind == z->kind &&
           !memcmp(orr_yaml_text(k->y, x), orr_yaml_text(k->y, z), x->len);
}

/* Finds an equal key before 'key' among the pairs so far; 0: none (0 is never
 * a key). Remembers 'key' otherwise. */
static int64_t find_or_add(struct keys *k, uint32_t key)
{
    const struct orr_yaml_node *n = node(k, key);
    if (!k->many) {
        for (uint32_t i = k->map + 1; i < key; i = node(k, i + 1)->end)
            if (same_text(k, i, key))
                return i;
        return 0;
    }
    const char *text = orr_yaml_text(k->y, n);
    uint64_t *at = orr_map_get(&k->names, text, n->len);
    if (at && node(k, (uint32_t)*at)->kind == n->kind)
        return (int64_t)*at;
    return orr_map_put(&k->names, text, n->len, key);
}

static int check_unique(struct orr_yaml_build *b, struct keys *k, uint32_t end)
{
    for (uint32_t i = k->map + 1; i < end; i = node(k, i + 1)->end) {
        int64_t old = find_or_add(k, i);
        const struct orr_yaml_node *n = node(k, i);
        if (old < 0)
            return orr_err_set(b->e, ORR_ENOMEM, "%s: no memory", b->name);
        if (old) {
            const struct orr_yaml_node *o = node(k, (uint32_t)old);
            return orr_yaml_fail(b, ORR_EINVAL, n->line, n->column,
                                 "the key '%.*s' is already there, on line "
                                 "%u, column %u",
                                 n->len < 80 ? (int)n->len : 80,
                                 orr_yaml_text(k->y, n), (unsigned)o->line,
                                 (unsigned)o->column);
        }
    }
    return 0;
}

/* Appends one merged pair unless its key is there. */
static int merge_pair(struct orr_yaml_build *b, struct keys *k, uint32_t key)
{
    struct orr_yaml_node copy = *node(k, key);
    if (copy.kind == ORR_YAML_SKIP)
        return 0;
    int64_t at = orr_yaml_add(b, &copy);
    if (at < 0)
        return (int)at;
    int64_t old = find_or_add(k, (uint32_t)at);
    if (old < 0)
        return orr_err_set(b->e, ORR_ENOMEM, "%s: no memory", b->name);
    if (old) {
        k->y->count--;
        return 0;
    }
    struct orr_yaml_node value = *node(k, key + 1);
    value.kind = ORR_YAML_ALIAS;
    value.value.target = orr_yaml_target(k->y, key + 1);
    at = orr_yaml_add(b, &value);
    k->y->nodes[k->map].len++;
    return at < 0 ? (int)at : 0;
}

/* Merges the mapping, or the list of mappings, at 'value'. */
static int merge(struct orr_yaml_build *b, struct keys *k, uint32_t value,
                 bool list_ok)
{
    uint32_t from = orr_yaml_target(k->y, value);
    const struct orr_yaml_node *n = node(k, from);
    uint32_t end = n->end;
    int rc = 0;
    if (n->kind == ORR_YAML_LIST && list_ok) {
        for (uint32_t i = from + 1; rc == 0 && i < end; i = node(k, i)->end)
            rc = merge(b, k, i, false);
        return rc;
    }
    if (n->kind != ORR_YAML_MAP) {
        n = node(k, value);
        return orr_yaml_fail(b, ORR_EINVAL, n->line, n->column,
                             "<< takes a mapping, or a list of mappings");
    }
    for (uint32_t i = from + 1; rc == 0 && i < end; i = node(k, i + 1)->end)
        rc = merge_pair(b, k, i);
    return rc;
}

int orr_yaml_finish_map(struct orr_yaml_build *b, uint32_t map, bool merges)
{
    struct keys k = {.y = b->out, .map = map};
    uint32_t end = b->out->count;
    k.many = b->out->nodes[map].len > FEW || merges;
    int rc = check_unique(b, &k, end);
    for (uint32_t i = map + 1; merges && rc == 0 && i < end;
         i = node(&k, i + 1)->end) {
        if (node(&k, i)->kind != ORR_YAML_SKIP)
            continue;
        b->out->nodes[map].len--; // the << itself
        rc = merge(b, &k, i + 1, true);
    }
    orr_map_fini(&k.names);
    return rc;
}
