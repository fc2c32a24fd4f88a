-- Names that are unique in the world: those of cloud resources end in a suffix.
local sorted = require("orrery.kernel.sorted")
local walk = require("orrery.knowledge.checks.walk")

local resources = {}

-- "a3f2b1c", "7d1e…", "prod01", {unique_suffix}, ${random_id.x.hex}: not an ordinary word.
local function is_suffix(part)
  if part:find("[{}<>$]") then return true end
  return #part >= 4 and part:find("^%x+$") ~= nil and part:find("%d") ~= nil
    or #part >= 5 and part:find("^%w+$") and part:find("%d") ~= nil and part:find("%a") ~= nil
    or #part >= 6 and part:find("^%d+$") ~= nil
end

local function has_suffix(one, project)
  local name, given = one.name, one.unique_suffix
  if type(given) == "string" and #given >= 3 then
    return name:sub(-#given - 1):find("^[%-_.]") ~= nil and name:sub(-#given) == given
  end
  if one.naming_strategy == "project_id" and project and #project >= 3 then
    return name:find(project, 1, true) ~= nil
  end
  return is_suffix(name:match("{[^{}]*}$") or name:match("[^%-_.]+$") or "")
end

local function check_list(list, artifact, found, at, project)
  for k, one in sorted.pairs(type(found) == "table" and found or {}) do
    local here = ("%s/%s"):format(at, type(k) == "number" and k - 1 or k)
    if type(one) == "table" and type(one.name) == "string" then
      if not has_suffix(one, project) then
        list[#list + 1] = ("%s#%s/name: '%s' does not end in a unique suffix, as %s-a3f2b1c")
          :format(artifact.name, here, one.name, one.name)
      end
    elseif type(one) == "table" then
      check_list(list, artifact, one, here, project)
    end
  end
end

--- Every name under `resources` ends in its unique_suffix, or in a part no other project
--- would think of: digits and letters, or a placeholder for them.
---@param it orrery.CheckInput
---@return string[]
function resources.resource_names_have_suffixes(it)
  local list, seen = {}, false
  for _, artifact in ipairs(it.artifacts) do
    local value = artifact.value
    local project = type(value) == "table" and value.project_id or nil
    walk.named(value, "resources", function(found, at)
      seen = true
      check_list(list, artifact, found, at, type(project) == "string" and project or nil)
    end)
  end
  if not seen then list[1] = "no artifact has resources" end
  return list
end

local function is_error(v)
  return v == true or type(v) == "string" and v ~= "" or type(v) == "table" and next(v) ~= nil
end

local function check_report(list, artifact, t, at)
  for k, v in sorted.pairs(t) do
    local here = ("%s/%s"):format(at, type(k) == "number" and k - 1 or k)
    if (k == "error" or k == "errors" or k == "api_errors") and is_error(v) then
      list[#list + 1] = ("%s#%s: an error is reported"):format(artifact.name, here)
    elseif k == "status" and (v == "error" or v == "failed") then
      list[#list + 1] = ("%s#%s: the status is %s"):format(artifact.name, here, v)
    elseif (k == "status" or k == "status_code" or k == "http_status") and type(v) == "number"
      and v >= 400 then
      list[#list + 1] = ("%s#%s: the status is %s"):format(artifact.name, here, v)
    elseif type(v) == "table" then
      check_report(list, artifact, v, here)
    end
  end
end

--- No artifact reports an error: no filled `error` or `errors`, no failed status, no HTTP
--- status of 400 and above.
---@param it orrery.CheckInput
---@return string[]
function resources.no_api_errors(it)
  local list, seen = {}, false
  for _, artifact in ipairs(it.artifacts) do
    if type(artifact.value) == "table" then
      seen = true
      check_report(list, artifact, artifact.value, "")
    end
  end
  if not seen then list[1] = "there is no JSON artifact to look at" end
  return list
end

return resources
