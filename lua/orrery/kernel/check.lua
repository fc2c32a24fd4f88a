-- Options tables: an unknown key or a wrong type raises, and says so at the caller.
local lazy = require("orrery.kernel.lazy")
local nearest = lazy("orrery.kernel.nearest")
local sorted = require("orrery.kernel.sorted")

local check = {}

local function fits(v, kind)
  if kind == "any" then return v ~= nil end
  if kind == "integer" then return math.type(v) == "integer" end
  if kind == "list" then return type(v) == "table" and (next(v) == nil or v[1] ~= nil) end
  if kind:sub(1, 1) == "=" then return v == kind:sub(2) end
  return type(v) == kind
end

--- Does the value fit "string", "integer|list", "=stop|=finish" …?
---@param v any
---@param kinds string Lua types, "integer", "list", "any", or "=literal", joined by "|"
---@return boolean
function check.fits(v, kinds)
  if type(v) == kinds then return true end
  for kind in kinds:gmatch("[^|]+") do
    if fits(v, kind) then return true end
  end
  return false
end

--- The kinds in words: "integer|=all" --> 'integer or "all"'.
---@param kinds string
---@return string
function check.describe(kinds)
  local words = {}
  for kind in kinds:gmatch("[^|]+") do
    words[#words + 1] = kind:sub(1, 1) == "=" and ('"%s"'):format(kind:sub(2)) or kind
  end
  return table.concat(words, " or ")
end

local function refuse_unknown(opts, spec, name, level)
  for k in sorted.pairs(opts) do
    if spec[k] == nil then
      local hint = type(k) == "string" and nearest.hint(k, spec)
      error(("%s: unknown option '%s'%s"):format(name, tostring(k),
        hint and "; " .. hint or ""), level + 1)
    end
  end
end

-- Are they all right? Unordered and without a text, for nearly all are; who is to be told
-- what is wrong looks again, in order.
local function is_right(opts, spec)
  for k, v in next, opts do
    local kinds = spec[k]
    if not kinds or not check.fits(v, kinds:match("[^!].*")) then return false end
  end
  for k, kinds in next, spec do
    if opts[k] == nil and kinds:byte() == 33 then return false end -- "!"
  end
  return true
end

--- Checks an options table against { name = kinds }; a leading "!" makes one required.
--- check.options(opts, { limit = "integer", on_error = "=stop|=finish" }, "group.run")
---@param opts table? nil counts as empty
---@param spec table<string, string>
---@param name string the function, for messages
---@param level? integer as for error(); default 2: who called the function that checks
---@return table opts
function check.options(opts, spec, name, level)
  level = (level or 2) + 1
  if opts == nil then opts = {} end
  if type(opts) ~= "table" then
    error(("%s: options must be a table, not %s"):format(name, type(opts)), level)
  end
  if is_right(opts, spec) then return opts end
  refuse_unknown(opts, spec, name, level)
  for k, kinds in sorted.pairs(spec) do
    local required = kinds:sub(1, 1) == "!"
    if required then kinds = kinds:sub(2) end
    local v = opts[k]
    if v == nil and required then
      error(("%s: option '%s' is required"):format(name, k), level)
    elseif v ~= nil and not check.fits(v, kinds) then
      error(("%s: option '%s' must be %s, not %s"):format(name, k, check.describe(kinds),
        type(v)), level)
    end
  end
  return opts
end

return check
