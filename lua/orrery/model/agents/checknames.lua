-- The checks that the dialect knows by name (what they do: orrery.knowledge.checks), and
-- where one of the user's own would be: checks/NAME.lua, or a "module:function".
local nearest = require("orrery.kernel.nearest")

local checknames = {}

--- Name → what it asks for, in words.
---@type table<string, string>
checknames.built_in = {
  no_hardcoded_secrets = "no password, key or token is written out in any artifact",
  all_secrets_use_references = "every secret is a reference or a placeholder, none is empty",
  resource_names_have_suffixes = "every name under resources ends in a unique suffix",
  connection_strings_use_placeholders = "no connection string holds a password",
  all_critical_features_preserved =
    "features are complete, counted, and none that is critical in an input is missing",
  acceptance_criteria_included = "every feature has acceptance criteria",
  dependencies_mapped = "every feature lists its dependencies, which exist and do not go round",
  no_api_errors = "no artifact reports an error, a failed status or a code of 400 and above",
}

--- The file in which a check of the user's would be.
---@param name string
---@return string? path relative to the root; nil: it cannot be a file's name
function checknames.file(name)
  return name:find("^[%w_][%w_%-]*$") and ("checks/%s.lua"):format(name) or nil
end

--- Why nobody can do the check of that name; nil: somebody can.
---@param name string
---@param stat fun(path: string): table?
---@return string? why
function checknames.missing(name, stat)
  if checknames.built_in[name] or name:find("^[%w_%.%-]+:[%a_][%w_]*$") then return nil end
  local path = checknames.file(name)
  local st = path and stat(path)
  if st and st.type == "file" then return nil end
  local hint = nearest.hint(name, checknames.built_in)
  return ("no check is called '%s'%s%s"):format(name,
    path and "; write " .. path or "", hint and "; " .. hint or "")
end

return checknames
