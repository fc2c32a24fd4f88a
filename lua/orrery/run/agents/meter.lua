-- What one call of an agent used, told to all who count: the journal, the budget, rates, the
-- history that later runs go by.
local loop = require("orrery.kernel.loop")
local usage = require("orrery.run.records.usage")

local meter = {}

-- The node of the running task, when it is this step's: what it holds of rates is corrected.
local function node_of(step)
  local node = loop.current("meter").node
  return node and node.unit == step and node or nil
end

--- Asks the budget for a launch. Raises code "budget".
---@param run orrery.Run
---@param step orrery.Step
---@param job table
---@return table? loan to be closed
function meter.launch(run, step, job)
  local b = run.budget
  if not b then return nil end
  local role = job.prepared.role
  local expected = b.limited and run.history:expects(step, role) or {}
  local free = job.prepared.executor and job.prepared.executor.mock
  if role and not free and b:in_the_dark(role, expected) then
    run.journal:emit({ ev = "message", level = "note", text = ("%s: nothing is known of what %s "
      .. "uses; it counts as nothing against the budget until it has answered")
      :format(step.id, role) })
  end
  local loan = b:launch(step, expected)
  local node = step.kind == "agent" and node_of(step)
  if node then node.launched = true end
  return loan
end

--- An agent has answered, or has not.
---@param run orrery.Run
---@param step orrery.Step
---@param job table
---@param came table
---@param loan table?
function meter.called(run, step, job, came, loan)
  if step.kind ~= "agent" or (came.error and came.error.class == "cancelled") then return end
  local u = came.usage
  if loan then loan.used = u end
  local node = node_of(step)
  if node then node.tokens = usage.tokens(u) end
  if u and run.history then run.history:used(step, job.prepared.role, u) end
  run.journal:emit({ ev = "agent_call", id = step.id, attempt = job.attempt,
    role = job.prepared.role, status = came.error and came.error.class or "ok", usage = u })
end

return meter
