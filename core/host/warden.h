/*
 * warden: the parent above an engine, so that nothing outlives a run.
 *
 * The warden is what the shell started and waits for; the engine is its child
 * and does all the work. Both are child subreapers. When the engine is gone,
 * however it went, its children fall to the warden, which kills them. When the
 * warden is gone, the engine gets ORR_RELAY_ORPHANED and ends everything below
 * itself, then itself. Signals: see engine/relay.h.
 */
#ifndef ORR_HOST_WARDEN_H
#define ORR_HOST_WARDEN_H

#include <stdbool.h>

/* True when the command line executes steps or user code. */
bool orr_warden_wanted(int argc, char **argv);

/* Forks. Returns in the engine only; the warden ends the process as the engine
 * ended. Call first of all, before threads and Lua. When the system refuses to
 * fork, goes on without a warden. */
void orr_warden_start(void);

#endif
