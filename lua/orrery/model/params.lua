-- Params: from what was typed (-p k=v) or given (with = {…}) to checked, typed values.
local json = require("orrery.core.json")
local lazy = require("orrery.kernel.lazy")
local nearest = lazy("orrery.kernel.nearest")
local regex = require("orrery.core.regex")
local sorted = require("orrery.kernel.sorted")

local params = {}

local words = { ["true"] = true, yes = true, on = true, ["1"] = true,
  ["false"] = false, no = false, off = false, ["0"] = false }

local function read_list(text)
  if text:find("^%s*%[") then
    return json.decode(text), "a JSON list, or words separated by commas"
  end
  local out = {}
  for word in (text .. ","):gmatch("%s*(.-)%s*,") do
    if word ~= "" then out[#out + 1] = word end
  end
  return out
end

-- Each turns a text into a value, or nil and what it should have been.
local readers = {
  string = function(text) return text end,
  number = function(text) return tonumber(text), "a number" end,
  integer = function(text) return math.tointeger(tonumber(text)), "a whole number" end,
  boolean = function(text) return words[text:lower()], "true or false" end,
  list = read_list,
  map = function(text)
    local v = json.decode(text)
    return type(v) == "table" and v or nil, "a JSON object"
  end,
}

--- The type a value has as a param: "string", "integer", "number", "boolean", "list", "map".
---@param v any
---@return string
---@usage params.type_of(4) --> "integer"
function params.type_of(v)
  local t = type(v)
  if t == "number" then return math.type(v) == "integer" and "integer" or "number" end
  if t == "table" then return (#v > 0 or next(v) == nil) and "list" or "map" end
  return t
end

local function fits(want, v)
  local have = params.type_of(v)
  if want == have then return true end
  if want == "number" then return have == "integer" end
  return want == "map" and have == "list" and next(v) == nil
end

local function spell(v)
  return type(v) == "string" and v or json.encode(v) or tostring(v)
end

local function convert(spec, raw)
  if type(raw) == "string" and spec.type ~= "string" then
    local v, want = readers[spec.type](raw)
    if v == nil then
      return nil, ("param '%s' must be %s, not '%s'"):format(spec.name, want, raw)
    end
    return v
  end
  if fits(spec.type, raw) then return raw end
  if spec.type == "string" and (type(raw) == "number" or type(raw) == "boolean") then
    return tostring(raw)
  end
  return nil, ("param '%s' must be a %s, not a %s"):format(
    spec.name, spec.type, params.type_of(raw))
end

local function wrong_choice(spec, v)
  local list = {}
  for i, c in ipairs(spec.choices or {}) do
    if c == v then return nil end
    list[i] = spell(c)
  end
  return spec.choices and ("param '%s' must be one of %s, not '%s'"):format(
    spec.name, table.concat(list, ", "), spell(v))
end

local function wrong_pattern(spec, v)
  if not spec.pattern then return nil end
  local re, why = regex.compile(spec.pattern)
  if not re then return ("param '%s': bad pattern: %s"):format(spec.name, why.message) end
  if re:match(spell(v)) then return nil end
  return ("param '%s' must match %s, not '%s'%s"):format(spec.name, spec.pattern, spell(v),
    spec.help and " (" .. spec.help .. ")" or "")
end

local function read_one(spec, raw)
  local v, why = convert(spec, raw)
  if why == nil then why = wrong_choice(spec, v) or wrong_pattern(spec, v) end
  if why then return nil, why end
  return v
end

local function unknown(name, names)
  local guess = nearest.find(name, names)
  return { level = "error", usage = true, text = ("unknown param '%s'"):format(name),
    hint = guess and ("did you mean '%s'?"):format(guess)
      or (#names > 0 and "the params are: " .. table.concat(names, ", ")
      or "this workflow has no params") }
end

--- Final values from specs and raw values.
---@param specs table<string, orrery.Param>
---@param raw table<string, any> texts from the command line, or values
---@return table<string, any> values
---@return orrery.Message[] messages errors; empty when all is well. usage = true; the
---  message about a missing required param has missing = its name.
function params.parse(specs, raw)
  local values, messages, names = {}, {}, {}
  for name in sorted.pairs(specs) do names[#names + 1] = name end
  for name in sorted.pairs(raw) do
    if not specs[name] then messages[#messages + 1] = unknown(name, names) end
  end
  for _, name in ipairs(names) do
    local spec = specs[name]
    if raw[name] ~= nil then
      local v, why = read_one(spec, raw[name])
      values[name] = v
      if why then
        messages[#messages + 1] = { level = "error", usage = true, text = why,
          place = spec.place }
      end
    elseif spec.default ~= nil then
      values[name] = spec.default
    elseif spec.required then
      messages[#messages + 1] = { level = "error", usage = true, missing = name,
        place = spec.place, hint = ("give it: -p %s=VALUE"):format(name),
        text = ("param '%s' is required%s"):format(name,
          spec.help and " (" .. spec.help .. ")" or "") }
    end
  end
  return values, messages
end

return params
