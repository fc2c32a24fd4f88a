-- The collector of a Lua state whose heap has become large.
local heap = {}

-- Kilobytes from which on a heap is large, and to how much, in percent, it may grow before it is
-- collected again. A smaller one may double, which takes less time.
local LARGE, GROWS = 24 * 1024, 130

--- Keeps a large heap from doubling. To be called now and then; costs next to nothing.
function heap.tend()
  if collectgarbage("count") > LARGE then collectgarbage("incremental", GROWS) end
end

return heap
