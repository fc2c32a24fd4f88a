/*
 * worker: runs Lua functions on the threads of a pool.
 *
 * Each thread makes its own state on first need and closes it itself. A job's
 * code is a dump of orrery.core.func, its args the pack of a sequence; the
 * result is a packed value, or a packed { code, message, traceback, task }.
 * What the function printed, read and used is told beside it, by
 * lua/orrery/kernel/recorder.lua.
 */
#ifndef ORR_HOST_WORKER_H
#define ORR_HOST_WORKER_H

#include "engine/pool.h"

/* While a thread hangs in a C call that does not end, exit becomes _exit: it
 * may touch what exit takes down. */
extern const struct orr_pool_runner orr_worker_runner;

#endif
