-- The kind `body`: a Lua function that starts steps as it goes, as a step of a graph.
-- Never remembered itself: its calls are.
local body = require("orrery.run.body")

local kind = {}

--- The parts of the key.
function kind.prepare(_, step)
  return { body = step.id }, { shown = "body" }
end

--- Runs the function on the main thread; its calls are steps "<id>/…".
---@param run orrery.Run
---@param step orrery.Step
---@param _ table prepared
---@param job { ctx: table }
---@return table came
function kind.execute(run, step, _, job)
  return { value = body.run(run, step.action, { ctx = job.ctx, prefix = step.id .. "/",
    lent = job.lent }),
    stdout = "", stderr = "" }
end

return kind
