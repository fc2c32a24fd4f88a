/* scratch: two buffers in a userdata. */
#include "bind/scratch.h"

#include "bind/bind.h"

#define SCRATCH_TYPE "orrery.scratch"

enum { KEEP_BYTES = 1 << 20 };

static int scratch_close(lua_State *L)
{
    struct orr_scratch *s = luaL_checkudata(L, 1, SCRATCH_TYPE);
    orr_buf_fini(&s->out);
    orr_entries_fini(&s->es);
    return 0;
}

void orr_scratch_push(lua_State *L)
{
    static const luaL_Reg none[] = {{NULL, NULL}};
    orr_handle_type(L, SCRATCH_TYPE, none, scratch_close);
    struct orr_scratch *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct orr_scratch){0};
    luaL_setmetatable(L, SCRATCH_TYPE);
}

struct orr_scratch *orr_scratch_take(lua_State *L, int i)
{
    struct orr_scratch *s = lua_touserdata(L, lua_upvalueindex(i));
    orr_buf_clear(&s->out);
    orr_entries_clear(&s->es);
    return s;
}

void orr_scratch_rest(struct orr_scratch *s)
{
    orr_entries_clear(&s->es);
    if (s->out.cap > KEEP_BYTES)
        orr_buf_fini(&s->out);
}
