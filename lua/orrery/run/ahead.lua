-- What is done before its turn, so that processes do not wait for the engine: the end of one
-- is worked off only when the next has its place.
local fs = require("orrery.core.fs")
local loop = require("orrery.kernel.loop")
local sys = require("orrery.core.sys")

local ahead = {}

-- Whose end is known when the process has ended; others are asked, metered or judged first.
local KINDS = { run = true, call = true }

-- Has the step ended well, whatever is still to be looked at? Who must come next may depend
-- on an end that is not, and on any end under a policy for which a success decides.
local function is_sure(run, step, job, came)
  if came.error or came.asks or not KINDS[step.kind] then return false end
  if step.tty or step.returns or step.gate or step.depfile then return false end
  if run.budget and run.budget.limited then return false end
  for _, o in ipairs(job.outputs) do
    if o.glob or o.exclude or not (o.optional or fs.lstat(fs.at(run.root, o.path))) then
      return false
    end
  end
  return true
end

--- The process of a step has ended: what waits for its place starts before the end is worked
--- off, when that can make no difference to what starts.
---@param run orrery.Run
---@param step orrery.Step
---@param job table
---@param came table what the kind came to
---@return number seconds that this took
function ahead.give_way(run, step, job, came)
  local node = loop.current("attempt").node
  local g = node and node.unit == step and node.home
  if not (g and g:is_steady() and run.slots:wanted(node) and is_sure(run, step, job, came)) then
    return 0
  end
  local t0 = sys.mono()
  run.slots:vacate(node)
  return sys.mono() - t0
end

return ahead
