-- Durations and sizes as people write them: "90s", "1h30m", "500ms"; "4G", "512M".
local units = {}

local seconds = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400, w = 604800 }
local bytes = { [""] = 1, b = 1, k = 1 << 10, m = 1 << 20, g = 1 << 30, t = 1 << 40 }

--- Seconds of a duration; a bare number is seconds. nil when it is none.
---@param v string|number
---@return number?
---@usage units.seconds("1h30m") --> 5400
function units.seconds(v)
  if type(v) == "number" then return v >= 0 and v == v and v or nil end
  if type(v) ~= "string" then return nil end
  local text = v:gsub("%s+", ""):lower()
  if text:find("^%d+%.?%d*$") then return tonumber(text) end
  local total, at = 0, 1
  while at <= #text do
    local n, unit, e = text:match("^(%d+%.?%d*)(%a+)()", at)
    if not n or not seconds[unit] then return nil end
    total = total + tonumber(n) * seconds[unit]
    at = e
  end
  if at == 1 then return nil end
  return math.tointeger(total) or total
end

--- Bytes of a size; a bare number is bytes. nil when it is none.
---@param v string|number
---@return integer?
---@usage units.bytes("4G") --> 4294967296
function units.bytes(v)
  if type(v) == "number" then return v >= 0 and math.tointeger(v) or nil end
  if type(v) ~= "string" then return nil end
  local n, unit = v:gsub("%s+", ""):lower():match("^(%d+%.?%d*)([a-z]*)$")
  if not n then return nil end
  unit = unit:gsub("ib$", ""):gsub("^([kmgt])b$", "%1")
  if not bytes[unit] then return nil end
  local size = tonumber(n) * bytes[unit]
  return math.tointeger(size) or math.floor(size)
end

return units
