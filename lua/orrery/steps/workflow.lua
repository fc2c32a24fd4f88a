-- The kind `workflow`: another workflow as a step; `with` gives its params, its result is
-- the step's value. Never remembered itself: its steps are.
local nested = require("orrery.run.nested")

local workflow = {}

--- The parts of the key.
function workflow.prepare(_, step, ctx)
  return { workflow = step.action, with = ctx.with }, { shown = "workflow " .. step.action }
end

--- Runs the workflow's steps inside this run.
---@param run orrery.Run
---@param step orrery.Step
---@param _ table prepared
---@param job { ctx: table, lent?: orrery.Service[] }
---@return table came
function workflow.execute(run, step, _, job)
  local wf = nested.load(run, step, job.ctx.with)
  local came = nested.run(run, step, wf, job.lent)
  came.stdout, came.stderr = "", ""
  return came
end

return workflow
