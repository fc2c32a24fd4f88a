-- Circuit breakers: an agent that cannot be reached several times in a row is left alone for a
-- while, by all steps of the run. Then one of them tries (the probe): its success closes the
-- circuit, its failure opens it anew. What an agent makes badly counts as an answer.
--
--   closed --failures in a row--> open --time--> half open --answer--> closed
--                                   ^------------failure------|
local loop = require("orrery.kernel.loop")

local circuit = {}
local Pass = {}
Pass.__index = Pass

-- When orrery.lua does not say: agents = { NAME = { circuit = { failures, open, wait } } }.
local FAILURES, OPEN = 5, 30

-- The service is at fault, not the answer.
local COUNTS = { network = true, timeout = true, rate_limit = true }

local function say(run, role, c, state, more)
  c.state = state
  local ev = { ev = "circuit", agent = role, state = state }
  for k, v in pairs(more or {}) do ev[k] = v end
  run.journal:emit(ev)
end

local function open(run, role, c, conf)
  local seconds = conf.open or OPEN
  c.till = run.loop:now() + seconds
  say(run, role, c, "open", { failures = c.failures, seconds = seconds })
end

local function settle(run, role, c, conf, err)
  if err and COUNTS[err.class] then
    c.failures = c.failures + 1
    if c.state == "half" or (c.state == "closed" and c.failures >= (conf.failures or FAILURES)) then
      open(run, role, c, conf)
    end
  elseif not err or err.class ~= "cancelled" then
    c.failures = 0
    if c.state == "half" then say(run, role, c, "closed") end
  elseif c.state == "half" then
    c.state = "open" -- the next one is the probe
  end
end

--- The call has ended with `came`, or never came to its end.
function Pass:__close()
  local c = self.circuit
  if not c then return end
  local probe = self.probe
  -- Calls that began before the circuit opened say nothing new about it.
  if probe or c.state == "closed" then
    settle(self.run, self.role, c, self.conf,
      self.came and self.came.error or not self.came and { class = "cancelled" } or nil)
  end
  if probe then
    c.probe = nil
    probe:set(true)
  end
end

local function barred(run, role, c, conf)
  local seconds = math.max(0, c.till - run.loop:now())
  return { class = "circuit", retry_after = seconds, wait = conf.wait ~= false,
    keep_feedback = true, message = ("%s could not be reached %d times in a row; it is not asked "
      .. "for %.3g s"):format(role, c.failures, seconds) }
end

--- May an agent be asked now? Suspends while a probe is on its way.
---@param run orrery.Run
---@param role string
---@param conf { failures?: integer, open?: number, wait?: boolean }|false|nil
---@return table pass to be closed, with `came` set; `error` of class "circuit": it may not
function circuit.enter(run, role, conf)
  if conf == false then return setmetatable({}, Pass) end
  conf = type(conf) == "table" and conf or {}
  local c = run.circuits[role]
  if not c then
    c = { state = "closed", failures = 0 }
    run.circuits[role] = c
  end
  while c.probe do loop.await(c.probe) end
  if c.state == "open" and run.loop:now() < c.till then
    return setmetatable({ error = barred(run, role, c, conf) }, Pass)
  end
  local pass = setmetatable({ run = run, role = role, circuit = c, conf = conf }, Pass)
  if c.state == "open" then
    c.probe = loop.signal()
    pass.probe = c.probe
    say(run, role, c, "half")
  end
  return pass
end

return circuit
