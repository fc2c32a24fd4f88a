-- A core.loop on time that is not real: wait() moves the clock to the next timer at
-- once. Simulations and tests run on it; nothing here can block.
local virtual = {}
local Virtual = {}
Virtual.__index = Virtual

--- A loop core whose clock begins at 0.
---@return core.Loop
function virtual.new()
  return setmetatable({ time = 0, last = 0, due = {}, events = {} }, Virtual)
end

--- Seconds of virtual time.
function Virtual:now()
  return self.time
end

local function before(a, b)
  return a.at < b.at or (a.at == b.at and a.id < b.id)
end

-- A sorted list is enough: no more timers than steps that run at once.
function Virtual:timer(seconds)
  self.last = self.last + 1
  local t, due = { at = self.time + seconds, id = self.last }, self.due
  local low, high = 1, #due + 1
  while low < high do
    local mid = (low + high) // 2
    if before(due[mid], t) then low = mid + 1 else high = mid end
  end
  table.insert(due, low, t)
  return t.id
end

function Virtual:forget(id)
  for i, t in ipairs(self.due) do
    if t.id == id then return table.remove(self.due, i) end
  end
end

function Virtual:signal(name)
  self.last = self.last + 1
  self[name] = self.last
  return self.last
end

--- Makes an event happen at the next wait.
---@param e core.Event
function Virtual:emit(e)
  self.events[#self.events + 1] = e
end

function Virtual:wait(timeout)
  if #self.events > 0 then
    local events = self.events
    self.events = {}
    return events
  end
  local t = self.due[1]
  if not t or (timeout and t.at > self.time + timeout) then
    self.time = self.time + (timeout or 0)
    return {}
  end
  table.remove(self.due, 1)
  self.time = math.max(self.time, t.at)
  return { { id = t.id, kind = "timer" } }
end

-- The core interface has it; there is nothing to close.
function Virtual.close() end

return virtual
