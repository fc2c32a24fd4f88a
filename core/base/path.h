/*
 * path: paths as text. Nothing here touches the file system.
 * All functions treat '/' as the only separator and bytes as bytes.
 */
#ifndef ORR_BASE_PATH_H
#define ORR_BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Appends the normal form of 'path' to 'out': no "//", no ".", ".." folded
 * where it can be ("a/../b" → "b", "../a" stays), no trailing slash, "." for
 * nothing. 0 or ORR_ENOMEM. */
int orr_path_normal(struct orr_buf *out, const char *path, size_t n);

/* True when a normal, relative path stays inside its root: not absolute, not
 * "..", not starting with "../". */
bool orr_path_inside(const char *path, size_t n);

/* Length of the directory part ("a/b/c" → 3, "c" → 0, "/c" → 1). */
size_t orr_path_dir(const char *path, size_t n);

#endif
