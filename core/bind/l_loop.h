/* l_loop: the loop handle, for other bindings that wake or wait. */
#ifndef ORR_BIND_L_LOOP_H
#define ORR_BIND_L_LOOP_H

#include <lua.h>

#include "engine/loop.h"

/* The open loop at 'idx'; raises for anything else, and for a closed one. Its
 * owner is the userdata: keep that alive for as long as the loop is used. */
struct orr_loop *orr_check_loop(lua_State *L, int idx);

/* core.Loop.spawn; in l_loop_spawn.c. Registers the child type first. */
int orr_l_spawn(lua_State *L);
void orr_l_child_type(lua_State *L);

/* The name of a signal without "SIG", or its number as text. */
void orr_push_signal(lua_State *L, int signum);

#endif
