-- Collects garbage at nearly every allocation, so that a binding which lets go of a value
-- too early is caught in the act; best under AddressSanitizer:
--
--   build/orrery lua /usr/bin/busted --helper=tests/lua/frantic.lua tests/lua/pack_spec.lua
--
-- Each cycle begins at once, goes far in one step, and steps are two bytes apart.
collectgarbage("incremental", 1, 1000, 1)
collectgarbage() -- ends the credit that a new state has
