/*
 * yaml_scalar: the core schema's regular expressions, by hand. Most scalars are
 * words, so the first character decides early.
 */
#include "engine/yaml_scalar.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CORE_TAG "tag:yaml.org,2002:"

static bool is_one_of(const char *t, const char *a, const char *b,
                      const char *c)
{
    return !strcmp(t, a) || !strcmp(t, b) || !strcmp(t, c);
}

static bool as_null(const char *t, size_t n, struct orr_yaml_node *node)
{
    if (n && strcmp(t, "~") && !is_one_of(t, "null", "Null", "NULL"))
        return false;
    node->kind = ORR_YAML_NULL;
    return true;
}

static bool as_bool(const char *t, struct orr_yaml_node *node)
{
    bool yes = is_one_of(t, "true", "True", "TRUE");
    if (!yes && !is_one_of(t, "false", "False", "FALSE"))
        return false;
    node->kind = ORR_YAML_BOOL;
    node->value.b = yes;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *digits(const char *p)
{
    while (is_digit(*p))
        p++;
    return p;
}

/* A decimal point is a point, whatever locale the program set. */
static double to_double(const char *t)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0); // static in glibc
    double d = strtod_l(t, NULL, c);
    freelocale(c);
    return d;
}

static bool as_float(const char *t, struct orr_yaml_node *node)
{
    const char *p = t + (*t == '-' || *t == '+');
    if (is_one_of(p, ".inf", ".Inf", ".INF")) {
        node->value.d = *t == '-' ? -INFINITY : INFINITY;
    } else if (is_one_of(t, ".nan", ".NaN", ".NAN")) {
        node->value.d = NAN;
    } else {
        const char *whole = p, *q = digits(p);
        bool any = q > whole;
        if (*q == '.') {
            p = digits(++q);
            any = any || p > q;
            q = p;
        }
        if (any && (*q == 'e' || *q == 'E')) {
            q += 1 + (q[1] == '-' || q[1] == '+');
            any = is_digit(*q);
            q = digits(q);
        }
        if (!any || *q)
            return false;
        node->value.d = to_double(t);
        if (isinf(node->value.d))
            return false;
    }
    node->kind = ORR_YAML_FLOAT;
    return true;
}

/* "0o17" and "0x1F": without a sign. */
static bool as_radix(const char *t, struct orr_yaml_node *node)
{
    int base = t[1] == 'o' ? 8 : 16;
    size_t n = strlen(t + 2);
    if (!n ||
        strspn(t + 2, base == 8 ? "01234567" : "0123456789abcdefABCDEF") != n)
        return false;
    errno = 0;
    long long v = strtoll(t + 2, NULL, base);
    node->kind = ORR_YAML_INT;
    node->value.i = v;
    if (errno == ERANGE) {
        double d = 0;
        for (const char *p = t + 2; *p; p++)
            d = d * base + (is_digit(*p) ? *p - '0' : (*p | 32) - 'a' + 10);
        if (isinf(d))
            return false;
        node->kind = ORR_YAML_FLOAT;
        node->value.d = d;
    }
    return true;
}

static bool as_int(const char *t, struct orr_yaml_node *node)
{
    if (t[0] == '0' && (t[1] == 'o' || t[1] == 'x'))
        return as_radix(t, node);
    const char *p = t + (*t == '-' || *t == '+'), *end = digits(p);
    if (end == p || *end)
        return false;
    errno = 0;
    long long v = strtoll(t, NULL, 10);
    if (errno == ERANGE)
        return as_float(t, node);
    node->kind = ORR_YAML_INT;
    node->value.i = v;
    return true;
}

void orr_yaml_resolve(const char *t, size_t n, struct orr_yaml_node *node)
{
    node->kind = ORR_YAML_STRING;
    if (n && !strchr("~nNtTfF+-.0123456789", t[0]))
        return;
    if (as_null(t, n, node) || as_bool(t, node) || as_int(t, node))
        return;
    as_float(t, node);
}

int orr_yaml_resolve_tag(const char *tag, const char *t, size_t n,
                         struct orr_yaml_node *node)
{
    bool ok = true;
    node->kind = ORR_YAML_STRING;
    if (!strcmp(tag, "!") || !strcmp(tag, CORE_TAG "str"))
        return 0;
    if (!strcmp(tag, CORE_TAG "int"))
        ok = as_int(t, node) && node->kind == ORR_YAML_INT;
    else if (!strcmp(tag, CORE_TAG "float"))
        ok = as_float(t, node);
    else if (!strcmp(tag, CORE_TAG "bool"))
        ok = as_bool(t, node);
    else if (!strcmp(tag, CORE_TAG "null"))
        ok = as_null(t, n, node);
    else
        return 2;
    return ok ? 0 : 1;
}
