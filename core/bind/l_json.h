/* l_json: the two files of orrery.core.json. */
#ifndef ORR_BIND_L_JSON_H
#define ORR_BIND_L_JSON_H

#include <lua.h>

/* Adds 'encode' to the library table on top of the stack. */
void orr_json_open_write(lua_State *L);

#endif
