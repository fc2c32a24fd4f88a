-- Times are seconds: since 1970 for moments, plain for spans. Spans are written "90s",
-- "5m", "1h30m", "500ms"; moments as ISO 8601 in UTC.
local errors = require("orrery.kernel.errors")
local sys = require("orrery.core.sys")

local time = {}

-- Largest first: the order they are written in.
local UNITS = { { "w", 604800 }, { "d", 86400 }, { "h", 3600 }, { "m", 60 }, { "s", 1 },
  { "ms", 0.001 } }

local function rank(unit)
  for i, u in ipairs(UNITS) do
    if u[1] == unit then return i, u[2] end
  end
end

--- Seconds since 1970.
---
---     time.iso(time.now()) --> "2026-11-22T15:28:10Z"
---@return number
function time.now()
  return sys.wall()
end

--- Seconds of a clock that only goes forward; for measuring.
---
---     local t0 = time.mono(); work(); print(time.format(time.mono() - t0))
---@return number
function time.mono()
  return sys.mono()
end

local function parts(text)
  local total, last, pos = 0, 0, 1
  while pos <= #text do
    local number, unit, stop = text:match("^(%d+%.?%d*)(%a+)%s*()", pos)
    local at, seconds = rank(unit)
    if not at or at <= last then return nil end
    total, last, pos = total + tonumber(number) * seconds, at, stop
  end
  return total
end

--- The seconds a span says: units w, d, h, m, s, ms, largest first; a bare number is seconds.
--- Raises code "EINVAL" for anything else.
---
---     time.parse("1h30m") --> 5400
---@param span string|number
---@return number
function time.parse(span)
  if type(span) == "number" and span >= 0 and span < math.huge then return span end
  local text = tostring(span):match("^%s*(.-)%s*$")
  local bare = text:match("^%d+%.?%d*$")
  local seconds = bare and tonumber(bare) or (text ~= "" and parts(text)) or nil
  if not seconds then
    errors.raise("EINVAL", ("'%s' is no time span; write it like \"90s\", \"5m\", \"1h30m\" or "
      .. "\"500ms\""):format(text))
  end
  return math.tointeger(seconds) or seconds
end

local function small(seconds)
  if seconds < 0.0095 then return ("%.2g"):format(seconds * 1000):gsub("%.0$", "") .. "ms" end
  if seconds < 0.9995 then return ("%.0fms"):format(seconds * 1000) end
  return (("%.1f"):format(seconds):gsub("%.0$", "")) .. "s"
end

--- A span for people, in at most two units; time.parse reads it back.
---
---     time.format(5400) --> "1h30m"
---@param seconds number
---@return string
function time.format(seconds)
  if seconds < 0 then return "-" .. time.format(-seconds) end
  if seconds == 0 then return "0s" end
  if seconds ~= seconds or seconds == math.huge then return tostring(seconds) .. "s" end
  if seconds < 59.95 then return small(seconds) end
  local step = seconds < 3599.5 and 1 or seconds < 86370 and 60 or 3600
  local whole = math.floor(seconds / step + 0.5) * step
  local out = {}
  for i = 2, 5 do
    local unit, size = UNITS[i][1], UNITS[i][2]
    local n = whole // size
    if n > 0 then out[#out + 1] = ("%d%s"):format(n, unit) end
    whole = whole - n * size
  end
  return table.concat(out)
end

--- A moment in UTC, with `digits` decimals of a second (0).
---
---     time.iso(0) --> "1970-01-01T00:00:00Z"
---@param t? number default: now
---@param digits? integer
---@return string
function time.iso(t, digits)
  digits = digits or 0
  local unit = 10 ^ digits
  local ticks = math.floor((t or time.now()) * unit)
  local text = os.date("!%Y-%m-%dT%H:%M:%S", math.floor(ticks / unit))
  if digits == 0 then return text .. "Z" end
  return ("%s.%0" .. digits .. "dZ"):format(text, math.floor(ticks % unit))
end

-- Days since 1970 of a date; years begin in March, so that leap days come last.
local function days(y, m, d)
  y = m <= 2 and y - 1 or y
  local era = y // 400
  local of_era = y - era * 400
  local of_year = (153 * ((m + 9) % 12) + 2) // 5 + d - 1
  return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
end

local function month_days(y, m)
  if m == 2 then return (y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0)) and 29 or 28 end
  return (m == 4 or m == 6 or m == 9 or m == 11) and 30 or 31
end

-- Seconds that a zone is ahead of UTC; nil for what is no zone.
local function offset(zone)
  if zone == "" or zone == "Z" or zone == "z" then return 0 end
  local sign, h, m = zone:match("^([+-])(%d%d):?(%d%d)$")
  if not sign or tonumber(h) > 23 or tonumber(m) > 59 then return nil end
  local seconds = tonumber(h) * 3600 + tonumber(m) * 60
  return sign == "-" and -seconds or seconds
end

local function clock(text)
  if text == "" then return 0 end
  local h, m, rest = text:match("^[T ](%d%d):(%d%d)(.*)$")
  if not h then return nil end
  local s, zone = rest:match("^:(%d%d%.?%d*)(.*)$")
  local ahead = offset(zone or rest)
  s = tonumber(s or 0)
  if not ahead or tonumber(h) > 23 or tonumber(m) > 59 or s >= 61 then return nil end
  return tonumber(h) * 3600 + tonumber(m) * 60 + s - ahead
end

--- The moment an ISO 8601 date or time says; without a zone it is UTC. Raises code "EINVAL"
--- for anything else.
---
---     time.parse_iso("2026-11-22T16:28:10+01:00") --> 1795361290
---@param text string
---@return number
function time.parse_iso(text)
  local y, m, d, rest = text:match("^%s*(%d%d%d%d)%-(%d%d)%-(%d%d)(.-)%s*$")
  y, m, d = tonumber(y), tonumber(m), tonumber(d)
  local seconds = y and m >= 1 and m <= 12 and d >= 1 and d <= month_days(y, m) and clock(rest)
  if not seconds then
    errors.raise("EINVAL", ("'%s' is no ISO 8601 time; write it like 2026-11-22T15:28:10Z")
      :format(text))
  end
  return days(y, m, d) * 86400 + seconds
end

return time
