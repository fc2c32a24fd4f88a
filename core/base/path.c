/* path: normal forms, by one pass over the components. */
#include "base/path.h"

#include <string.h>

#include "base/err.h"

static bool ends_in_dotdot(const struct orr_buf *b, size_t start)
{
    size_t n = b->len - start;
    const unsigned char *p = b->data + start;
    return n >= 2 && p[n - 1] == '.' && p[n - 2] == '.' &&
           (n == 2 || p[n - 3] == '/');
}

static void drop_last(struct orr_buf *b, size_t start)
{
    while (b->len > start && b->data[b->len - 1] != '/')
        b->len--;
    if (b->len > start && b->len - start > 1)
        b->len--;
    else if (b->len == start + 1 && b->data[start] != '/')
        b->len = start;
}

int orr_path_normal(struct orr_buf *out, const char *path, size_t n)
{
    size_t start = out->len;
    bool abs = n && path[0] == '/';
    if (abs && orr_buf_putc(out, '/') < 0)
        return ORR_ENOMEM;
    for (size_t i = 0; i < n;) {
        size_t j = i;
        while (j < n && path[j] != '/')
            j++;
        size_t len = j - i;
        const char *c = path + i;
        i = j + 1;
        if (!len || (len == 1 && c[0] == '.'))
            continue;
        if (len == 2 && c[0] == '.' && c[1] == '.') {
            bool empty = out->len == start + (abs ? 1u : 0u);
            if (empty && abs)
                continue;
            if (!empty && !ends_in_dotdot(out, start)) {
                drop_last(out, start);
                continue;
            }
        }
        bool sep = out->len > start && out->data[out->len - 1] != '/';
        if ((sep && orr_buf_putc(out, '/') < 0) || orr_buf_put(out, c, len) < 0)
            return ORR_ENOMEM;
    }
    return out->len == start ? orr_buf_putc(out, '.') : 0;
}

bool orr_path_inside(const char *path, size_t n)
{
    if (!n || path[0] == '/')
        return false;
    if (n >= 2 && path[0] == '.' && path[1] == '.')
        return n > 2 && path[2] != '/';
    return true;
}

size_t orr_path_dir(const char *path, size_t n)
{
    while (n && path[n - 1] != '/')
        n--;
    return n > 1 ? n - 1 : n;
}
