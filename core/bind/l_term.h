/* l_term: shared by the files of orrery.core.term. */
#ifndef ORR_BIND_L_TERM_H
#define ORR_BIND_L_TERM_H

#include <lua.h>

/* term.line_new(opts?): a core.Line, or nil, err. */
int orr_term_line_new(lua_State *L);

#endif
