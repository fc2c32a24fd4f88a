-- The `g` of policies: one group while it runs. Its policy is a function(g, opt) in a
-- task of its own; g:ready hands it units (steps, inner groups, fan-outs) as they
-- become ready and a place is free, and it says what a failure means for the rest.
--
--   waiting --needs end--> ready --slots--> offered --g:start--> started --> done
--                                              \--not started--> passed
--
-- A policy reads: id, limit, total, started, running, passed, failed, skipped, ended,
-- winner { id, value } (the first success). Everything else of a group is the engine's.
local check = require("orrery.kernel.check")
local errors = require("orrery.kernel.errors")
local heap = require("orrery.run.graph.heap")
local loop = require("orrery.kernel.loop")
local policies = require("orrery.run.graph.policies")
local results = require("orrery.run.graph.results")

local group = {}
local Group = {}
Group.__index = Group

--- A group about to run.
---@param sched orrery.Scheduler
---@param node orrery.Node
---@param parent? orrery.G
---@return orrery.G
function group.new(sched, node, parent)
  local own = node.unit.policy or (node.unit.fan and node.unit.fan.policy)
  if not parent and sched.run.opts.keep_going then own = policies.KEEP_GOING end
  -- What a body calls does not follow the body, which would be called again, and what its
  -- failure means is the body's to say.
  if parent and parent.spec.body then own = own or parent.spec.body end
  return setmetatable({
    id = node.id, limit = node.unit.limit, total = 0, started = 0, running = 0, passed = 0,
    failed = 0, skipped = 0, ended = 0,
    sched = sched, node = node, parent = parent, inherits = own == nil and parent ~= nil,
    spec = own or (parent and parent.spec) or policies.DEFAULT,
    heaps = {}, claimed = {}, pending = 0, hungry = false,
  }, Group)
end

---------------------------------------------------------------------------
-- what the scheduler tells it

--- Takes a unit in, which is one of the node's members or of those in a transparent group.
---@param _ orrery.Node
function Group:add(_)
  self.total, self.pending = self.total + 1, self.pending + 1
end

-- Calls fn(self, unit) for each unit, in the order they are written.
local function each(self, fn, members)
  for _, node in ipairs(members or self.node.members) do
    if node.transparent then
      each(self, fn, node.members)
    else
      fn(self, node)
    end
  end
end

local function number(self, node)
  self.numbered = self.numbered + 1
  self.positions[node] = self.numbered
end

local ORDERS = {
  first = function(node, self)
    if not self.positions then
      self.positions, self.numbered = {}, 0
      each(self, number)
    end
    return -self.positions[node]
  end,
  last = function(_, self)
    self.arrivals = (self.arrivals or 0) + 1
    return self.arrivals
  end,
}

--- A unit became ready.
---@param node orrery.Node
function Group:candidate(node)
  local name = self.sched.slots:lane_of(node)
  local h = self.heaps[name]
  if not h then
    h = heap.new()
    self.heaps[name] = h
  end
  h:push(self.order and self.order(node, self) or node.prio, node)
  if self.hungry then self:hunger() end
end

Group.put_back = Group.candidate

--- Claims places for what is ready, if the policy waits for that.
function Group:hunger()
  if not self.hungry or self.offered or self.closed then return end
  if self.limit and self.running >= self.limit then return end
  for name, h in pairs(self.heaps) do
    local node = h:peek()
    if node then self.sched.slots:claim(self, name, node.prio) end
  end
end

function Group:take(name)
  if not self.hungry or self.offered or self.closed then return nil end
  if self.limit and self.running >= self.limit then return nil end
  local h = self.heaps[name]
  while h do
    local node = h:pop()
    if not node then return nil end
    if node.state == "ready" then return node end
  end
end

function Group:offer(node)
  node.state = "offered"
  self.offered = node
  self.task:wake()
end

function Group:refuse(node, err)
  self.sched:finished(node, results.failure(err, "resources"))
end

-- Policies for which one failure decides, so that groups that inherit them pass it up
-- at once, not only when they have ended.
local EARLY = { stop = true, fail_fast = true }

local function note_failure(self, node, result)
  if not node.noted then self.failed = self.failed + 1 end
  self.first = self.first or result.cause or node.id
  local up = self.parent
  if self.inherits and EARLY[self.spec.module] and not self.node.noted then
    self.node.noted = true
    note_failure(up, { id = node.id }, result)
    up:nudge()
  end
end

--- Lets the policy look again, if it waits.
function Group:nudge()
  local over = self.waiting or (self.hungry and self.pending == 0)
  if not over and self.hungry and self.ends then
    local ok, answer = loop.try(self.ends)
    over = not ok or answer -- a policy's own error is raised where it waits
  end
  if over then self.task:wake() end
end

--- A unit has its result.
---@param node orrery.Node
---@param result orrery.Result
function Group:unit_ended(node, result)
  if node.state == "started" then
    self.running = self.running - 1
  elseif node.state ~= "passed" then
    self.pending = self.pending - 1
  end
  self.ended = self.ended + 1
  self.last, self.last_unit = result, node.unit
  if result.ok then
    self.passed = self.passed + 1
    self.winner = self.winner or { id = node.id, value = result.value }
  elseif result.status == "failed" and not result.allowed then
    note_failure(self, node, result)
  else
    self.skipped = self.skipped + 1
  end
  if result.waiting then self.approval = true end
  self:nudge()
  if self.hungry then self:hunger() end
end

--- A unit that had ended well has failed after all: a service.
---@param node orrery.Node
function Group:overturned(node)
  note_failure(self, node, node.result)
  self:nudge()
end

local function cancel_begun(self, node)
  if node.state == "started" and not node.result then self.sched:cancel(node, self.closed) end
end

--- Ends the group from outside: nothing new starts, what runs is cancelled.
---@param why string
function Group:close(why)
  if self.closed or self.over then return end
  self.closed = why
  if self.closing then self.closing:set() end
  if self.on_close then self.on_close(why) end
  each(self, cancel_begun)
  if self.task then self.task:wake() end
end

-- Policies that go on after a success as they would have without it.
local STEADY = { stop = true, fail_fast = true, settled = true }

--- Does a success in this group leave all as it is that waits to start, here and around it?
---@return boolean
function Group:is_steady()
  if not STEADY[self.spec.module] then return false end
  if self.parent then return self.parent:is_steady() end
  local outer = self.sched.run.inside
  return not outer or (outer.home ~= nil and outer.home:is_steady())
end

--- Does the policy wait although nothing of the group runs?
function Group:is_stuck()
  return (self.hungry or self.waiting) and self.running == 0 and not self.offered
    and not self.closed and not self.stalled
end

function Group:stall()
  local lines = {}
  each(self, function(_, node)
    if not node.result and #lines < 3 then
      lines[#lines + 1] = ("'%s' waits for %s"):format(node.id, self.sched:waits_for(node))
    end
  end)
  self.stalled = "nothing runs and nothing can start: " .. table.concat(lines, ", ")
  self.task:wake()
end

---------------------------------------------------------------------------
-- what policies call

-- Waits until the scheduler wakes the policy.
local function park(self)
  loop.park()
  if self.stalled and not self.told then
    self.told = true
    errors.raise("policy", self.stalled)
  end
end

local function pass_over(self)
  local node = self.offered
  if not node then return end
  self.offered, node.state = nil, "passed"
  self.pending = self.pending - 1
  self.sched.slots:release(node)
end

local function next_ready(state)
  local self, ends = state.group, state.ends
  pass_over(self)
  while not (self.closed or self.pending == 0 or (ends and ends())) do
    self.hungry, self.ends = true, ends
    self:hunger()
    park(self)
    self.hungry, self.ends = false, nil
    if self.offered and not self.closed then return self.offered.unit end
    pass_over(self)
  end
end

local function reorder(self, order)
  local key = ORDERS[order] or (type(order) == "function" and function(node)
    return order(node.unit)
  end) or nil
  if key == self.order then return end
  self.order = key
  for name, h in pairs(self.heaps) do
    self.heaps[name] = heap.new()
    local node = h:pop()
    while node do
      self.heaps[name]:push(key and key(node, self) or node.prio, node)
      node = h:pop()
    end
  end
end

--- Iterates over units as they become ready and may start: in the order they are written,
--- or order = "priority" (the longest path by earlier runs first, as the built-in policies
--- do), "last" (the latest ready first), function(step) → key, the greatest first.
--- Suspends until there is one; ends when no more can become ready, when the group is
--- cancelled, or when ends() says so (asked after each end of a unit).
--- for step in g:ready { order = "last" } do g:start(step) end
---@param opts? { order?: "priority"|"first"|"last"|function, ends?: fun(): boolean }
function Group:ready(opts)
  opts = check.options(opts, { order = "=priority|=first|=last|function", ends = "function" },
    "g:ready")
  reorder(self, opts.order or "first")
  return next_ready, { group = self, ends = opts.ends }
end

local function own(self, unit, verb)
  local node = type(unit) == "table" and self.sched.nodes[unit.id]
  if not node or node.home ~= self then
    errors.raise("policy", ("g:%s: '%s' is no unit of group '%s'"):format(verb,
      type(unit) == "table" and tostring(unit.id) or tostring(unit), self.id))
  end
  return node
end

--- Starts a unit that is ready.
---@param unit orrery.Step|orrery.Group
function Group:start(unit)
  local node = own(self, unit, "start")
  if self.closed then return end
  if node.state == "started" then
    errors.raise("policy", ("g:start: '%s' started twice"):format(node.id))
  elseif node.state == "done" then
    errors.raise("policy", ("g:start: '%s' has ended already"):format(node.id))
  elseif not node.state then
    errors.raise("policy", ("g:start: '%s' is not ready, it waits for %s"):format(node.id,
      self.sched:waits_for(node)))
  end
  local offered = self.offered == node
  if offered then self.offered = nil end
  if node.state ~= "passed" then self.pending = self.pending - 1 end
  node.state = "started"
  self.started, self.running = self.started + 1, self.running + 1
  self.sched:begin(node, offered)
end

--- Waits for the end of a unit; without one, for the next end of any.
---@param unit? orrery.Step|orrery.Group
---@return orrery.Result
---@return orrery.Step|orrery.Group
function Group:wait(unit)
  local node = unit and own(self, unit, "wait")
  if node and not node.result and node.state ~= "started" then
    errors.raise("policy", ("g:wait: '%s' has not started"):format(node.id))
  elseif not node and self.running == 0 then
    errors.raise("policy", "g:wait: nothing runs")
  end
  local before = self.ended
  while not (node and node.result) and not (not node and self.ended > before) do
    self.waiting = true
    park(self)
    self.waiting = false
  end
  if node then return node.result, node.unit end
  return self.last, self.last_unit
end

--- Cancels a unit; without one, all that runs.
---@param unit? orrery.Step|orrery.Group
function Group:cancel(unit)
  if not unit then
    return each(self, function(_, node)
      if node.state == "started" and not node.result then self.sched:cancel(node, "cancelled") end
    end)
  end
  local node = own(self, unit, "cancel")
  if node.result then return end
  if node.state == "started" then
    self.sched:cancel(node, "cancelled")
  else
    self.sched:skip(node, "stopped", self.first)
  end
end

--- Waits some seconds, or until the group is cancelled. Takes a number or "5m".
---@param seconds number|string
function Group:sleep(seconds)
  if type(seconds) == "string" then seconds = require("orrery.time").parse(seconds) end
  if self.closed then return end
  local slots = self.sched.slots
  self.closing = self.closing or loop.signal()
  slots.sleeping = slots.sleeping + 1
  loop.await(self.closing, seconds)
  slots.sleeping = slots.sleeping - 1
end

--- The group fails, whatever else its units come to.
---@param text string
function Group:fail(text)
  self.outcome = { ok = false, text = text }
  return self.outcome
end

--- The group is ok, whatever else its units come to; `value` is its value.
---@param value any
function Group:finish(value)
  self.outcome = { ok = true, value = value }
  return self.outcome
end

-- Skips a unit that has not started, unless its condition asks to run after failures.
local function skip_rest(self, node)
  if node.state == "started" or node.result then return end
  if self.closed or not node.unit.status_word then
    local cause = not (self.outcome and self.outcome.ok) and self.first or nil
    self.sched:skip(node, self.approval and not self.first and "waiting" or "stopped", cause)
  elseif node.state == "passed" then
    node.state = "ready"
    self.pending = self.pending + 1
    self:candidate(node)
  end
end

--- Waits for what runs, runs what asks to run after a failure (always(), failure()), and
--- skips the rest. The group is ok when nothing failed.
function Group:settle()
  pass_over(self)
  each(self, skip_rest)
  for unit in self:ready({ order = "priority" }) do self:start(unit) end
  while self.running > 0 do
    self.waiting = true
    park(self)
    self.waiting = false
  end
  return self.outcome or { ok = self.failed == 0 }
end

---------------------------------------------------------------------------
-- its life

local function policy_failed(self, err)
  self.outcome = { ok = false, text = errors.text(err),
    class = err.code == "raised" and "policy" or err.code, traceback = err.traceback }
  self:close("policy")
end

local function run_finally(self)
  local sched, failure = self.sched, nil
  for _, node in ipairs(self.node.finally or {}) do
    if sched.run.killed then
      sched:skip(node, "stopped")
    else
      local result = sched:call(node)
      local fine = result.ok or result.allowed or result.status == "skipped"
      if not fine and not sched.run.killed then
        failure = failure or node
      end
    end
  end
  return failure
end

--- Runs the policy to its end, then the finally steps; the group's record. In a task.
---@param self orrery.G
---@return orrery.Result
function group.run(self)
  self.task = loop.current("group")
  local slots = self.sched.slots
  slots.groups[self] = true
  local fn, err = policies.load(self.spec, self.sched.run)
  if not fn then
    policy_failed(self, err)
  elseif not self.closed then
    local ok, why = loop.try(fn, self, self.spec.options or {})
    if not ok then policy_failed(self, why) end
  end
  local outcome = self:settle()
  slots.groups[self] = nil
  local record = results.group(self, self.outcome or outcome)
  self.over = true
  local late = not self.approval and run_finally(self)
  if late then
    record.ok, record.status = false, "failed"
    record.failed[#record.failed + 1] = late.id
    record.error = record.error or { class = "finally",
      message = ("finally step '%s' failed"):format(late.id) }
  end
  return record
end

return group
