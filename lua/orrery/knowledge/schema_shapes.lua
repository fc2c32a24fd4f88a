-- What the value of a keyword must look like in a schema, by shape. Each says what is wrong
-- with it, or nothing; the survey itself goes into the shapes that hold schemas.
local pack = require("orrery.core.pack")
local regex = require("orrery.core.regex")

local shapes = {}

shapes.types = { null = true, boolean = true, integer = true, number = true, string = true,
  array = true, object = true }

--- What messages call a JSON value.
---@param v any
---@return string
function shapes.name(v)
  local t = type(v)
  if v == pack.null or t == "nil" then return "null" end
  if t == "table" then return pack.is_array(v) and "array" or "object" end
  if t == "number" then return math.type(v) == "integer" and "integer" or "number" end
  return t
end

--- A list: an array, or an empty table that nobody marked.
---@param v any
---@return boolean
function shapes.is_list(v)
  return type(v) == "table" and (pack.is_array(v) or next(v) == nil)
end

--- A table of names: no array.
---@param v any
---@return boolean
function shapes.is_map(v)
  return type(v) == "table" and not pack.is_array(v)
end

local function expected(what, v)
  local article = what:find("^[aeiou]") and "an " or "a "
  return ("must be %s, not %s"):format(article .. what, shapes.name(v))
end

local function of_type(t, name)
  return function(v) return type(v) ~= t and expected(name or t, v) or nil end
end

local check = {
  string = of_type("string"), number = of_type("number"), boolean = of_type("boolean"),
  any = function() end,
}

function check.name(v)
  if type(v) ~= "string" then return expected("string", v) end
  if not v:find("^[%a_][%w._-]*$") then
    return ("'%s' is no name: letters, digits, - _ . only, a letter first"):format(v)
  end
end

-- A URI; the survey itself looks at its fragment.
check.identifier = check.string

function check.positive(v)
  if type(v) ~= "number" then return expected("number", v) end
  if v <= 0 or v ~= v then return ("must be above 0, not %s"):format(v) end
end

function check.count(v)
  if type(v) ~= "number" then return expected("whole number", v) end
  if v < 0 or v % 1 ~= 0 then return ("must be a whole number from 0, not %s"):format(v) end
end

function check.list(v)
  if not shapes.is_list(v) then return expected("array", v) end
end

function check.strings(v)
  if not shapes.is_list(v) then return expected("array of strings", v) end
  for i = 1, #v do
    if type(v[i]) ~= "string" then
      return ("must hold only strings; element %d is %s"):format(i - 1, shapes.name(v[i]))
    end
  end
end

function check.string_lists(v)
  if not shapes.is_map(v) then return expected("object", v) end
  for k, list in next, v do
    local bad = check.strings(list)
    if bad then return ("%s: %s"):format(k, bad) end
  end
end

local function type_name(v)
  if type(v) ~= "string" then return expected("type's name", v) end
  if shapes.types[v] then return nil end
  local nearest = require("orrery.kernel.nearest")
  local hint = nearest.hint(v, shapes.types)
  return ("there is no type '%s'%s"):format(v, hint and "; " .. hint
    or "; there are array, boolean, integer, null, number, object and string")
end

function check.type(v)
  if type(v) ~= "table" then return type_name(v) end
  if not pack.is_array(v) or #v == 0 then
    return "must be the name of a type, or an array of some"
  end
  for i = 1, #v do
    local bad = type_name(v[i])
    if bad then return bad end
  end
end

function check.regex(v, patterns)
  if type(v) ~= "string" then return expected("string", v) end
  if patterns[v] then return nil end
  local compiled, err = regex.compile(v)
  if not compiled then return err.message end
  patterns[v] = compiled
end

--- shape → function(value, patterns): what is wrong, or nil. Compiled patterns stay in
--- `patterns`. The shapes that hold schemas are not here.
shapes.check = check

return shapes
