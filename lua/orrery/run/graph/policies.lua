-- Finds policies: the built-in ones by their word, a user's by module name, or a
-- function that was given directly.
local errors = require("orrery.kernel.errors")
local loop = require("orrery.kernel.loop")

local policies = {}

local BUILT_IN = { stop = true, settled = true, fail_fast = true, race = true, quorum = true }

--- What a workflow follows that names no policy.
---@type orrery.PolicySpec
policies.DEFAULT = { module = "stop", options = {} }

--- The spec of -k.
---@type orrery.PolicySpec
policies.KEEP_GOING = { module = "settled", options = {} }

--- Is a policy one of ours?
---@param spec orrery.PolicySpec
---@return boolean
function policies.is_built_in(spec)
  return not spec.fn and BUILT_IN[spec.module] == true
end

--- The function of a policy.
---@param spec orrery.PolicySpec
---@param run orrery.Run its require() finds modules of the workflow's root
---@return function?
---@return table? err
function policies.load(spec, run)
  if spec.fn then return spec.fn end
  if BUILT_IN[spec.module] then return require("orrery.policy." .. spec.module) end
  local find = run.require or require
  local ok, found = loop.try(find, spec.module)
  if not ok then
    return nil, errors.new("policy", ("policy '%s': %s"):format(spec.module,
      errors.text(found):match("^[^\n]*")))
  elseif type(found) ~= "function" then
    return nil, errors.new("policy", ("policy '%s': the module must return function(g, opt), "
      .. "not a %s"):format(spec.module, type(found)))
  end
  return found
end

return policies
