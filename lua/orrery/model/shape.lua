-- What steps have in common, kept once: there may be a hundred thousand of them. It stands
-- behind their metatable, so that a plain step is a small table of what is its own; reading
-- makes no difference, copying takes both (fan.expand).
local build = require("orrery.model.build")

local shape = {}

-- Steps share their empty lists: build.own before adding to one.
local function common(kind, env, group)
  local none = build.none
  local c = { kind = kind, env = env, group = group, implied = none, input_names = none,
    outputs = none, output_names = none, needs = none, after = none, index = 0 }
  c.__index = c
  return c
end

-- That of the step before serves again when it is of the same sort.
local function of(into, kind)
  local c = into.shape
  if not c or c.kind ~= kind or c.env ~= into.env or c.group ~= into.group then
    c = common(kind, into.env, into.group)
    into.shape = c
  end
  return c
end

--- A step of a node, in the group that is being filled, with the workflow's environment.
---@param node orrery.Node
---@param kind string
---@param into orrery.Into
---@return orrery.Step
function shape.new(node, kind, into)
  -- Eight fields, so that the table of a step with inputs and outputs is made in its final
  -- size; with one more it would be twice as large.
  return setmetatable({ id = node.id, action = node.fields[kind], place = node.place,
    fields = node.fields, node = node, index = nil, inputs = nil, outputs = nil },
    of(into, kind))
end

--- The workflow is loaded: what was only needed to say where something is written goes.
---@param wf orrery.Workflow
function shape.settle(wf)
  for _, s in ipairs(wf.steps) do s.node = nil end
  for _, g in ipairs(wf.groups) do
    g.node = nil
    if g.template then g.template.node = nil end
  end
  wf.node, wf.declared = nil, nil
end

return shape
