-- Before anything runs: the schemas that steps name, compiled, so that one that cannot work
-- is known by `orrery check`, not after the step has done its work.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local inputs = require("orrery.run.keys.inputs")
local schema = require("orrery.knowledge.schema")
local sorted = require("orrery.kernel.sorted")

local schemacheck = {}

-- Is it known only when the step runs: named by a template, or made by a step?
local function comes_later(wf, given)
  return type(given) == "string" and (given:find("{{", 1, true) ~= nil
    or inputs.owner({ workflow = wf }, given) ~= nil)
end

-- The schemas of a step with what people call them. Those of agents may be absent.
local function schemas_of(wf, step)
  local list = {}
  if step.returns ~= nil then list[1] = { "returns", step.returns } end
  for path, given in sorted.pairs(step.gate and step.gate.schema or {}) do
    list[#list + 1] = { ("gate.schema of %s"):format(path), given }
  end
  local io = step.agent_io
  for _, s in ipairs(io and io.gate and io.gate.schemas or {}) do
    if fs.stat(wf.root .. "/" .. s.schema) then
      list[#list + 1] = { ("the schema of %s"):format(s.name), s.schema }
    end
  end
  return list
end

--- Adds an error for each schema that cannot work.
---@param wf orrery.Workflow
---@param messages orrery.Message[]
function schemacheck.of(wf, messages)
  local cache = {}
  for _, step in ipairs(wf.steps) do
    for _, one in ipairs(schemas_of(wf, step)) do
      if not comes_later(wf, one[2]) then
        local found, why = schema.get(one[2], { root = wf.root, cache = cache })
        if not found then
          messages[#messages + 1] = { level = "error", place = step.place,
            text = ("%s: %s: %s"):format(step.member_of or step.id, one[1], errors.text(why)) }
        end
      end
    end
  end
end

return schemacheck
