/*
 * glob_states: how far a directory has got in every pattern.
 *
 * Each pattern is a little machine whose states are positions among its
 * segments; ** both stays and moves on. A list of states is ordered by pattern,
 * so that the last match is found from the end.
 */
#include "engine/glob.h"

#include <stdlib.h>
#include <string.h>

/* Adds a state and, behind **, the one after it. */
static int put(const struct orr_glob *g, struct orr_glob_states *out,
               struct orr_glob_state s)
{
    for (size_t i = out->count; i-- > 0 && out->v[i].pattern == s.pattern;)
        if (out->v[i].seg == s.seg)
            return 0;
    if (out->count == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 8;
        void *p = realloc(out->v, cap * sizeof *out->v);
        if (!p)
            return ORR_ENOMEM;
        out->v = p;
        out->cap = cap;
    }
    out->v[out->count++] = s;
    const struct orr_wild *w = &g->patterns[s.pattern].wild;
    if (s.seg < w->count && w->segs[s.seg].kind == ORR_WILD_STARS) {
        s.seg++;
        return put(g, out, s);
    }
    return 0;
}

int orr_glob_start(const struct orr_glob *g, const char *base, bool raw,
                   struct orr_glob_states *out)
{
    out->count = 0;
    for (size_t i = 0; i < g->count; i++) {
        const struct orr_glob_pattern *p = &g->patterns[i];
        if (strcmp(p->base, base) || (p->literal && !p->exclude))
            continue;
        if (put(g, out, (struct orr_glob_state){(uint32_t)i, 0, raw}) < 0)
            return ORR_ENOMEM;
    }
    return 0;
}

/* Drops inclusions that a later exclusion covers, and everything when no
 * inclusion is left. */
static void prune(const struct orr_glob *g, struct orr_glob_states *s)
{
    size_t kept = 0, includes = 0;
    uint32_t covered = 0; // patterns below this index cannot win any more
    for (size_t i = 0; i < s->count; i++) {
        const struct orr_glob_pattern *p = &g->patterns[s->v[i].pattern];
        if (p->exclude && s->v[i].seg == p->wild.count)
            covered = s->v[i].pattern;
    }
    for (size_t i = 0; i < s->count; i++) {
        if (s->v[i].pattern < covered)
            continue;
        includes += !g->patterns[s->v[i].pattern].exclude;
        s->v[kept++] = s->v[i];
    }
    s->count = includes ? kept : 0;
}

int orr_glob_enter(const struct orr_glob *g, const struct orr_glob_states *in,
                   const char *name, size_t n, bool ignored,
                   struct orr_glob_states *out)
{
    out->count = 0;
    for (size_t i = 0; i < in->count; i++) {
        struct orr_glob_state s = in->v[i];
        const struct orr_glob_pattern *p = &g->patterns[s.pattern];
        const struct orr_wild *w = &p->wild;
        if (s.seg < w->count) {
            const struct orr_wild_seg *seg = &w->segs[s.seg];
            if (!orr_wild_seg_match(seg, name, n))
                continue;
            s.seg += seg->kind != ORR_WILD_STARS;
        }
        if (ignored && !s.raw && !p->exclude) {
            if (in->v[i].seg >= w->fixed)
                continue; // else: still on its literal prefix
            s.raw = true;
        }
        if (s.seg == w->count && !p->exclude)
            continue;
        if (put(g, out, s) < 0)
            return ORR_ENOMEM;
    }
    prune(g, out);
    return 0;
}

enum orr_glob_answer orr_glob_file(const struct orr_glob *g,
                                   const struct orr_glob_states *in,
                                   const char *name, size_t n, bool ignored)
{
    for (size_t i = in->count; i-- > 0;) {
        const struct orr_glob_state *s = &in->v[i];
        const struct orr_glob_pattern *p = &g->patterns[s->pattern];
        const struct orr_wild *w = &p->wild;
        if (s->seg < w->count &&
            (s->seg + 1 < w->count ||
             !orr_wild_seg_match(&w->segs[s->seg], name, n)))
            continue;
        if (p->exclude)
            return ORR_GLOB_NO;
        if (s->raw)
            return ORR_GLOB_YES;
        if (!ignored)
            return ORR_GLOB_UNLESS_IGNORED;
    }
    return ORR_GLOB_NO;
}

void orr_glob_states_fini(struct orr_glob_states *s)
{
    free(s->v);
    *s = (struct orr_glob_states){0};
}
