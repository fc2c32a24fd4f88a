-- Result records as functions of people get them: reading a name that no record has is an
-- error, on the engine's thread and on a worker. Between threads a record is plain data; where
-- records are in what travels is told beside it.
local errors = require("orrery.kernel.errors")
local nearest = require("orrery.kernel.lazy")("orrery.kernel.nearest")
local place = require("orrery.model.place")

local shown = {}

-- What a record is read for, of a step and of a group, and what else may be in it.
local OF_STEP = { "ok", "status", "value", "exit", "stdout", "stderr", "outputs", "error" }
local OF_GROUP = { "ok", "status", "values", "failed", "passed", "skipped", "results", "value",
  "winner" }
local OTHERS = { "allowed", "attempts", "cached", "cause", "cpu", "digest", "full", "id", "key",
  "occurrence", "reason", "rss", "saved_usage", "seconds", "usage", "waiting", "why" }

local readable = {}
for _, names in ipairs({ OF_STEP, OF_GROUP, OTHERS }) do
  for _, name in ipairs(names) do readable[name] = true end
end

--- Raises for a name that no record has, with the line that reads it. Our own modules may ask
--- any table for any field.
---@param r orrery.Result
---@param name any
---@param at? { file: string, line: integer } who reads; nil: it may
function shown.refuse(r, name, at)
  if readable[name] or not at then return end
  local names = rawget(r, "results") and OF_GROUP or OF_STEP
  local hint = type(name) == "string" and nearest.hint(name, names)
  errors.raise("result", ("%s:%d: a result has no '%s'; %s"):format(at.file, at.line,
    tostring(name), hint or "it has " .. table.concat(names, ", ")))
end

-- The raw fields of such a record are all there is: it travels like any value (__plain).
local record_mt = { __plain = true }

function record_mt.__index(r, name)
  if not readable[name] then shown.refuse(r, name, place.reader()) end
end

-- What is said of one that was raised.
function record_mt.__brief(r)
  local out = { id = rawget(r, "id") }
  for _, name in ipairs(rawget(r, "results") and OF_GROUP or OF_STEP) do
    if name ~= "results" then out[name] = rawget(r, name) end
  end
  return out
end

--- Makes a record of a result, in place: what conditions, fan-outs and gates read.
---@param result orrery.Result
function shown.set(result) setmetatable(result, record_mt) end

--- A record as bodies get it.
---@param result orrery.Result
---@return orrery.Result
function shown.record(result)
  local out = {}
  for k, v in next, result do out[k] = v end
  if result.results then
    out.results = {}
    for i, one in ipairs(result.results) do out.results[i] = shown.record(one) end
  end
  return setmetatable(out, record_mt)
end

-- More values than this are not looked through: those that are near come first.
local MOST = 1000

-- Upvalues of a function count as its fields, by their numbers; its environment does not, nor
-- what C functions keep.
local function fields_of(v)
  if type(v) == "table" then return next, v, nil end
  local i = 0
  return function()
    local name, value
    repeat
      i = i + 1
      name, value = debug.getupvalue(v, i)
    until name ~= "_ENV"
    if name and name ~= "" then return i, value end
  end
end

local function extended(path, k)
  local out = table.move(path, 1, #path, 1, {})
  out[#out + 1] = k
  return out
end

--- Where records are in a value that travels: in its tables, and in what its functions
--- captured. nil when there are none.
---@param v any
---@return any[][]? paths
function shown.paths(v)
  if type(v) ~= "table" and type(v) ~= "function" then return nil end
  local queue, paths, seen, found = { v }, { {} }, {}, {}
  for i = 1, MOST do
    local one, path = queue[i], paths[i]
    if one == nil then break end
    if type(one) == "table" and getmetatable(one) == record_mt then found[#found + 1] = path end
    for k, inner in fields_of(one) do
      local kind = type(inner)
      if (kind == "table" or kind == "function") and not seen[inner] and #queue < MOST then
        seen[inner] = true
        queue[#queue + 1], paths[#paths + 1] = inner, extended(path, k)
      end
    end
  end
  return found[1] and found or nil
end

-- What is at the end of a path; nil when something of it did not arrive.
local function at(v, path)
  for _, k in ipairs(path) do
    if type(v) == "function" then
      v = select(2, debug.getupvalue(v, k))
    elseif type(v) == "table" then
      v = rawget(v, k)
    else
      return nil
    end
  end
  return v
end

--- Makes records of what arrived at these paths.
---@param v any
---@param paths any[][]?
function shown.mark(v, paths)
  for _, path in ipairs(paths or {}) do
    local r = at(v, path)
    if type(r) == "table" then setmetatable(r, record_mt) end
  end
end

return shown
