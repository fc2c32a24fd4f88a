-- What a run's time went into, from the journal's events alone: work, wall, what side
-- by side saved, the critical path, counts.
local analysis = {}

-- Containers: what they take is what their inner steps take.
local CONTAINER = { workflow = true, body = true }
-- Time that is nobody's work.
local IDLE = { approve = true, service = true, workflow = true, body = true }

local function unit(units, id)
  local u = units[id]
  if not u then
    u = { id = id, preds = {}, seconds = 0 }
    units[id] = u
  end
  return u
end

local function add_step(units, s)
  local u = unit(units, s.id)
  u.kind, u.group = s.kind, s.group
  for _, list in ipairs({ s.needs or {}, s.after or {} }) do
    for _, id in ipairs(list) do u.preds[#u.preds + 1] = id end
  end
  return u
end

local COUNT_OF = { ok = "ok", failed = "failed", cancelled = "cancelled", skipped = "skipped" }

local function finish(state, ev)
  local u = unit(state.units, ev.id)
  local counts = state.counts
  u.seconds, u.status = ev.seconds or 0, ev.status
  u.kind = u.kind or ev.kind
  counts[COUNT_OF[ev.status] or "failed"] = counts[COUNT_OF[ev.status] or "failed"] + 1
  if ev.cached then counts.cached = counts.cached + 1 else counts.ran = counts.ran + 1 end
  if not IDLE[u.kind] then state.work = state.work + u.seconds end
end

local function take_plan(state, ev)
  for _, s in ipairs(ev.steps or {}) do
    state.order[#state.order + 1] = add_step(state.units, s)
  end
  for _, g in ipairs(ev.groups or {}) do
    local u = add_step(state.units, g)
    u.is_group = true
  end
end

local HANDLERS = {
  plan = take_plan,
  step_added = function(state, ev)
    state.order[#state.order + 1] = add_step(state.units, ev)
    if ev.group then unit(state.units, ev.group).is_group = true end
  end,
  step_finished = finish,
  step_skipped = function(state, ev)
    state.counts.skipped = state.counts.skipped + 1
    unit(state.units, ev.id).status = "skipped"
  end,
  hits = function(state, ev)
    for _, id in ipairs(ev.ids) do unit(state.units, id).status = "ok" end
    state.counts.ok = state.counts.ok + #ev.ids
    state.counts.cached = state.counts.cached + #ev.ids
  end,
  run_finished = function(state, ev) state.wall = ev.wall end,
}

-- The edges that bind: those of the step, those of the groups around it, the members of
-- a group that is needed.
local function link_groups(state)
  for _, u in pairs(state.units) do
    if u.group and state.units[u.group] then
      local g = state.units[u.group]
      g.members = g.members or {}
      g.members[#g.members + 1] = u
    end
  end
end

-- What comes directly before: what the step and the groups around it need; for a group,
-- its members.
local function before(state, u)
  local out = {}
  for _, m in ipairs(u.members or {}) do out[#out + 1] = m end
  local at = u
  while at do
    for _, id in ipairs(at.preds) do
      if state.units[id] then out[#out + 1] = state.units[id] end
    end
    at = at.group and state.units[at.group]
  end
  return out
end

-- Depth first with a stack of our own: chains are longer than Lua recurses.
local function longest(state, root)
  local stack = { root }
  while #stack > 0 do
    local u = stack[#stack]
    if u.longest then
      stack[#stack] = nil
    elseif not u.visiting then
      u.visiting = true
      for _, p in ipairs(before(state, u)) do
        if not p.longest and not p.visiting then stack[#stack + 1] = p end
      end
    else
      local best, from = 0, nil
      for _, p in ipairs(before(state, u)) do
        if p.longest and p.longest > best then best, from = p.longest, p end
      end
      u.longest, u.from = best + (u.is_group and 0 or u.seconds), from
      u.visiting = nil
      stack[#stack] = nil
    end
  end
  return root.longest
end

-- The innermost container around a step: its id is a prefix of the step's.
local function container_of(state, id)
  local at = #id
  while at > 1 do
    at = at - 1
    if id:byte(at) == 47 and state.containers[id:sub(1, at - 1)] then
      return state.containers[id:sub(1, at - 1)]
    end
  end
end

-- Gives each container the steps directly in it; the outermost are returned.
local function nest(state)
  local outermost, any = {}, next(state.containers) ~= nil
  for _, u in ipairs(state.order) do
    local c = any and container_of(state, u.id)
    local list = outermost
    if c then
      c.inner = c.inner or {}
      list = c.inner
    end
    list[#list + 1] = u
  end
  return outermost
end

local function critical(state, steps)
  local last
  for _, u in ipairs(steps) do
    longest(state, u)
    if not u.is_group and (not last or u.longest > last.longest) then last = u end
  end
  local path, seconds = {}, last and last.longest or 0
  while last do
    if not last.is_group and last.status and last.status ~= "skipped" then
      local inner = last.inner and critical(state, last.inner).path or {}
      for i = #inner, 1, -1 do table.insert(path, 1, inner[i]) end
      if #inner == 0 then table.insert(path, 1, last.id) end
    end
    last = last.from
  end
  return { seconds = seconds, path = path }
end

local Analysis = {}
Analysis.__index = Analysis

--- An analysis that takes events as they happen.
---@return orrery.Analysis
function analysis.new()
  return setmetatable({ units = {}, order = {}, work = 0, containers = {}, last = 0,
    counts = { ok = 0, failed = 0, skipped = 0, cancelled = 0, cached = 0, ran = 0 } }, Analysis)
end

--- Takes in one event.
---@param ev orrery.JournalEvent
function Analysis:take(ev)
  local handle = HANDLERS[ev.ev]
  if handle then handle(self, ev) end
  self.last = ev.t or self.last
end

--- The report: work is the sum of step seconds, saved = work − wall, critical the longest
--- path by measured durations along real edges.
---@return orrery.Report
function Analysis:report()
  for _, u in ipairs(self.order) do
    if CONTAINER[u.kind] then self.containers[u.id] = u end
  end
  link_groups(self)
  local wall = self.wall or self.last
  return { work = self.work, wall = wall, saved = self.work - wall,
    critical = critical(self, nest(self)), counts = self.counts }
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
