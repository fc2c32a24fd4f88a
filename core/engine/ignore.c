/*
 * ignore: a rule is a wildcard pattern and three bits. Rules without a slash
 * see only the last component, all others the whole path.
 */
#include "engine/ignore.h"

#include <stdlib.h>
#include <string.h>

#include "engine/wild.h"

struct rule {
    struct orr_wild wild;
    bool keep;     /* started with ! */
    bool dir_only; /* ended with / */
    bool basename; /* no other slash */
};

struct orr_ignore {
    struct rule *rules; /* owned */
    size_t count, cap;
};

/* Cuts trailing blanks, but not the one that a backslash keeps. */
static size_t trimmed(const char *s, size_t n)
{
    size_t keep = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\\' && i + 1 < n)
            i++;
        else if (s[i] == ' ')
            continue;
        keep = i + 1;
    }
    return keep;
}

/* Adds the rule on one line, if there is one. 0, or -1 without memory. */
static int add_line(struct orr_ignore *ig, const char *s, size_t n)
{
    if (n && s[n - 1] == '\r')
        n--;
    if (!n || s[0] == '#')
        return 0;
    n = trimmed(s, n);
    struct rule r = {0};
    if (n && s[0] == '!') {
        r.keep = true;
        s++;
        n--;
    }
    if (n && s[n - 1] == '/') {
        r.dir_only = true;
        n--;
    }
    r.basename = !memchr(s, '/', n);
    if (n && s[0] == '/') {
        s++;
        n--;
    }
    if (!n)
        return 0;
    if (ig->count == ig->cap) {
        size_t cap = ig->cap ? ig->cap * 2 : 8;
        void *p = realloc(ig->rules, cap * sizeof *ig->rules);
        if (!p)
            return -1;
        ig->rules = p;
        ig->cap = cap;
    }
    if (orr_wild_init(&r.wild, s, n, ORR_WILD_BYTES | ORR_WILD_EXACT) < 0)
        return -1;
    ig->rules[ig->count++] = r;
    return 0;
}

struct orr_ignore *orr_ignore_new(const char *text, size_t n)
{
    struct orr_ignore *ig = calloc(1, sizeof *ig);
    if (!ig)
        return NULL;
    if (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        text += 3;
        n -= 3;
    }
    for (size_t i = 0; i < n;) {
        const char *nl = memchr(text + i, '\n', n - i);
        size_t len = nl ? (size_t)(nl - text) - i : n - i;
        if (add_line(ig, text + i, len) < 0) {
            orr_ignore_free(ig);
            return NULL;
        }
        i += len + 1;
    }
    return ig;
}

static bool rule_matches(const struct rule *r, const char *path, size_t n,
                         const char *base, size_t base_n)
{
    if (!r->basename)
        return orr_wild_match(&r->wild, path, n);
    return r->wild.count && orr_wild_seg_match(&r->wild.segs[0], base, base_n);
}

enum orr_ignore_answer orr_ignore_match(const struct orr_ignore *ig,
                                        const char *path, size_t n, bool dir)
{
    const char *slash = n ? memrchr(path, '/', n) : NULL;
    const char *base = slash ? slash + 1 : path;
    size_t base_n = n - (size_t)(base - path);
    for (size_t i = ig->count; i-- > 0;) {
        const struct rule *r = &ig->rules[i];
        if (r->dir_only && !dir)
            continue;
        if (rule_matches(r, path, n, base, base_n))
            return r->keep ? ORR_IGNORE_KEEP : ORR_IGNORE_HIDE;
    }
    return ORR_IGNORE_SILENT;
}

void orr_ignore_free(struct orr_ignore *ig)
{
    if (!ig)
        return;
    for (size_t i = 0; i < ig->count; i++)
        orr_wild_fini(&ig->rules[i].wild);
    free(ig->rules);
    free(ig);
}
