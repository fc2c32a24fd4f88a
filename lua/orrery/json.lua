-- JSON without losses: 64-bit integers and doubles keep their type and value, [] is told
-- from {}, null from absent.
local check = require("orrery.kernel.check")
local core = require("orrery.core.json")
local fs = require("orrery.fs")
local pack = require("orrery.core.pack")

local json = {}

--- null: what stands for it in decoded values, and what encodes to it.
---
---     json.encode { next = json.null } --> '{"next":null}'
json.null = pack.null

--- Decodes a text; raises an error with line and column for what is not JSON.
---
---     json.decode('{"n": 1, "l": []}').n --> 1
---@param text string
---@param opts? { name?: string, max_depth?: integer } name: what messages call the text
---@return any
function json.decode(text, opts)
  opts = check.options(opts, { name = "string", max_depth = "integer" }, "json.decode")
  local value, err = core.decode(text, opts)
  if value == nil then error(err, 0) end
  return value
end

--- Encodes a value, keys sorted; raises an error that names what JSON cannot hold.
---
---     json.encode({ b = 1, a = { true } }) --> '{"a":[true],"b":1}'
---@param value any
---@param opts? { indent?: integer }
---@return string
function json.encode(value, opts)
  opts = check.options(opts, { indent = "integer" }, "json.encode")
  local text, err = core.encode(value, opts)
  if not text then error(err, 0) end
  return text
end

--- Decodes a file; messages name it.
---
---     json.read("package.json").name
---@param path string
---@return any
function json.read(path)
  return json.decode(fs.read(path), { name = path })
end

--- Marks a table as an array, so that it is one also when empty; returns it.
---
---     json.encode { tags = json.array {} } --> '{"tags":[]}'
---@generic T: table
---@param t T
---@return T
function json.array(t)
  return pack.array(t)
end

--- Is it an array: marked as one, or a sequence that is not empty?
---
---     json.is_array(json.decode("[]")) --> true
---@param v any
---@return boolean
function json.is_array(v)
  return pack.is_array(v)
end

return json
