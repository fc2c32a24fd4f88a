-- What a run's time went into, from the journal's events alone: work, wall, what side
-- by side saved, the critical path, counts.
--
-- In the journal a step ends after all that it needs, so the longest chain to each end
-- is known as soon as its event is read; nothing is walked twice.
local pack = require("orrery.core.pack")

local usage = require("orrery.run.records.usage")

local analysis = {}
local Analysis = {}
Analysis.__index = Analysis

-- Time that is nobody's work; that of a container is its inner steps'.
local IDLE = { approve = true, service = true, workflow = true, body = true }
local CONTAINER = { workflow = true, body = true }
local NONE = {}

-- A group or a container, to which ends of others come before its own.
local function unit(self, id)
  local u = self.units[id]
  if not u then
    u = { id = id, longest = 0, from = nil, ran = nil }
    self.units[id] = u
  end
  return u
end

-- Notes what is known of a step before it ends, if that is more than its name; and what
-- others will ask about it when it has.
local function add(self, s)
  local needs, after = s.needs or NONE, s.after or NONE
  if s.group or #needs > 0 or #after > 0 or IDLE[s.kind] then self.known[s.id] = s end
  for _, id in ipairs(needs) do self.wanted[id] = true end
  for _, id in ipairs(after) do self.wanted[id] = true end
end

local function take_longer(self, u, id)
  local p = self.units[id]
  if p and p.longest > u.longest then u.longest, u.from = p.longest, p end
end

-- The longest chain up to the start: over what the step and the groups around it need.
local function chain(self, u, s)
  while s do
    for _, id in ipairs(s.needs or NONE) do take_longer(self, u, id) end
    for _, id in ipairs(s.after or NONE) do take_longer(self, u, id) end
    s = s.group and self.known[s.group]
  end
end

-- A group's chain is the longest of its members'.
local function lift(self, u, s)
  while s and s.group do
    local g = unit(self, s.group)
    g.inner_group = true
    if u.longest >= g.longest then
      g.longest, g.from = u.longest, u
    end
    s = self.known[s.group]
  end
end

-- The container around a step: the nearest one whose id is a prefix of the step's.
local function container_of(self, id)
  local at = #id
  while at > 1 do
    at = at - 1
    local c = id:byte(at) == 47 and self.units[id:sub(1, at - 1)]
    if c and c.container then return c end
  end
end

-- Remembers the longest chain that ends here: of the run, or of the container.
local function note_last(self, u)
  local scope = self
  if self.nested then scope = container_of(self, u.id) or self end
  if not scope.last_unit or u.longest > scope.last_unit.longest then scope.last_unit = u end
end

-- What ended stays while somebody may ask for it; else only if it is on a longest chain.
local function ended(self, id, seconds, ran)
  local s = self.known[id]
  local u = self.units[id] or { id = id, longest = 0, from = nil, ran = nil }
  u.ran = ran or u.ran
  chain(self, u, s)
  u.longest = u.longest + seconds
  lift(self, u, s)
  note_last(self, u)
  if self.wanted[id] then self.units[id] = u end
  if s and not u.container and not u.inner_group then self.known[id] = nil end
end

local HANDLERS = {}

local function add_step(self, s)
  add(self, s)
  if CONTAINER[s.kind] then
    self.nested = true
    unit(self, s.id).container = true
  end
end

function HANDLERS:plan(ev)
  for _, s in ipairs(ev.steps or NONE) do add_step(self, s) end
  for _, g in ipairs(ev.groups or NONE) do
    add(self, g)
    self.known[g.id] = g
    unit(self, g.id).inner_group = true
  end
end

function HANDLERS:step_added(ev)
  add_step(self, ev)
  if ev.group then
    unit(self, ev.group).inner_group = true
  else
    self.wanted[ev.id] = true -- a body's next call comes after it
  end
end

function HANDLERS:step_finished(ev)
  local counts, s = self.counts, self.known[ev.id]
  local kind, seconds = s and s.kind or ev.kind, ev.seconds or 0
  counts[ev.status] = (counts[ev.status] or 0) + 1
  if ev.cached then counts.cached = counts.cached + 1 else counts.ran = counts.ran + 1 end
  if not IDLE[kind] then self.work = self.work + seconds end
  ended(self, ev.id, kind == "service" and 0 or seconds, true)
end

function HANDLERS:step_skipped(ev)
  self.counts.skipped = self.counts.skipped + 1
  ended(self, ev.id, 0)
end

function HANDLERS:hits(ev)
  for _, id in ipairs(ev.ids) do ended(self, id, 0, true) end
  self.counts.ok = self.counts.ok + #ev.ids
  self.counts.cached = self.counts.cached + #ev.ids
end

function HANDLERS:run_finished(ev)
  self.wall = ev.wall
end

-- The ids along the chain that ends with a step, first to last.
local function path_to(last, out)
  local back, u = {}, last
  while u do
    back[#back + 1] = u
    u = u.from
  end
  for i = #back, 1, -1 do
    u = back[i]
    if u.last_unit then
      path_to(u.last_unit, out)
    elseif u.ran and not u.inner_group then
      out[#out + 1] = u.id
    end
  end
  return out
end

--- An analysis that takes events as they happen.
---@return orrery.Analysis
function analysis.new()
  return setmetatable({ units = {}, known = {}, wanted = {}, work = 0, seen = 0,
    counts = { ok = 0, failed = 0, skipped = 0, cancelled = 0, cached = 0, ran = 0 } }, Analysis)
end

--- Takes in one event.
---@param ev orrery.JournalEvent
function Analysis:take(ev)
  local handle = HANDLERS[ev.ev]
  if ev.ev == "agent_call" or ev.usage or ev.saved_usage then
    self.usage = usage.take(self.usage, ev)
  end
  if handle then handle(self, ev) end
  self.seen = ev.t or self.seen
end

--- The report: work is the sum of step seconds, saved = work − wall, critical the longest
--- path by measured durations along real edges.
---@return orrery.Report
function Analysis:report()
  local wall, last = self.wall or self.seen, self.last_unit
  if last and last.longest == 0 then last = nil end -- nothing took time: no path is critical
  return { work = self.work, wall = wall, saved = self.work - wall, counts = self.counts,
    usage = self.usage,
    critical = { seconds = last and last.longest or 0, path = path_to(last, pack.array({})) } }
end

--- Counts clean steps of which nothing else is told.
---@param n integer
function Analysis:skip(n)
  self.counts.ok, self.counts.cached = self.counts.ok + n, self.counts.cached + n
end

--- The report of a run that was read back.
---@param events orrery.JournalEvent[]
---@return orrery.Report
function analysis.of(events)
  local a = analysis.new()
  for _, ev in ipairs(events) do a:take(ev) end
  return a:report()
end

return analysis
