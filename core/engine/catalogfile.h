/*
 * catalogfile: the file `index` of a store, by which a catalog is opened
 * without scanning. Read whole, checked by one checksum, replaced by rename.
 * It is only ever a shortcut: a missing, damaged or foreign one is nothing.
 *
 *   header 80 | segs 32 each | spaces | entries 48 each | days 2 each
 *
 * Days of last use are outside the checksum, so that they can be noted in
 * place. Integers are in the machine's order; another order is another file.
 */
#ifndef ORR_ENGINE_CATALOGFILE_H
#define ORR_ENGINE_CATALOGFILE_H

#include "base/err.h"
#include "engine/catalog.h"

/* Fills the empty catalog 'c'. 0, or a reason why it stayed empty. */
int orr_catalogfile_load(struct orr_catalog *c, int dirfd, struct orr_err *e);

/* Replaces the file by what 'c' knows. */
int orr_catalogfile_save(struct orr_catalog *c, int dirfd, struct orr_err *e);

/* Notes days of last use that changed since the load, in place. Best effort:
 * a file that was replaced meanwhile keeps what it has. */
void orr_catalogfile_save_days(struct orr_catalog *c, int dirfd);

#endif
