-- The checks of gates by their names: functions of what a step made, which give a list of
-- complaints. A user's check has the same form and may have the same name.
local checknames = require("orrery.model.agents.checknames")
local pack = require("orrery.core.pack")

local checks = {}

--- Goes into the keys of steps: raise it when a check judges differently.
checks.VERSION = 1

---@class orrery.CheckedFile
---@field name string   as the step names it; for a file of a directory, below it
---@field path string   absolute
---@field text string
---@field value any     decoded, when the name ends in .json and it is JSON
---@class orrery.CheckInput
---@field step string
---@field role string
---@field params table
---@field artifacts orrery.CheckedFile[]   what the step made, its primary artifact first
---@field inputs orrery.CheckedFile[]      its JSON inputs
---@field value any                        the primary artifact, decoded

local parts = { "features", "resources", "security" }

--- The function of a built-in check; nil: there is none of that name.
---@param name string
---@return (fun(it: orrery.CheckInput): string[])?
function checks.built_in(name)
  if not checknames.built_in[name] then return nil end
  for _, part in ipairs(parts) do
    local fn = require("orrery.knowledge.checks." .. part)[name]
    if fn then return fn end
  end
end

local function complete_feature(i, one)
  if type(one) ~= "table" then return end
  one.id = one.id or "feature-" .. i
  one.name, one.description = one.name or "sample", one.description or "sample"
  one.priority = one.priority or "low"
  if type(one.acceptance_criteria) ~= "table" or #one.acceptance_criteria == 0 then
    one.acceptance_criteria = { "sample" }
  end
  one.dependencies = one.dependencies or pack.array({})
end

--- Makes a made-up artifact one that the built-in checks take. For the mock agent alone.
---@param names string[]
---@param value table changed in place
function checks.complete(names, value)
  for _, name in ipairs(names) do
    local fn = checks.built_in(name)
    if fn == require("orrery.knowledge.checks.resources").resource_names_have_suffixes then
      value.resources = value.resources or {}
    elseif fn and require("orrery.knowledge.checks.features")[name] == fn then
      value.features = value.features or { {} }
      for i, one in ipairs(value.features) do complete_feature(i, one) end
      if value.total_features then value.total_features = #value.features end
    end
  end
end

return checks
