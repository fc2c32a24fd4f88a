-- Signals: set once, many may wait (loop.await). The waiting tasks are its list.
local signal = {}
local Signal = { __name = "orrery.signal" }
Signal.__index = Signal

--- A signal that is not set.
---@return orrery.Signal
function signal.new()
  return setmetatable({ ready = false }, Signal)
end

--- Sets it; every task that awaits it goes on with the value. Later ones do not wait.
---@param value any
function Signal:set(value)
  if self.ready then return end
  self.ready, self.value = true, value
  for i = 1, #self do
    local task = self[i]
    self[i] = nil
    if task.awaits == self then task:wake(value) end
  end
end

return signal
