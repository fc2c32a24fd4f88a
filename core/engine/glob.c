/*
 * glob: reading patterns (braces, "!", where they start) and asking a whole set
 * about one path. The walker's way of asking is in glob_states.c.
 */
#include "engine/glob.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { MAX_BRACES = 64, MAX_PATTERNS = 10000 };

static int no_memory(struct orr_err *e)
{
    return orr_err_set(e, ORR_ENOMEM, "no memory for patterns");
}

/* Offset of the first "{" that is no escape and in no bracket, or n. */
static size_t find_brace(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '{')
            return i;
        if (s[i] == '\\')
            i++;
        else if (s[i] == '[')
            i += orr_wild_bracket(s + i, n - i) - 1;
    }
    return n;
}

/* Length of the alternative at 's', up to its "," or "}"; n when neither
 * comes. */
static size_t alternative(const char *s, size_t n)
{
    size_t depth = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\\')
            i++;
        else if (s[i] == '[')
            i += orr_wild_bracket(s + i, n - i) - 1;
        else if (s[i] == '{')
            depth++;
        else if (!depth && (s[i] == ',' || s[i] == '}'))
            return i;
        else if (s[i] == '}')
            depth--;
    }
    return n;
}

/* Splits "/", "../../" off the front; returns its length. */
static size_t base_len(const char *s, size_t n)
{
    size_t i = 0;
    if (n && s[0] == '/')
        return 1;
    while (n - i >= 3 && !memcmp(s + i, "../", 3))
        i += 3;
    return i;
}

static bool has_dotdot(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        const char *slash = memchr(s + i, '/', n - i);
        size_t len = slash ? (size_t)(slash - s) - i : n - i;
        if (len == 2 && s[i] == '.' && s[i + 1] == '.')
            return true;
        i += len + 1;
    }
    return false;
}

static int grow(struct orr_glob *g)
{
    size_t cap = g->cap ? g->cap * 2 : 8;
    void *p = realloc(g->patterns, cap * sizeof *g->patterns);
    if (!p)
        return ORR_ENOMEM;
    g->patterns = p;
    g->cap = cap;
    return 0;
}

/* Adds one pattern without braces. */
static int add_plain(struct orr_glob *g, const char *s, size_t n, bool exclude,
                     struct orr_err *e)
{
    while (n >= 2 && s[0] == '.' && s[1] == '/') {
        s += 2;
        n -= 2;
    }
    size_t base = base_len(s, n);
    if (has_dotdot(s + base, n - base))
        return orr_err_set(e, ORR_EINVAL,
                           "pattern '%.*s': \"..\" only works at the start",
                           (int)n, s);
    if (g->count >= MAX_PATTERNS)
        return orr_err_set(e, ORR_ELIMIT, "over %d patterns", MAX_PATTERNS);
    if (g->count == g->cap && grow(g) < 0)
        return no_memory(e);
    struct orr_glob_pattern p = {.exclude = exclude};
    struct orr_buf text = {0};
    int rc = 0;
    bool all = !n || s[n - 1] == '/'; // "dir/" means what is in it
    unsigned flags = g->no_hidden && !exclude ? ORR_WILD_NO_DOT : 0;
    p.base = strndup(s, base);
    if (!p.base || orr_buf_put(&text, s + base, n - base) < 0 ||
        (all && orr_buf_puts(&text, "**") < 0) ||
        orr_wild_init(&p.wild, (char *)text.data, text.len, flags) < 0) {
        free(p.base);
        rc = no_memory(e);
        goto out;
    }
    p.literal = p.wild.fixed == p.wild.count;
    g->patterns[g->count++] = p;
out:
    orr_buf_fini(&text);
    return rc;
}

/* Replaces the first brace by each of its alternatives in turn. */
static int expand(struct orr_glob *g, const char *s, size_t n, bool exclude,
                  int depth, struct orr_err *e)
{
    size_t open = find_brace(s, n), i = open + 1, end = i;
    struct orr_buf b = {0};
    int rc = 0;
    if (open == n)
        return add_plain(g, s, n, exclude, e);
    if (depth > MAX_BRACES)
        return orr_err_set(e, ORR_ELIMIT, "pattern with over %d braces",
                           MAX_BRACES);
    do { // finds the closing brace first: it may be missing
        end += alternative(s + end, n - end);
    } while (end < n && s[end++] == ',');
    if (s[end - 1] != '}' || end <= i)
        return orr_err_set(e, ORR_EINVAL,
                           "pattern '%.*s': the { is never closed; write \\{ "
                           "for the character itself",
                           (int)n, s);
    while (rc == 0 && i < end) {
        size_t len = alternative(s + i, n - i);
        orr_buf_clear(&b);
        if (orr_buf_put(&b, s, open) < 0 || orr_buf_put(&b, s + i, len) < 0 ||
            orr_buf_put(&b, s + end, n - end) < 0)
            rc = no_memory(e);
        else
            rc = expand(g, (char *)b.data, b.len, exclude, depth + 1, e);
        i += len + 1;
    }
    orr_buf_fini(&b);
    return rc;
}

int orr_glob_add(struct orr_glob *g, const char *pattern, size_t n,
                 struct orr_err *e)
{
    bool exclude = n && pattern[0] == '!';
    if (n == exclude)
        return orr_err_set(e, ORR_EINVAL, "empty pattern");
    if (orr_wild_unclosed(pattern, n) >= 0)
        return orr_err_set(e, ORR_EINVAL,
                           "pattern '%.*s': the [ is never closed; write \\[ "
                           "for the character itself",
                           (int)n, pattern);
    return expand(g, pattern + exclude, n - exclude, exclude, 0, e);
}

bool orr_glob_reserved(const char *name, size_t n)
{
    return (n == 4 && !memcmp(name, ".git", 4)) ||
           (n == 7 && !memcmp(name, ".orrery", 7));
}

bool orr_glob_has_reserved(const char *path, size_t n)
{
    for (size_t i = 0; i < n;) {
        const char *slash = memchr(path + i, '/', n - i);
        size_t len = slash ? (size_t)(slash - path) - i : n - i;
        if (orr_glob_reserved(path + i, len))
            return true;
        i += len + 1;
    }
    return false;
}

/* An exclusion takes what is beneath a match, too. */
static bool takes(const struct orr_glob_pattern *p, const char *path, size_t n)
{
    size_t base = strlen(p->base);
    if (n < base || memcmp(path, p->base, base))
        return false;
    if (!base && base_len(path, n))
        return false; // no wildcard stands for ".."
    path += base;
    n -= base;
    for (size_t i = 0; p->exclude && i < n; i++)
        if (path[i] == '/' && orr_wild_match(&p->wild, path, i))
            return true;
    return orr_wild_match(&p->wild, path, n);
}

bool orr_glob_match(const struct orr_glob *g, const char *path, size_t n)
{
    if (orr_glob_has_reserved(path, n))
        return false;
    for (size_t i = g->count; i-- > 0;)
        if (takes(&g->patterns[i], path, n))
            return !g->patterns[i].exclude;
    return false;
}

bool orr_glob_excluded(const struct orr_glob *g, size_t after, const char *path,
                       size_t n)
{
    for (size_t i = after + 1; i < g->count; i++)
        if (g->patterns[i].exclude && takes(&g->patterns[i], path, n))
            return true;
    return false;
}

void orr_glob_fini(struct orr_glob *g)
{
    for (size_t i = 0; i < g->count; i++) {
        orr_wild_fini(&g->patterns[i].wild);
        free(g->patterns[i].base);
    }
    free(g->patterns);
    *g = (struct orr_glob){0};
}
