-- What a step that is no part of this run left: with `--only` and `--from` others use it as it
-- is, so that is what their keys are made of.
local context = require("orrery.run.graph.context")
local inputs = require("orrery.run.keys.inputs")
local key = require("orrery.run.keys.key")
local last = require("orrery.run.memo.last")
local lazy = require("orrery.kernel.lazy")
local memo = lazy("orrery.run.memo")

local left = {}

local function of_step(run, step)
  if #(step.outputs or {}) > 0 then
    local outputs = inputs.outputs(step, context.new(run, step))
    return memo.outputs_digest(run, (memo.collect(run, step, outputs)))
  end
  local before = last.get(run, step)
  local record = before and before.full and not before.failed and run.store
    and memo.record(run.store, before.full)
  return record and record.digest or nil
end

--- The digest of what a step or a group left, as its result has it; nil when nobody knows.
---@param run orrery.Run
---@param id string
---@return string?
function left.digest(run, id)
  local unit = run.workflow.by_id[id]
  if not unit then return nil end
  if not unit.members then return of_step(run, unit) end
  local list = {}
  for i, member in ipairs(unit.members) do
    list[i] = left.digest(run, member.id)
    if not list[i] then return nil end
  end
  return key.of(list)
end

return left
