-- The collector of a Lua state whose heap has become large.
local heap = {}

-- Kilobytes from which on a heap is large, and to how much, in percent, it may grow before it is
-- collected again. A smaller one may double, which takes less time.
local LARGE, GROWS = 24 * 1024, 120

--- Keeps a large heap from doubling. To be called now and then; costs next to nothing.
function heap.tend()
  if collectgarbage("count") > LARGE then collectgarbage("incremental", GROWS) end
end

--- Frees what is garbage in a large heap now, so that what follows takes its place: between two
--- parts of a run of which the first leaves much.
function heap.sweep()
  if collectgarbage("count") > LARGE then collectgarbage() end
end

return heap
