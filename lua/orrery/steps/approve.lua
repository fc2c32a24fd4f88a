-- The kind `approve`: a question to a person. Its key is what it is bound to: the question,
-- the files it shows, and what it needs, by digest.
local approval = require("orrery.run.gates.approval")
local fs = require("orrery.core.fs")
local inputs = require("orrery.run.keys.inputs")
local template = require("orrery.model.template")

local approve = {}

--- The parts of the key.
---@param run orrery.Run
---@param step orrery.Step
---@param ctx table
---@return table parts
---@return table prepared
function approve.prepare(run, step, ctx)
  local question, show = template.render(step.action, ctx, "text"), {}
  for i, path in ipairs(step.show or {}) do show[i] = template.render(path, ctx, "text") end
  return { approve = question, show = #show > 0 and inputs.facts(run, show) or nil },
    { question = question, show = show, shown = question }
end

local function missing(run, show)
  for _, path in ipairs(show) do
    if not fs.stat(fs.at(run.root, path)) then
      return { class = "inputs", message = ("it is to show %s, which does not exist"):format(path),
        hint = "is the step that makes it among needs?" }
    end
  end
end

--- Asks; suspends while a terminal does. Raises code "waiting" when nobody is there.
---@param run orrery.Run
---@param step orrery.Step
---@param prepared table
---@param job table
---@return table came
function approve.execute(run, step, prepared, job)
  local bad, decision = missing(run, prepared.show), nil
  if not bad then
    bad, decision = approval.ask(run, step, job, { question = prepared.question,
      show = prepared.show, purpose = "answer", timeout = job.timeout })
  end
  if bad then return { error = bad, stdout = "", stderr = "" } end
  return { value = { by = decision.by, reason = decision.reason }, stdout = "", stderr = "",
    digest = job.base, said = "approved by " .. (decision.by or "somebody") }
end

return approve
