-- Fan-out at run time: the members of a step whose items are known only now. What is
-- known when the file loads became a group there already.
local context = require("orrery.run.graph.context")
local errors = require("orrery.kernel.errors")
local fan = require("orrery.model.fan")
local template = require("orrery.model.template")

local fanout = {}

-- The list, map or matrix, computed.
local function items_of(f, ctx)
  local items = f.items
  if f.kind == "matrix" then items = f.matrix end
  if type(items) == "function" then return items(ctx) end
  if type(items) == "string" then return template.render(items, ctx, "value") end
  return template.deep(items, ctx)
end

--- The member steps of a fanned step. Raises code "fan" or "template" when the items
--- are none.
---@param run orrery.Run
---@param step orrery.Step
---@return orrery.Step[]
function fanout.expand(run, step)
  local ctx = context.new(run, step)
  local items = items_of(step.fan, ctx)
  if items == nil then
    errors.raise("fan", ("%s: its %s is absent"):format(step.id, step.fan.kind))
  end
  local _, members = fan.expand(step, fan.entries(step.fan, items, ctx))
  return members
end

return fanout
