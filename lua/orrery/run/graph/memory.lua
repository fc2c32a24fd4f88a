-- The machine's memory: how much there is, and whether it is tight now. Asked at most
-- twice a second, for reading /proc costs more than a step may.
local fs = require("orrery.core.fs")
local sys = require("orrery.core.sys")

local memory = {}

-- Share of time some process waited for memory over ten seconds, in percent.
local PRESSURE = 20
local EVERY = 0.5

local function read(name)
  local text = fs.read("/proc/" .. name)
  return text or ""
end

local function field(text, name)
  local kb = text:match(name .. ":%s*(%d+) kB")
  return kb and tonumber(kb) * 1024
end

--- Bytes of memory this machine has; math.huge when it does not say.
---@return number
function memory.total()
  return sys.memory() or math.huge
end

--- A gauge of memory now.
function memory.gauge()
  return { at = -math.huge, available = math.huge, pressure = 0 }
end

--- Would `bytes` more be too much now?
---@param gauge table
---@param bytes number
---@param now number
---@return boolean
function memory.tight(gauge, bytes, now)
  if now - gauge.at > EVERY then
    gauge.at = now
    gauge.available = field(read("meminfo"), "MemAvailable") or math.huge
    local avg = read("pressure/memory"):match("some avg10=(%d+%.%d+)")
    gauge.pressure = tonumber(avg) or 0
  end
  return bytes > gauge.available or gauge.pressure > PRESSURE
end

return memory
