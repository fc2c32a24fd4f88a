-- Values as one would write them in Lua, short enough to read.
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")

local pretty = {}

local WIDTH = 80
local DEPTH = 6
local ITEMS = 60
local TEXT = 2000

local escapes = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ["\\"] = "\\\\", ['"'] = '\\"' }

local function text(v)
  local cut = #v > TEXT and v:sub(1, TEXT) or v
  local s = cut:gsub('[%c\\"]', function(c) return escapes[c] or ("\\%d"):format(c:byte()) end)
  if not utf8.len(s) then
    s = s:gsub("[\128-\255]", function(c) return ("\\x%02x"):format(c:byte()) end)
  end
  return '"' .. s .. '"' .. (#v > TEXT and (" … (%d bytes)"):format(#v) or "")
end

local function code(v)
  local info = debug.getinfo(v, "S")
  if info.what == "C" then return "function (native)" end
  return ("function (%s:%d)"):format(info.short_src, info.linedefined)
end

local function scalar(v)
  local kind = type(v)
  if kind == "string" then return text(v) end
  if v == pack.null then return "null" end
  if kind == "function" then return code(v) end
  return tostring(v)
end

-- An object says itself what it is; plain data is shown whole.
local function own_text(v)
  local mt = getmetatable(v)
  if type(mt) ~= "table" then return nil end
  if rawget(mt, "__tostring") then return tostring(v) end
end

local function key(k)
  if type(k) == "string" then
    return k:find("^[%a_][%w_]*$") and k or "[" .. text(k) .. "]"
  end
  return "[" .. scalar(k) .. "]"
end

-- Keys in order where they have one; objects as keys come last.
local function keys_of(t)
  local plain, odd = {}, {}
  for k in next, t do
    local into = (type(k) == "string" or type(k) == "number" or type(k) == "boolean") and plain
      or odd
    into[#into + 1] = k
  end
  table.sort(plain, sorted.less)
  return table.move(odd, 1, #odd, #plain + 1, plain)
end

local render

local function items_of(v, indent, depth, seen)
  local out, n, length = {}, 0, #v
  for i = 1, length do
    n = n + 1
    if n > ITEMS then break end
    out[n] = render(v[i], indent .. "  ", depth + 1, seen)
  end
  local left = math.max(0, length - ITEMS)
  for _, k in ipairs(keys_of(v)) do
    if not (math.type(k) == "integer" and k >= 1 and k <= length) then
      n = n + 1
      if #out < ITEMS then
        out[#out + 1] = key(k) .. " = " .. render(rawget(v, k), indent .. "  ", depth + 1, seen)
      else
        left = left + 1
      end
    end
  end
  if left > 0 then out[#out + 1] = ("… and %d more"):format(left) end
  return out
end

function render(v, indent, depth, seen)
  if type(v) ~= "table" then return scalar(v) end
  local said = own_text(v)
  if said then return said end
  if seen[v] then return "(seen above)" end
  if next(v) == nil then return "{}" end
  if depth > DEPTH then return "{ … }" end
  seen[v] = true
  local items = items_of(v, indent, depth, seen)
  seen[v] = nil
  local line = "{ " .. table.concat(items, ", ") .. " }"
  if #indent + #line <= WIDTH and not line:find("\n", 1, true) then return line end
  return "{\n" .. indent .. "  " .. table.concat(items, ",\n" .. indent .. "  ") .. ",\n" .. indent
    .. "}"
end

--- A value as text.
---@param v any
---@return string
---@usage pretty.value({ b = 1, "x" }) --> '{ "x", b = 1 }'
function pretty.value(v)
  return render(v, "", 1, {})
end

return pretty
