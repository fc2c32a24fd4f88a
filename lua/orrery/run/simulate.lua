-- What a finished run would have been with another policy or another number of jobs:
-- its journal, played again on virtual time, each step taking what it took and coming
-- to what it came to. Nothing is executed and nothing is written.
local analysis = require("orrery.run.records.analysis")
local errors = require("orrery.kernel.errors")
local journal = require("orrery.run.records.journal")
local loop = require("orrery.kernel.loop")
local resources = require("orrery.run.graph.resources")
local scheduler = require("orrery.run.scheduler")
local slots = require("orrery.run.graph.slots")
local virtual = require("orrery.kernel.virtual")

local simulate = {}

local CLEAN = { status = "ok", seconds = 0, cached = "clean" }

local function new_group(id, g)
  return { id = id, members = {}, finally = {}, needs = g and g.needs or {},
    after = g and g.after or {}, policy = g and g.policy or nil, limit = g and g.limit or nil,
    place = {} }
end

-- Steps and groups of the outermost workflow, as they were in the end: members of
-- fan-outs are steps, what ran inside a nested workflow or body is not.
local function read(events)
  local at = { steps = {}, groups = {}, list = {}, took = {}, first = {} }
  local function add(s)
    at.steps[s.id] = s
    at.list[#at.list + 1] = s
  end
  for _, ev in ipairs(events) do
    if ev.ev == "run_started" then
      at.first = ev
    elseif ev.ev == "plan" then
      for _, s in ipairs(ev.steps) do add(s) end
      for _, g in ipairs(ev.groups or {}) do at.groups[g.id] = g end
    elseif ev.ev == "step_added" then
      local fanned = ev.group and at.steps[ev.group]
      if fanned then fanned.is_fan = true end
      if not ev.group or fanned or at.groups[ev.group] then add(ev) end
    elseif ev.ev == "step_finished" or ev.ev == "step_skipped" then
      at.took[ev.id] = ev
    elseif ev.ev == "hits" then
      for _, id in ipairs(ev.ids) do at.took[id] = CLEAN end
    elseif ev.ev == "run_finished" then
      at.last = ev
    end
  end
  return at
end

local CONTAINER = { workflow = true, body = true }

local function is_inner(at, id)
  for cut = #id - 1, 2, -1 do
    local outer = id:byte(cut) == 47 and at.steps[id:sub(1, cut - 1)]
    if outer and CONTAINER[outer.kind] then return true end
  end
  return false
end

local function step_of(at, s, group)
  local ev = at.took[s.id] or { status = "skipped" }
  return { id = s.id, kind = s.kind, needs = s.needs or {}, after = s.after or {}, group = group,
    place = {}, played = ev, final = s.final, allow_failure = ev.allowed or false,
    status_word = false }
end

-- The workflow the events tell of.
local function workflow_of(at, policy)
  local top = new_group("")
  local wf = { name = at.first.workflow or "run", top = top, steps = {}, by_id = {}, values = {} }
  local made = {}
  local function group(id)
    if not id then return top end
    if not made[id] then
      local g = at.groups[id] or at.steps[id]
      made[id] = new_group(id, g)
      wf.by_id[id] = made[id]
      made[id].parent = group(g and g.group)
      table.insert(made[id].parent.members, made[id])
    end
    return made[id]
  end
  for _, s in ipairs(at.list) do
    if s.is_fan then
      group(s.id)
    elseif not is_inner(at, s.id) then
      local g = group(s.group)
      local step = step_of(at, s, g)
      table.insert(step.final and g.finally or g.members, step)
      wf.steps[#wf.steps + 1], wf.by_id[s.id] = step, step
    end
  end
  if policy then
    top.policy = type(policy) == "function" and { module = "given", options = {}, fn = policy }
      or { module = policy, options = {} }
  end
  return wf
end

-- Plays a step: it takes its time and comes to what it came to.
local function play(run, step)
  local ev = step.played
  if ev.status == nil or ev.status == "skipped" then
    return { ok = false, status = "skipped", outputs = {}, seconds = 0, attempts = 0 }
  end
  if ev.seconds > 0 then loop.sleep(ev.seconds) end
  local r = { ok = ev.status == "ok", status = ev.status, outputs = {}, seconds = ev.seconds,
    attempts = 1, cached = ev.cached, allowed = ev.allowed, error = ev.error }
  run.journal:finished(step, r)
  return r
end

local function run_of(wf, events, jobs)
  local l = loop.new(virtual.new())
  local a = analysis.new()
  local run = { workflow = wf, values = {}, opts = {}, results = {}, conditions = {}, loop = l,
    prefix = "", exec = { step = play }, root = ".", analysis = a,
    journal = journal.to(function() return l:now() end, function(ev) a:take(ev) end) }
  run.resources = resources.new(l, {}, {}, jobs)
  run.slots = slots.new(l, run.resources, jobs, true)
  for _, ev in ipairs(events) do
    if ev.ev == "plan" then a:take(ev) end
  end
  return run
end

--- Plays a run again. `run` is a record of engine.run, or a run's directory.
--- simulate.run(run, { policy = lifo, jobs = 2 }).wall
---@param run orrery.RunRecord|string
---@param opts? { policy?: string|fun(g: orrery.G, opt: table), jobs?: integer }
---@return { wall: number, was: number, work: number, saved: number, critical: table }
function simulate.run(run, opts)
  opts = opts or {}
  local dir = type(run) == "table" and run.dir or run
  local events, err = journal.read(dir .. "/journal.jsonl")
  if not events then errors.raise("usage", errors.text(err)) end
  local at = read(events)
  local jobs = opts.jobs or at.first.jobs or 1
  local r = run_of(workflow_of(at, opts.policy), events, jobs)
  r.scheduler = scheduler.new(r)
  r.loop:run(r.loop:task("simulation", r.scheduler.run_all, r.scheduler))
  local report = r.analysis:report()
  report.wall = r.loop:now()
  report.saved = report.work - report.wall
  report.was = at.last and at.last.wall or events[#events].t or 0
  return report
end

return simulate
