-- Resources of steps: cpu, mem, gpu and any name, as capacities (what is taken comes
-- back) and rates ({ 90000, per = "1m" }: a bucket that refills). A step that does not
-- fit waits in the queue of what it lacks; smaller ones may overtake it a few times,
-- then it is their turn to wait.
local errors = require("orrery.kernel.errors")
local heap = require("orrery.run.heap")
local kernel = require("orrery.kernel.loop")
local memory = require("orrery.run.memory")
local sorted = require("orrery.kernel.sorted")
local sys = require("orrery.core.sys")

local resources = {}
local Resources = {}
Resources.__index = Resources

-- How often others may overtake a step that waits for a resource.
local PATIENCE = 8

--- An amount: 4, "4", "16G" (binary), "500M".
---@param v any
---@return number?
function resources.amount(v)
  if type(v) == "number" then return v end
  local n, unit = tostring(v):match("^(%d+%.?%d*)%s*([KMGT]?)i?B?$")
  if not n then return nil end
  local power = { [""] = 0, K = 1, M = 2, G = 3, T = 4 }
  return tonumber(n) * 1024 ^ power[unit]
end

local function amount(name, v)
  local n = resources.amount(v)
  if not n or n < 0 then
    errors.raise("usage", ("resource %s: '%s' is not an amount such as 4 or \"16G\"")
      :format(name, tostring(v)))
  end
  return n
end

local function pool_of(name, v, now)
  if type(v) ~= "table" then
    local n = amount(name, v)
    return { name = name, capacity = n, free = n, declared = true, queue = heap.new() }
  end
  local n = amount(name, v[1])
  local per = type(v.per) == "number" and v.per or require("orrery.time").parse(v.per or "1m")
  return { name = name, capacity = n, free = n, rate = n / per, at = now, declared = true,
    queue = heap.new() }
end

--- The capacities of a run: of orrery.lua, overridden by --resources.
---@param loop orrery.Loop
---@param configured table<string, any>
---@param given table<string, any>?
---@param jobs integer
---@return orrery.Resources
function resources.new(loop, configured, given, jobs)
  local pools, now = {}, loop:now()
  local function default(name, n)
    pools[name] = { name = name, capacity = n, free = n, queue = heap.new() }
  end
  default("cpu", math.max(jobs, sys.cpus()))
  default("mem", memory.total())
  for name, v in pairs(configured or {}) do pools[name] = pool_of(name, v, now) end
  for name, v in pairs(given or {}) do pools[name] = pool_of(name, v, now) end
  return setmetatable({ loop = loop, pools = pools, timers = 0, unknown = {},
    gauge = memory.gauge() }, Resources)
end

-- What one step asks for, as name → number; nil when nothing that is limited.
local function wanted(self, run, step, spec)
  if type(spec) == "function" then
    spec = spec(require("orrery.run.context").new(run, step, step.attempt))
  end
  local asks
  for name, v in sorted.pairs(spec or {}) do
    local pool, n = self.pools[name], amount(name, v)
    if not pool then
      self.unknown[name] = true
    elseif n > pool.capacity and pool.declared then
      errors.raise("resources", ("%s asks for %s %s, and there are %s; give more with "
        .. "--resources %s=…"):format(step.id, v, name, pool.capacity, name))
    elseif n > 0 then
      asks = asks or {}
      asks[name] = math.min(n, pool.capacity)
    end
  end
  return asks
end

--- Checks what is known before running: a step that asks more than there can be.
---@param run orrery.Run
---@param step orrery.Step
---@return string? problem
function Resources:check(run, step)
  if type(step.resources) ~= "table" then return nil end
  local ok, err = kernel.try(wanted, self, run, step, step.resources)
  return not ok and errors.text(err) or nil
end

local function refill(self, pool)
  if not pool.rate then return end
  local now = self.loop:now()
  pool.free = math.min(pool.capacity, pool.free + (now - pool.at) * pool.rate)
  pool.at = now
end

local function return_waiting(pool, n)
  for _ = 1, n do
    local w = pool.queue:pop()
    if not w then return end
    w.claimant:put_back(w.node)
  end
end

-- Wakes the queue of a rate when its first could be served.
local function arm(self, pool, lacking)
  if pool.armed then return end
  pool.armed = true
  self.timers = self.timers + 1
  local id = self.loop.core:timer(lacking / pool.rate + 0.001)
  self.loop:expect(id, function()
    pool.armed = nil
    self.timers = self.timers - 1
    return_waiting(pool, PATIENCE)
  end)
end

local function park(self, pool, node, claimant, n)
  node.overtaken = node.overtaken or 0
  pool.queue:push(node.prio or 0, { node = node, claimant = claimant })
  if pool.rate then arm(self, pool, n - pool.free) end
end

-- The pool that does not let the node in now, if any.
local function obstacle(self, node, asks)
  for name, n in pairs(asks) do
    local pool = self.pools[name]
    refill(self, pool)
    if n > pool.free + 1e-9 then return pool, n end
    local first = pool.queue:peek()
    if first and first.node ~= node then
      if first.node.overtaken >= PATIENCE then return pool, n end
      first.node.overtaken = first.node.overtaken + 1
    end
  end
end

local function demand(self, node)
  local run, step = node.sched.run, node.unit
  local asks = step.resources and wanted(self, run, step, step.resources) or nil
  local known = run.history and run.history:memory(step)
  if known and known > (asks and asks.mem or 0) then
    asks = asks or {}
    asks.mem = math.min(known, self.pools.mem.capacity)
  end
  return asks
end

--- May the node start? true; false when it waits here; false and an error when never.
---@param node orrery.Node
---@param claimant table
---@return boolean
---@return any err
function Resources:admit(node, claimant)
  if node.kind ~= "step" then return true end
  if node.asks == nil then
    local ok, asks = kernel.try(demand, self, node)
    if not ok then return false, asks end
    if not asks then return true end
    node.asks = asks
  end
  local asks = node.asks
  local pool, n = obstacle(self, node, asks)
  if not pool and asks.mem and self.slots.running > 0
    and memory.tight(self.gauge, asks.mem, self.loop:now()) then
    pool, n = self.pools.mem, asks.mem
  end
  if pool then
    park(self, pool, node, claimant, n)
    return false
  end
  for name, k in pairs(asks) do self.pools[name].free = self.pools[name].free - k end
  node.holds = asks
  return true
end

--- Lets those try again that wait for memory to be less tight.
function Resources:retry_memory()
  return_waiting(self.pools.mem, PATIENCE)
end

--- Gives back what a node holds; those that wait may try again.
---@param node orrery.Node
function Resources:release(node)
  for name, n in pairs(node.holds) do
    local pool = self.pools[name]
    if not pool.rate then
      pool.free = pool.free + n
      return_waiting(pool, PATIENCE)
    end
  end
  node.holds = nil
end

return resources
