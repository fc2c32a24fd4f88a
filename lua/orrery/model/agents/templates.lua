-- The templates of the agent dialect: {{name}}, a word without a dot. They are known when
-- the file loads: ids of the workflow and the run, and the workflow's inputs.
--
-- {{run_id}} is the one that is not: it becomes the marker <run>, which the run replaces by
-- its id, so that no key depends on it.
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")

local templates = {}

--- Stands for the id of the run in paths and texts of a loaded workflow.
templates.RUN = "<run>"

local PATTERN = "{{%s*([%a_][%w_%-]*)%s*}}"

--- Calls visit(name, t, key) for every template in the strings of a value.
---@param v any
---@param visit fun(name: string, t: table, key: any)
function templates.each(v, visit)
  if type(v) ~= "table" or v == pack.null then return end
  for k, item in pairs(v) do
    if type(item) == "string" then
      for name in item:gmatch(PATTERN) do visit(name, v, k) end
    else
      templates.each(item, visit)
    end
  end
end

local function spell(v)
  if type(v) == "string" then return v end
  if type(v) == "table" then return (json.encode(v, { lossy = true })) end
  return tostring(v)
end

--- Values of a round over those of the workflow.
---@param values table<string, any>
---@param vars table<string, any>?
---@return table<string, any>
function templates.over(values, vars)
  if not vars then return values end
  return setmetatable({}, { __index = function(_, name)
    local v = vars[name]
    if v ~= nil then return v end
    return values[name]
  end })
end

--- Replaces the templates of a text. One that is the whole text keeps the type of its
--- value; one without a value stays.
---@param text string
---@param values table<string, any>
---@return any
---@usage templates.render("{{auto_fix}}", { auto_fix = true }) --> true
function templates.render(text, values)
  local whole = text:match("^%s*" .. PATTERN .. "%s*$")
  if whole and values[whole] ~= nil then return values[whole] end
  return (text:gsub(PATTERN, function(name)
    local v = values[name]
    if v ~= nil then return spell(v) end
  end))
end

--- As render, always text.
---@param text string
---@param values table<string, any>
---@return string
function templates.text(text, values) return spell(templates.render(text, values)) end

--- Renders every string of a value into a new one.
---@param v any
---@param values table<string, any>
---@return any
function templates.deep(v, values)
  if type(v) == "string" then return templates.render(v, values) end
  if type(v) ~= "table" or v == pack.null then return v end
  local out = {}
  for k, item in pairs(v) do out[k] = templates.deep(item, values) end
  return setmetatable(out, getmetatable(v))
end

--- What stands in the first double braces that are left in a text.
---@param text string
---@return string?
---@return boolean? name it is a name, and might have had a value
function templates.leftover(text)
  local left = text:match("{{([^{}]*)}}")
  return left, left and left:find("^%s*[%a_][%w_%-]*%s*$") ~= nil
end

return templates
