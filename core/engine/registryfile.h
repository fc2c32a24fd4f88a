/*
 * registryfile: a registry as a JSON file that people and other tools read:
 *
 *   { "artifacts": [ { "id", "name", "type", "step", "path", "digest", "size",
 *                      "version", "meta" }, … ] }
 *
 * one artifact a line, absent fields left out. Fields of other tools are kept:
 * they go into meta. The file is replaced in one step.
 */
#ifndef ORR_ENGINE_REGISTRYFILE_H
#define ORR_ENGINE_REGISTRYFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "engine/registry.h"

/* Writes all artifacts. With 'merge' what the file holds stays, under a lock
 * ("<path>.lock") that other processes honour: an artifact saved or loaded
 * before is one with the file's; another whose default id is taken gets the
 * next version there; one with a given id replaces the file's. The registry
 * itself keeps its ids. A damaged file is refused and left alone. */
int orr_registryfile_save(struct orr_registry *r, const char *path, bool merge,
                          struct orr_err *e);

/* Writes what an earlier file has, but for the artifacts of some steps, and
 * then all artifacts; the earlier ones are taken over as lines, not read.
 * 'steps' has the steps' ids as JSON strings. Returns how many artifacts in
 * 'count'; none: nothing is written. ORR_ECORRUPT: 'before' is not as
 * orr_registryfile_save writes it. */
int orr_registryfile_save_over(struct orr_registry *r, const char *before,
                               const struct orr_map *steps, const char *path,
                               size_t *count, struct orr_err *e);

/* What a file has before, between and after the lines of its artifacts. */
#define ORR_REGISTRYFILE_HEAD "{\n  \"artifacts\": [\n"
#define ORR_REGISTRYFILE_NEXT ",\n"
#define ORR_REGISTRYFILE_TAIL "\n  ]\n}\n"

/* One artifact as such a line. */
int orr_registryfile_put(struct orr_buf *b, const struct orr_artifact *a,
                         struct orr_err *e);

/* Adds the artifacts of a file, all or none; an id that is there already is
 * skipped. 'loaded' gets how many were added. */
int orr_registryfile_load(struct orr_registry *r, const char *path,
                          size_t *loaded, struct orr_err *e);

#endif
