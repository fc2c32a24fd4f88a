-- One skill called by itself, from the command line or a script: a workflow of a single step,
-- so that it is checked, remembered and written down as in any other.
local errors = require("orrery.kernel.errors")
local single = require("orrery.run.single")
local skills = require("orrery.run.agents.skills")

local skillcall = {}

--- The workflow and the id of its step.
---@param root string
---@param conf orrery.Config
---@param name string
---@param params? table
---@return orrery.Workflow
---@return string id
function skillcall.workflow(root, conf, name, params)
  local id = "skill:" .. name
  local wf = single.make(id, id, { skill = name, with = params or {} }, root, conf)
  wf.by_id[id].verbatim = true
  return wf, id
end

--- Calls it; returns its value and the result. Raises what made it fail.
---@param root string
---@param conf orrery.Config
---@param name string
---@param params? table
---@param opts? orrery.RunOptions
---@return any value
---@return orrery.Result
function skillcall.call(root, conf, name, params, opts)
  skills.get(root, name)
  local wf, id = skillcall.workflow(root, conf, name, params)
  local options = { config = conf }
  for k, v in pairs(opts or {}) do options[k] = v end
  local record = require("orrery.run.engine").run(wf, options)
  local result = record.steps[id] or {}
  if not result.ok then
    local err = result.error or { message = "it did not end" }
    errors.raise("skill", errors.text(err.message), { class = err.class, exit = record.code })
  end
  return result.value, result
end

return skillcall
