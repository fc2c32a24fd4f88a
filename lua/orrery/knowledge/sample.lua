-- A value that a JSON Schema would take: the required fields, made up. For trying things
-- out; what decides is the validator.
local pack = require("orrery.core.pack")
local regex = require("orrery.core.regex")
local sorted = require("orrery.kernel.sorted")

local sample = {}

local make

local formats = { ["date-time"] = "2026-01-01T00:00:00Z", date = "2026-01-01",
  time = "00:00:00Z", email = "someone@example.org", uri = "https://example.org/",
  url = "https://example.org/", uuid = "00000000-0000-4000-8000-000000000000",
  ipv4 = "192.0.2.1", hostname = "example.org" }

-- Texts that the patterns of real schemas take; the first that fits is used.
local guesses = { "sample", "a-sample", "1.0.0", "3.0.0", "SAMPLE", "plan-sample", "run-sample",
  "feature-sample", "artifact-sample", "gate-sample", "arch-review-sample", "CWE-79",
  "CVE-2026-0001", "100%", "projects/p/secrets/s/versions/1", "1", "https://example.org/",
  "2026-01-01", "security", "/sample" }

local function resolve(root, ref)
  local at = root
  for part in (ref:match("^#/(.*)$") or ""):gmatch("[^/]+") do
    part = part:gsub("~1", "/"):gsub("~0", "~")
    at = type(at) == "table" and at[part] or nil
  end
  return type(at) == "table" and at or {}
end

-- What follows a prefix such as "^plan-[a-z]+$".
local function from_pattern(pattern)
  local prefix = pattern:match("^%^([%w%-_]+)[%[%(%\\]")
  return prefix and prefix .. "sample" or nil
end

local function fits(pattern, text)
  local re = regex.compile(pattern)
  return re ~= nil and re:match(text) == true
end

local function text_of(schema, name, known)
  if known and type(known[name]) == "string" then
    if not schema.pattern or fits(schema.pattern, known[name]) then return known[name] end
  end
  local text = schema.format and formats[schema.format] or "sample"
  if schema.pattern and not fits(schema.pattern, text) then
    local built = from_pattern(schema.pattern)
    if built and fits(schema.pattern, built) then return built end
    for _, guess in ipairs(guesses) do
      if fits(schema.pattern, guess) then return guess end
    end
  end
  local least = schema.minLength or 0
  if #text < least then text = text .. (" sample"):rep((least - #text) // 7 + 1) end
  return schema.maxLength and text:sub(1, math.max(schema.maxLength, least)) or text
end

local function number_of(schema, whole)
  local low = schema.minimum
  if type(schema.exclusiveMinimum) == "number" then low = schema.exclusiveMinimum + 1 end
  local v = low or 0
  if schema.minimum and schema.maximum then v = schema.maximum end
  if schema.maximum and v > schema.maximum then v = schema.maximum end
  if schema.multipleOf then v = math.ceil(v / schema.multipleOf) * schema.multipleOf end
  return whole and (math.tointeger(v) or math.ceil(v)) or v
end

local function list_of(root, schema, known, depth)
  local out = pack.array({})
  local items = type(schema.items) == "table" and schema.items or {}
  for i = 1, schema.minItems or 0 do
    local one = items[1] and (items[i] or {}) or items
    out[i] = make(root, one, "item", known, depth + 1)
    if type(out[i]) == "string" and schema.uniqueItems and i > 1 then out[i] = out[i] .. i end
  end
  return out
end

local function map_of(root, schema, known, depth)
  local out, properties = {}, schema.properties or {}
  for _, name in ipairs(schema.required or {}) do
    out[name] = make(root, properties[name] or {}, name, known, depth + 1)
  end
  local n = 0
  for _ in pairs(out) do n = n + 1 end
  for name, inner in sorted.pairs(properties) do
    if n < (schema.minProperties or 0) and out[name] == nil then
      out[name], n = make(root, inner, name, known, depth + 1), n + 1
    end
  end
  return out
end

local function type_of(schema)
  local t = type(schema.type) == "table" and schema.type[1] or schema.type
  if t then return t end
  if schema.properties or schema.required then return "object" end
  return schema.items and "array" or "string"
end

local function joined(root, schema)
  local out = {}
  for k, v in pairs(schema) do out[k] = v end
  out.allOf = nil
  local required, properties = {}, {}
  local parts = { schema }
  for _, part in ipairs(schema.allOf or {}) do
    part = part["$ref"] and resolve(root, part["$ref"]) or part
    parts[#parts + 1] = part
    if type(part["then"]) == "table" then parts[#parts + 1] = part["then"] end
  end
  for _, part in ipairs(parts) do
    for _, name in ipairs(part.required or {}) do required[#required + 1] = name end
    for name, inner in pairs(part.properties or {}) do properties[name] = inner end
    out.type = out.type or part.type
  end
  out.required, out.properties = required, properties
  return out
end

local function choice(root, schema, name, known, depth)
  local list = schema.oneOf or schema.anyOf
  local first = type(list) == "table" and list[1]
  if type(first) ~= "table" or (not first.type and not first["$ref"] and schema.type) then
    return nil, false
  end
  return make(root, first, name, known, depth + 1), true
end

function make(root, schema, name, known, depth)
  if type(schema) ~= "table" or depth > 30 then return "sample" end
  local ref = schema["$ref"]
  if ref then return make(root, resolve(root, ref), name, known, depth + 1) end
  if schema.const ~= nil then return schema.const end
  if type(schema.enum) == "table" then return schema.enum[1] end
  local chosen, done = choice(root, schema, name, known, depth)
  if done then return chosen end
  if schema.allOf then schema = joined(root, schema) end
  local t = type_of(schema)
  if t == "object" then return map_of(root, schema, known, depth) end
  if t == "array" then return list_of(root, schema, known, depth) end
  if t == "boolean" then return true end
  if t == "null" then return pack.null end
  if t == "number" or t == "integer" then return number_of(schema, t == "integer") end
  return text_of(schema, name, known)
end

--- Makes up a value.
---@param schema table a decoded JSON Schema
---@param known? table<string, any> values for fields of these names, where they fit
---@return any
---@usage sample.of({ type = "array", minItems = 1, items = { const = 1 } })[1] --> 1
function sample.of(schema, known)
  return make(schema, schema, "", known or {}, 0)
end

return sample
