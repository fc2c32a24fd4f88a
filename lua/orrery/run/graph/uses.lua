-- Which services a step uses: those it needs, alone or in groups, and those whose port its
-- fields read.
local sorted = require("orrery.kernel.sorted")
local template = require("orrery.model.template")

local uses = {}

-- Services among a step, a group's members, a fan-out.
local function in_unit(unit, found)
  if not unit then return end
  if unit.members then
    for _, m in ipairs(unit.members) do in_unit(m, found) end
  elseif unit.kind == "service" then
    found[unit.id] = true
  end
end

local function in_text(v, found, depth)
  if type(v) == "table" then
    if depth > 20 then return end
    for _, item in next, v do in_text(item, found, depth + 1) end
  elseif type(v) == "string" and v:find("{{", 1, true) then
    for _, path in ipairs(template.roots(v)) do
      if path[1] == "services" and path[2] ~= nil then found[tostring(path[2])] = true end
    end
  end
end

--- The ids of the services a step uses, sorted.
---@param step orrery.Step
---@param by_id table<string, orrery.Step|orrery.Group>
---@return string[]
function uses.of(step, by_id)
  local found, named = {}, {}
  for _, id in ipairs(step.needs) do in_unit(by_id[id], found) end
  for name, v in next, step.fields do
    if name ~= "with" or not step.verbatim then in_text(v, named, 0) end
  end
  in_text(step.env and step.env.set, named, 0)
  for id in pairs(named) do in_unit(by_id[id], found) end
  found[step.id] = nil
  return sorted.keys(found)
end

--- Has a workflow services?
---@param wf orrery.Workflow
---@return boolean
function uses.any(wf)
  for _, step in ipairs(wf.steps) do
    if step.kind == "service" then return true end
  end
  return false
end

return uses
