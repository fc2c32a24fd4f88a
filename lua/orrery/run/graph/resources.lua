-- Resources of steps: cpu, mem, gpu and any name, as capacities (what is taken comes
-- back) and rates ({ 90000, per = "1m" }: a bucket that refills). A step that does not
-- fit waits in the queue of what it lacks; smaller ones may overtake it a few times,
-- then it is their turn to wait.
local context = require("orrery.run.graph.context")
local errors = require("orrery.kernel.errors")
local heap = require("orrery.run.graph.heap")
local kernel = require("orrery.kernel.loop")
local memory = require("orrery.run.graph.memory")
local sorted = require("orrery.kernel.sorted")
local sys = require("orrery.core.sys")
local template = require("orrery.model.template")

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
    tokens = v.of == "tokens" or (v.of == nil and name == "tpm"), queue = heap.new() }
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
local function wanted(self, run, step, attempt)
  local ctx, spec = context.new(run, step, attempt), step.resources
  if type(spec) == "function" then spec = spec(ctx) end
  local asks
  for name, v in sorted.pairs(template.deep(spec or {}, ctx)) do
    local pool, n = self.pools[name], amount(name, type(v) == "table" and v[1] or v)
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
  for _, v in pairs(step.resources) do
    if type(v) == "string" and v:find("{{", 1, true) then return nil end
  end
  local ok, err = kernel.try(wanted, self, run, step)
  return not ok and errors.text(err) or nil
end

local function refill(self, pool)
  if not pool.rate then return end
  local now = self.loop:now()
  pool.free = math.min(pool.capacity, pool.free + (now - pool.at) * pool.rate)
  pool.at = now
end

-- The pool that cannot give what is asked now, and how much that is.
local function lacking(self, asks)
  for name, n in pairs(asks) do
    local pool = self.pools[name]
    refill(self, pool)
    if n > pool.free + 1e-9 then return pool, n end
  end
  if asks.mem and self.slots.running > 0
    and memory.tight(self.gauge, asks.mem, self.loop:now()) then
    return self.pools.mem, asks.mem
  end
end

local function take(self, node)
  for name, n in pairs(node.asks) do self.pools[name].free = self.pools[name].free - n end
  node.holds = node.asks
end

local arm

local function park(self, pool, node, claimant, n)
  node.overtaken = node.overtaken or 0
  pool.queue:push(node.prio or 0, { node = node, claimant = claimant })
  if pool.rate then arm(self, pool, n - pool.free) end
end

-- Gives to those that wait, in their order, as long as it suffices. What they are given
-- is theirs from now on, though they may still have to wait for a place.
local function serve(self, pool)
  while true do
    local w = pool.queue:peek()
    if not w then return end
    local node = w.node
    if node.result then
      pool.queue:pop()
    else
      local lack, n = lacking(self, node.asks)
      if lack == pool then return n end
      pool.queue:pop()
      if lack then
        park(self, lack, node, w.claimant, n)
      else
        take(self, node)
        w.claimant:put_back(node)
      end
    end
  end
end

-- Serves the queue of a rate when its first can be; sooner than thought, when a call used less.
function arm(self, pool, n)
  local seconds = n / pool.rate + 0.001
  local due = self.loop:now() + seconds
  if pool.armed and pool.armed <= due then return end
  pool.armed = due
  self.timers = self.timers + 1
  self.loop:expect(self.loop.core:timer(seconds), function()
    if pool.armed == due then pool.armed = nil end
    self.timers = self.timers - 1
    local needs = serve(self, pool)
    if needs then arm(self, pool, needs - pool.free) end
  end)
end

-- A newcomer may overtake those that wait, but not for ever: the pool that keeps it.
local function barred(self, asks)
  for name in pairs(asks) do
    local w = self.pools[name].queue:peek()
    if w and w.node.overtaken >= PATIENCE then return self.pools[name] end
  end
  for name in pairs(asks) do
    local w = self.pools[name].queue:peek()
    if w then w.node.overtaken = w.node.overtaken + 1 end
  end
end

-- With what each call of the step's executor takes, unless the step says it itself.
local function with_executor(self, run, step, asks)
  local executor = step.kind == "agent" and step.action and run.executor
    and run:executor(step.action)
  for name, v in sorted.pairs(executor and executor.resources or {}) do
    local pool = self.pools[name]
    if not pool then
      self.unknown[name] = true
    elseif not (asks and asks[name]) then
      asks = asks or {}
      asks[name] = math.min(amount(name, type(v) == "table" and v[1] or v), pool.capacity)
    end
  end
  return asks
end

local function demand(self, node)
  local run, step = node.sched.run, node.unit
  local asks = step.resources and wanted(self, run, step, node.attempt) or nil
  asks = with_executor(self, run, step, asks)
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
  if node.kind ~= "step" or node.holds then return true end
  if node.asks == nil then
    local ok, asks = kernel.try(demand, self, node)
    if not ok then return false, asks end
    if not asks then return true end
    node.asks = asks
  end
  local pool, n = lacking(self, node.asks)
  pool = pool or barred(self, node.asks)
  if pool then
    park(self, pool, node, claimant, n or node.asks[pool.name])
    return false
  end
  take(self, node)
  return true
end

--- Lets those try again that wait for memory to be less tight.
function Resources:retry_memory()
  serve(self, self.pools.mem)
end

-- Of a rate of tokens, what was reserved and not used comes back; what was used beyond is
-- owed: the pool may be below nothing for a while. A call that did not happen used none.
local function correct(self, pool, node, held)
  local used = node.tokens or node.launched and held or 0
  if used == held then return end
  refill(self, pool)
  pool.free = math.min(pool.capacity, pool.free + held - used)
  local needs = held > used and serve(self, pool)
  if needs then arm(self, pool, needs - pool.free) end
end

--- Gives back what a node holds; those that wait are served.
---@param node orrery.Node
function Resources:release(node)
  local held = node.holds
  node.holds = nil
  for name, n in pairs(held) do
    local pool = self.pools[name]
    if pool.tokens and node.unit.kind == "agent" then
      correct(self, pool, node, n)
    elseif not pool.rate then
      pool.free = pool.free + n
      serve(self, pool)
    end
  end
  node.tokens, node.launched = nil, nil
end

return resources
