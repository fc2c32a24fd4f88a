-- Durations and sizes as people write them: "90s", "1h30m", "500ms"; "4G", "512M".
local lazy = require("orrery.kernel.lazy")
local time = lazy("orrery.time")

local units = {}

local bytes = { [""] = 1, b = 1, k = 1 << 10, m = 1 << 20, g = 1 << 30, t = 1 << 40 }

--- Seconds of a duration; a bare number is seconds. nil when it is none.
---@param v string|number
---@return number?
---@usage units.seconds("1h30m") --> 5400
function units.seconds(v)
  local ok, seconds = pcall(time.parse, v)
  return ok and seconds or nil
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
