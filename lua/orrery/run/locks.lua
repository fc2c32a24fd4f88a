-- Locks between processes: tried, never waited for in the kernel.
local loop = require("orrery.kernel.loop")

local locks = {}

--- Acquires a lock by trying, suspended in between; nil when the cache is off.
---@param run orrery.Run
---@param name string
---@return core.Lock? close it, or hold it in a <close> variable
function locks.take(run, name)
  if not run.store then return nil end
  local wait = 0.002
  while true do
    local l = run.store:try_lock(name)
    if l then return l end
    loop.await(run.loop.core:timer(wait))
    wait = math.min(wait * 2, 0.1)
  end
end

--- The lock of a step's outputs in this checkout. It is named by what is written, not by
--- the step: a step may run another workflow that has a step of its name.
---@param run orrery.Run
---@param outputs { path: string }[] declared ones
---@return core.Lock?
function locks.outputs(run, outputs)
  local paths = {}
  for i, o in ipairs(outputs) do paths[i] = o.path end
  table.sort(paths)
  return locks.take(run, "out:" .. run.root .. "\0" .. table.concat(paths, "\0"))
end

return locks
