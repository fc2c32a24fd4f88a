-- The graph of one run while it runs: which unit waits for what, what is ready, and
-- what an end means for those that need it. Who may start next is graph.slots' matter,
-- what a failure means for the rest is the policies' (graph.group).
--
-- A node is a unit here: a step, a group, or a step that fans out. A group without a
-- policy, limit, needs, when or finally is transparent: its members belong to the
-- nearest group that has one (their home), and it only gets a record at the end.
local lazy = require("orrery.kernel.lazy")
local conditions = lazy("orrery.run.conditions")
local context = require("orrery.run.graph.context")
local errors = require("orrery.kernel.errors")
local fanout = lazy("orrery.run.graph.fanout")
local group = require("orrery.run.graph.group")
local loop = require("orrery.kernel.loop")
local nodes = require("orrery.run.graph.node")
local priority = require("orrery.run.graph.priority")
local remains = require("orrery.run.graph.remains")
local restart = lazy("orrery.run.graph.restart")
local results = require("orrery.run.graph.results")
local services = require("orrery.run.services")
local shown = require("orrery.run.graph.shown")
local temp = require("orrery.run.keys.temp")

local NONE = {}

local scheduler = {}
local Scheduler = {}
Scheduler.__index = Scheduler

---------------------------------------------------------------------------
-- building

local function is_group(unit) return unit.members ~= nil end

local function is_opaque(unit)
  return unit.policy or unit.limit or unit.when or unit.parent == nil or #unit.needs > 0
    or #unit.after > 0 or #unit.finally > 0
end

local function wanted(self, unit)
  if not self.selection then return true end
  if not is_group(unit) then return self.selection[unit.id] end
  for _, member in ipairs(unit.members) do
    if wanted(self, member) then return true end
  end
  return false
end

-- A workflow that is a body is run by a policy that calls it.
local function body_policy(run)
  return require("orrery.run.body").policy(run)
end

local build_group

local function build_step(self, step, owner, home)
  local node = nodes.new(self, step, step.fan and "fan" or "step", owner, home)
  self.linked[#self.linked + 1] = node
  if home then home:add(node) end
  return node
end

local function build_members(self, node, home)
  for _, member in ipairs(node.unit.members) do
    if wanted(self, member) then
      local build = is_group(member) and build_group or build_step
      node.members[#node.members + 1] = build(self, member, node, home)
    end
  end
  node.left = #node.members
end

function build_group(self, unit, owner, home)
  local opaque = is_opaque(unit)
  local node = nodes.new(self, unit, "group", owner, opaque and home or nil)
  node.members = {}
  if not opaque then
    node.transparent = true
    self.transparent[#self.transparent + 1] = node
    build_members(self, node, home)
    return node
  end
  node.g = group.new(self, node, home)
  if not owner and self.run.workflow.body then
    node.g.spec = { module = "body", options = {}, fn = body_policy(self.run),
      body = node.g.spec }
  end
  self.linked[#self.linked + 1] = node
  if home then home:add(node) end
  build_members(self, node, node.g)
  for i, step in ipairs(unit.finally) do
    node.finally = node.finally or {}
    node.finally[i] = nodes.new(self, step, step.fan and "fan" or "step", node, nil)
  end
  return node
end

-- Edges to what is part of this run; what was not selected counts as satisfied.
local function link(self, node, ids, list)
  for _, id in ipairs(ids) do
    local up = self.nodes[id]
    if up and up ~= node then
      up[list] = up[list] or {}
      up[list][#up[list] + 1] = node
      node.waits = node.waits + 1
    end
  end
end

--- The scheduler of a run; run.workflow gives the graph.
---@param run orrery.Run
---@param selection? table<string, true> ids of the steps that are part of it; nil: all
---@return orrery.Scheduler
function scheduler.new(run, selection)
  local self = setmetatable({ run = run, slots = run.slots, nodes = {}, tasks = {}, linked = {},
    transparent = {}, order = {}, selection = selection,
    work = { first = 1, last = 0 } }, Scheduler)
  self.top = build_group(self, run.workflow.top, nil, nil)
  for _, node in ipairs(self.linked) do
    link(self, node, node.unit.needs, "outs")
    link(self, node, node.unit.after, "afters")
  end
  priority.assign(self)
  services.plan(self)
  self.few = remains.are_few(run)
  return self
end

---------------------------------------------------------------------------
-- ends, and what follows from them

local function became_ready(node)
  if node.state or node.result then return end
  node.state = "ready"
  if node.home then node.home:candidate(node) end
end

local function asks_to_run(unit)
  return unit.status_word or (type(unit.when) == "string"
    and (unit.when:find("always%s*%(") or unit.when:find("failure%s*%(")) ~= nil)
end

local function release_dependant(self, node, cause, why)
  if node.result then return end
  node.waits = node.waits - 1
  if cause and (why == "waiting" or not asks_to_run(node.unit)) then
    self:skip(node, why, cause)
  elseif node.waits == 0 then
    became_ready(node)
  end
end

local function announce(self, node)
  if node.id == "" then return end
  local r, up = node.result, node
  while up and not up.g do up = up.owner end
  local g = up and up.g
  self.run.journal:emit({ ev = "group_finished", id = node.id, status = r.status,
    policy = g and g.spec.module or "stop", passed = r.passed and #r.passed or 0,
    failed = r.failed and #r.failed or 0, skipped = r.skipped and #r.skipped or 0,
    winner = r.winner })
end

local function process(self, node)
  local result = node.result
  if node.kind ~= "step" then announce(self, node) end
  if node.home then node.home:unit_ended(node, result) end
  node.state = "done"
  if node.holds then self.slots.resources:release(node) end
  local owner = node.owner
  if owner and owner.transparent then
    owner.left = owner.left - 1
    if owner.left == 0 then self:finished(owner, results.of_members(owner)) end
  end
  if node.ended then
    node.ended:set(result)
    node.ended = nil
  end
  if self.book then services.ended(self, node) end
  local cause, why
  if node.outs or node.afters then cause, why = results.blocks(node.id, result) end
  for _, d in ipairs(node.outs or NONE) do release_dependant(self, d, cause, why) end
  if why ~= "waiting" then cause, why = nil, nil end -- what waits has not come to its end
  for _, d in ipairs(node.afters or NONE) do release_dependant(self, d, cause, why) end
  if self.few then remains.cut(self.run, node) end
end

--- A unit has its result. What follows is worked off here, without recursion.
---@param node orrery.Node
---@param result orrery.Result
function Scheduler:finished(node, result)
  if node.result then return end
  result.id = result.id or node.id
  node.result = result
  shown.set(result)
  self.run.results[node.id] = result
  local work = self.work
  work.last = work.last + 1
  work[work.last] = node
  if work.busy then return end
  work.busy = true
  while work.first <= work.last do
    local next_node = work[work.first]
    work[work.first] = nil
    work.first = work.first + 1
    process(self, next_node)
  end
  work.first, work.last, work.busy = 1, 0, false
end

--- A service failed after its step had ended well, and its result says so now: the group it
--- belongs to hears of it, or the nearest around that still runs.
---@param node orrery.Node
function Scheduler.overturn(_, node)
  local g = node.home
  if g and not g.over then g.passed = g.passed - 1 end
  while g and g.over do g = g.parent end
  if g and node.result.status == "failed" and not node.result.allowed then g:overturned(node) end
end

--- A unit that is not to run, with its members.
---@param node orrery.Node
---@param why "failed"|"stopped"|"waiting"|"filtered"
---@param cause? string
function Scheduler:skip(node, why, cause)
  if node.result then return end
  if node.kind == "group" then
    for _, member in ipairs(node.members) do self:skip(member, why, cause) end
    for _, step in ipairs(node.finally or {}) do self:skip(step, why, cause) end
  else
    self.run.journal:emit({ ev = "step_skipped", id = node.id, why = why, cause = cause })
  end
  if node.transparent then return end
  self:finished(node, results.skipped(why, cause))
end

--- The ids a unit still waits for, in words.
---@param node orrery.Node
---@return string
function Scheduler:waits_for(node)
  local names = {}
  for _, list in ipairs({ node.unit.needs, node.unit.after }) do
    for _, id in ipairs(list or {}) do
      local up = self.nodes[id]
      if up and not up.result then names[#names + 1] = "'" .. id .. "'" end
    end
  end
  return #names > 0 and table.concat(names, ", ") or "its policy to start it"
end

---------------------------------------------------------------------------
-- running

local function raised(self, node, err, began)
  local class = errors.is(err) and err.class or nil
  local result = results.failure(err, class, node.unit.allow_failure)
  result.seconds = self.run.loop:now() - (began or self.run.loop:now())
  -- A step that fans out and came to no members has failed itself.
  if node.kind == "step" or (node.kind == "fan" and not node.members) then
    if result.error then result.error.place = node.unit.place end
    self.run.journal:finished(node.unit, result)
  end
  return result
end

local function unit_done(task)
  local node = task.node
  local self = node.sched
  self.slots:release(node)
  self.tasks[node] = nil
  local result = task.value
  if not task.ok then
    result = raised(self, node, result, task.began)
  elseif type(result) ~= "table" then
    result = raised(self, node, errors.new("internal", "its kind returned no result"))
  end
  if node.kind == "step" and not result.cached and not node.perform then
    if result.ok and self.run.history then self.run.history:note(node.unit, result) end
  end
  self:finished(node, result)
end

local function perform(self, node)
  return self.run.exec.step(self.run, node.unit)
end

local function holds(self, node)
  local unit = node.unit
  return unit.when == nil or conditions.pass(self.run, unit, context.new(self.run, unit))
end

local function perform_group(self, node)
  if not holds(self, node) then
    for _, member in ipairs(node.members) do self:skip(member, "when") end
    for _, step in ipairs(node.finally or {}) do self:skip(step, "when") end
    return results.skipped("when")
  end
  return group.run(node.g)
end

-- Makes the members of a fan-out, now that what it needs is there.
local function perform_fan(self, node)
  local step = node.unit
  local members = fanout.expand(self.run, step)
  temp.spread(self.run, step, #members)
  node.members = {}
  local g = group.new(self, node, node.home or self.top.g)
  g.limit = step.fan.limit
  for i, member in ipairs(members) do
    local m = nodes.new(self, member, "step", node, g)
    nodes.rank(m, node.prio)
    node.members[i] = m
    self.run.journal:emit({ ev = "step_added", id = member.id, kind = member.kind,
      group = node.id, needs = {} })
    g:add(m)
  end
  node.g = g
  for _, m in ipairs(node.members) do became_ready(m) end
  return group.run(g)
end

local BODIES = { step = perform, group = perform_group, fan = perform_fan }

local function spawn(self, node)
  local task = self.run.loop:task(node.id, node.perform or BODIES[node.kind], self, node)
  task.node, task.on_end, task.began = node, unit_done, self.run.loop:now()
  self.tasks[node] = task
end

-- A claim of one unit that no policy hands out: a body's call, a finally step.
local Claim = {}
Claim.__index = Claim

function Claim:take()
  local node = self.node
  return not node.result and not node.sched.tasks[node] and node or nil
end

function Claim.offer(_, node) spawn(node.sched, node) end

function Claim.refuse(_, node, err)
  node.sched:finished(node, results.failure(err, "resources"))
end

-- It claims again when it is put back.
function Claim.hunger() end

function Claim:put_back(node)
  node.sched.slots:claim(self, node.sched.slots:lane_of(node), node.prio or 0)
end

--- Lets a unit run: at once when it was offered, else when a place is free.
---@param node orrery.Node
---@param offered? boolean
function Scheduler:begin(node, offered)
  node.state = "started"
  if offered then return spawn(self, node) end
  setmetatable({ node = node, claimed = {} }, Claim):put_back(node)
end

-- A claim of a unit that goes on after a pause.
local Return = { hunger = Claim.hunger, put_back = Claim.put_back }
Return.__index = Return

function Return:take() return not self.gone and not self.node.result and self.node or nil end

function Return:offer() self.place:set(true) end

function Return:refuse(_, err) self.place:set(err) end

--- Between two attempts of a unit, in its task: for some seconds its place and its resources
--- are free, then they are asked for again, as the next attempt wants them.
---@param node orrery.Node
---@param seconds number
---@param attempt integer the next one
function Scheduler:pause(node, seconds, attempt)
  local slots = self.slots
  local claim = setmetatable({ node = node, claimed = {}, place = loop.signal() }, Return)
  slots:release(node)
  slots.sleeping = slots.sleeping + 1
  local _ <close> = setmetatable({}, { __close = function()
    claim.gone = true
    slots.sleeping = slots.sleeping - 1
  end })
  if seconds > 0 then loop.sleep(seconds) end
  node.asks, node.overtaken, node.attempt = nil, nil, attempt
  claim:put_back(node)
  local got = loop.await(claim.place)
  if got ~= true then error(got, 0) end
end

--- Runs one unit that no group schedules and waits for its result. In a task.
---@param node orrery.Node
---@return orrery.Result
function Scheduler:call(node)
  local calls = self.slots.calls
  calls[node] = true
  self:begin(node)
  local result = self:wait(node)
  calls[node] = nil
  return result
end

--- Waits for the result of a unit. In a task.
---@param node orrery.Node
---@return orrery.Result
function Scheduler.wait(_, node)
  while not node.result do
    node.ended = node.ended or loop.signal()
    loop.await(node.ended)
  end
  return node.result
end

--- A unit that came up while running: a body's call.
---@param step orrery.Step
---@param owner? orrery.Node
---@return orrery.Node
function Scheduler:add(step, owner)
  local node = nodes.new(self, step, step.fan and "fan" or "step", owner, nil)
  nodes.rank(node, owner and owner.prio or 0)
  return node
end

--- A group that came up while running: w:parallel. Its g and members are the caller's.
---@param unit orrery.Group
---@param owner? orrery.Node
---@return orrery.Node
function Scheduler:add_group(unit, owner)
  local node = nodes.new(self, unit, "group", owner, nil)
  node.members = {}
  nodes.rank(node, owner and owner.prio or 0)
  return node
end

--- A member of such a group, executed by perform(scheduler, node).
---@param unit table
---@param owner orrery.Node
---@param fn fun(self: orrery.Scheduler, node: orrery.Node): orrery.Result
---@return orrery.Node
function Scheduler:add_item(unit, owner, fn)
  local node = nodes.new(self, unit, "step", owner, owner.g)
  node.perform = fn
  nodes.rank(node, owner.prio)
  return node
end

--- Says that a unit that came up may start.
---@param node orrery.Node
function Scheduler.ready(_, node) became_ready(node) end

--- Cancels a unit that has begun.
---@param node orrery.Node
---@param why string
function Scheduler:cancel(node, why)
  if node.result or (why == "changed" and restart.spares(self.run, node.unit)) then return end
  local task = self.tasks[node]
  if task and node.g then
    node.g:close(why)
  elseif task then
    task:cancel(errors.new("cancelled", why))
  elseif node.kind == "group" then
    self:skip(node, "stopped")
  else
    self.run.journal:emit({ ev = "step_skipped", id = node.id, why = "stopped" })
    self:finished(node, results.failure(errors.new("cancelled", why)))
  end
end

--- Runs the whole graph; the record of the workflow as a group. In a task.
---@return orrery.Result
function Scheduler:run_all()
  for _, node in ipairs(self.linked) do
    if node.waits == 0 and node ~= self.top then became_ready(node) end
  end
  self.linked = nil
  for _, node in ipairs(self.transparent) do
    if node.left == 0 then
      self:finished(node, results.of_members(node))
    end
  end
  local record = group.run(self.top.g)
  self:finished(self.top, record)
  return record
end

return scheduler
