/*
 * image: the main state as the build leaves it in the binary, with the modules
 * loaded that most runs need, so that a start loads nothing.
 *
 * The build runs the binary once to fill a section of the binary itself (see
 * CMakeLists.txt). The state lies in that section and the binary at the same
 * address each time (it is no PIE), so all its pointers hold as they are. What
 * would not hold is refused when it is made: an address of memory that only
 * that process had. A binary without an image starts all the same, and slower.
 */
#ifndef ORR_HOST_IMAGE_H
#define ORR_HOST_IMAGE_H

#include <lua.h>

/* The state of the image, now one of this process; once. NULL when the binary
 * has none, or when the environment changes what a state is given
 * (ORRERY_LUA_DIR, LUA_PATH, LUA_CPATH). */
lua_State *orr_image_take(void);

/* Writes the section to 'path', with a state in it. Returns an exit code;
 * says on stderr what is wrong. Only in a process that has no state yet. */
int orr_image_make(const char *path);

#endif
