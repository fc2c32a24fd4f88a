-- Who may start next: job slots, and the resources of run.resources. Claimants (groups
-- whose policy asks for a ready step, or single steps) wait in a heap for each lane;
-- when nothing else is to do, pump offers free places, the longest path first.
--
-- A claimant has: claimed (a table of ours), take(lane) → its best node or nil,
-- offer(node), put_back(node), refuse(node, err).
--
-- Commands and functions take a job slot (-j). Agents mostly wait for others: without
-- an explicit -j they have a lane of their own, else they share it. Groups, bodies,
-- nested workflows, questions and services take none.
--
-- With more than one job slot the engine works while processes run. A slot is free as soon as
-- its process has ended well (vacate): what waits for it is launched first, then the end is
-- worked off.
local heap = require("orrery.run.graph.heap")
local kernel = require("orrery.kernel.loop")

local slots = {}
local Slots = {}
Slots.__index = Slots

-- Agent calls at once when -j was not given.
slots.AGENTS = 32

local LANES = { run = "job", call = "job", skill = "job", agent = "agent" }

local function lane(name, free)
  return { name = name, free = free, claims = heap.new() }
end

--- The places of one run, shared by its nested workflows.
---@param loop orrery.Loop
---@param resources orrery.Resources
---@param jobs integer
---@param explicit boolean was -j given?
function slots.new(loop, resources, jobs, explicit)
  local lanes = { job = lane("job", jobs), none = lane("none", math.huge) }
  lanes.agent = explicit and lanes.job or lane("agent", slots.AGENTS)
  local self = setmetatable({ loop = loop, resources = resources, jobs = jobs, lanes = lanes,
    order = { lanes.none, lanes.job, not explicit and lanes.agent or nil },
    running = 0, sleeping = 0, groups = {}, calls = {}, held = {},
    vacated = lane("vacated", 0), unsettled = 0, settling = { first = 1, last = 0 } }, Slots)
  loop:on_idle(function() return self:pump() end)
  resources.slots = self
  return self
end

--- The lane of a node.
---@param node orrery.Node
---@return string
function Slots:lane_of(node)
  if node.kind ~= "step" then return "none" end
  return self.lanes[LANES[node.unit.kind] or "none"].name
end

--- Says that a claimant has a node for a lane; a second claim only counts if it is better.
function Slots:claim(claimant, name, key)
  local had = claimant.claimed[name]
  if had and had >= key then return end
  claimant.claimed[name] = key
  self.lanes[name].claims:push(key, claimant)
end

local function try(self, l)
  local claimant, key = l.claims:pop()
  if claimant.claimed[l.name] == key then claimant.claimed[l.name] = nil end
  local node = claimant:take(l.name)
  if not node then return false end
  local ok, err = self.resources:admit(node, claimant)
  if ok then
    l.free = l.free - 1
    self.held[node] = l
    if node.counted ~= false then self.running = self.running + 1 end
    claimant:offer(node)
  elseif err then
    claimant:refuse(node, err)
  else
    claimant:hunger()
  end
  return true
end

-- Nothing runs, sleeps or is offered, and yet some policy waits.
local function stall(self)
  if self.running > 0 or self.sleeping > 0 or self.resources.timers > 0 then return false end
  local stuck
  for group in pairs(self.groups) do
    if group:is_stuck() and (not stuck or group.id < stuck.id) then stuck = group end
  end
  if stuck then stuck:stall() end
  return stuck ~= nil
end

-- Lets the first of those go on that have vacated their place.
local function settle(self)
  local q = self.settling
  local node = q[q.first]
  if not node then return false end
  q[q.first] = nil
  q.first = q.first + 1
  node.sched.tasks[node]:wake()
  return true
end

--- Offers what is free; then lets an end be worked off. True when somebody has to do now.
---@return boolean
function Slots:pump()
  local offered = false
  for i = 1, #self.order do
    local l = self.order[i]
    while l.free > 0 and l.claims.n > 0 do
      if try(self, l) then offered = true end
    end
  end
  return offered or settle(self) or stall(self)
end

--- Does somebody wait for the place of a node? Of a single place nobody gets it early.
---@param node orrery.Node
---@return boolean
function Slots:wanted(node)
  local l = self.held[node]
  return l == self.lanes.job and self.jobs > 1 and l.free == 0 and l.claims.n > 0
end

--- Gives the place of a node to those that wait for one, before its end is worked off; what
--- else it holds it keeps. Only for an end that cannot change who comes next. In its task.
---@param node orrery.Node
function Slots:vacate(node)
  local l = self.held[node]
  l.free = l.free + 1
  self.held[node] = self.vacated
  self.unsettled = self.unsettled + 1
  local q = self.settling
  q.last = q.last + 1
  q[q.last] = node
  kernel.shielded(kernel.park)
end

-- The end of a node that had vacated its place is told: now the starts may be that came of it.
local function settled(self, node)
  self.unsettled = self.unsettled - 1
  if self.unsettled == 0 then node.sched.run.journal:catch_up() end
end

--- Tells that a step starts, after the ends that made room for it.
---@param journal orrery.Journal
---@param ev orrery.JournalEvent
function Slots:tell(journal, ev)
  if self.unsettled == 0 then journal:emit(ev) else journal:later(ev) end
end

--- Gives back what an offered node held.
---@param node orrery.Node
function Slots:release(node)
  local l = self.held[node]
  if not l then return end
  self.held[node] = nil
  l.free = l.free + 1
  if l == self.vacated then settled(self, node) end
  if node.counted ~= false then self.running = self.running - 1 end
  if node.holds then self.resources:release(node) end
  if self.resources.pools.mem.queue.n > 0 then self.resources:retry_memory() end
end

--- Ends at once what runs outside of groups: finally steps, on the second Ctrl-C.
function Slots:kill()
  for node in pairs(self.calls) do node.sched:cancel(node, "killed") end
end

return slots
