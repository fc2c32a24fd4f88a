-- One run: from a workflow and options to a record. Opens what a run needs, drives the
-- scheduler, sees to Ctrl-C and the time limit, closes everything in order.
local analysis = require("orrery.run.records.analysis")
local budget = require("orrery.run.agents.budget")
local calls = require("orrery.run.records.calls")
local context = require("orrery.run.graph.context")
local crowd = require("orrery.run.memo.crowd")
local environ = require("orrery.run.keys.environ")
local errors = require("orrery.kernel.errors")
local lazy = require("orrery.kernel.lazy")
local executors = lazy("orrery.run.agents.executors")
local exitcode = require("orrery.run.graph.exitcode")
local heap = require("orrery.kernel.heap")
local history = require("orrery.run.agents.history")
local journal = require("orrery.run.records.journal")
local left = lazy("orrery.run.memo.left")
local lock = require("orrery.core.lock")
local loop = require("orrery.kernel.loop")
local registry = require("orrery.core.registry")
local resources = require("orrery.run.graph.resources")
local restart = lazy("orrery.run.graph.restart")
local resume = lazy("orrery.run.records.resume")
local runs = require("orrery.run.records.runs")
local scheduler = require("orrery.run.scheduler")
local secrets = require("orrery.run.secrets")
local selection = lazy("orrery.run.graph.selection")
local services = require("orrery.run.services")
local slots = require("orrery.run.graph.slots")
local state = require("orrery.run.records.state")
local states = require("orrery.run.records.states")
local still = require("orrery.run.keys.still")
local sys = require("orrery.core.sys")
local template = require("orrery.model.template")
local unchecked = require("orrery.run.records.unchecked")

local engine = {}
local Run = {}
Run.__index = Run

---------------------------------------------------------------------------
-- the run object

--- Switches the cache off and says so, once.
---@param why any
function Run:cache_trouble(why)
  if self.cache_off then return end
  self.cache_off, self.store = true, nil
  self.journal:emit({ ev = "cache_off", why = errors.text(why) })
end

--- What executes an agent role; nil when nothing is configured for it.
---@param role string
---@return orrery.Executor?
function Run:executor(role) return executors.find(self, role) end

--- Where the user's modules are evaluated: as the workflow's file, or as one of its root.
---@return orrery.Box
function Run:user_box()
  self.box = self.box or self.workflow.box
    or require("orrery.model.sandbox").new({ root = self.root, path = self.config.path })
  return self.box
end

-- A module of the workflow's root, as its file would require it: a user's policy.
local function module(run, name)
  local box = run:user_box()
  if not box:has(name) then
    errors.raise("module", ("there is no module '%s' in lua/, workflows/ or path"):format(name))
  end
  return box:require(name)
end

--- The digest of a module of the root and of what it requires; nil when there is none.
---@param name string
---@return string?
function Run:module_digest(name)
  local ok = loop.try(self.require, name)
  return ok and self.box.digests[name] or nil
end

--- The digest of what a step that is no part of this run left; nil when nobody knows.
---@param id string
---@return string?
function Run:left_by(id) return left.digest(self, id) end

-- A workflow's dotenv files, by name.
function Run.dotenv_files(wf)
  local files = {}
  for i, text in ipairs(wf.dotenv or {}) do
    files[i] = template.render(text, { params = wf.values }, "text")
  end
  return files
end

-- The values of a workflow's dotenv files.
function Run.dotenv_of(wf) return (environ.dotenv(wf.root, Run.dotenv_files(wf))) end

-- What running and planning share. `config` is orrery.lua's.
local function new_run(wf, opts)
  local run = setmetatable({
    workflow = wf, root = wf.root, values = wf.values, opts = opts, results = {}, conditions = {},
    config = opts.config or {}, args = opts.args or {}, process_env = environ.process(),
    exec = opts.exec or require("orrery.run.exec"), random = math.random,
    secrets = secrets.new(),
    prefix = "", always = {}, why = {}, moved = {}, hosts = opts.services,
    watched = opts.watched,
    still = still.new(), circuits = {}, opened = sys.stamp(),
  }, Run)
  if opts.partial then run.results = opts.partial.results end
  run.dotenv = Run.dotenv_of(wf)
  run.require = function(name) return module(run, name) end
  return run
end

local function open_store(run)
  run.store = run.opts.partial and run.opts.partial.store
  if run.store or run.opts.cache == "off" then return end
  local why
  run.store, why = state.store(state.cache_dir(run.root, run.process_env, run.config), run.config)
  if not run.store then return run:cache_trouble(why) end
  if run.opts.cache ~= "ro" then run.store:tidy() end
end

local function open_slots(run)
  local opts = run.opts
  local jobs = opts.jobs or sys.cpus()
  run.resources = resources.new(run.loop, run.config.resources, opts.resources, jobs)
  run.slots = slots.new(run.loop, run.resources, jobs, opts.jobs ~= nil)
end

local function open(wf, opts)
  local run = new_run(wf, opts)
  state.prepare(run.root)
  run.locks = lock.open(run.root .. "/.orrery/lock")
  run.loop = opts.loop or loop.new(opts.core)
  run.idlers = #run.loop.idlers
  run.crowd = crowd.new(run)
  if opts.resume then
    run.claim = run.loop:run(run.loop:task("claim", states.claim, run.locks, opts.resume))
  end
  run.id, run.dir = runs.create(run.root)
  run.held = states.hold(run.locks, run.id)
  run.analysis = analysis.new()
  local sinks = { function(ev) run.analysis:take(ev) end }
  table.move(opts.sinks or {}, 1, #(opts.sinks or {}), 2, sinks)
  run.journal = journal.open(run.dir, { now = function() return run.loop:now() end,
    sinks = sinks, durable = opts.durable })
  if opts.partial then opts.partial:begin(run, #sinks) end
  if opts.live then
    run.live = function(id, stream, data)
      data = run.secrets:live(id, stream, data)
      if data ~= "" then
        run.journal:emit({ ev = "output", id = id, stream = stream, data = data })
      end
    end
  end
  run.index = opts.partial and opts.partial.index or state.index(run.root)
  open_store(run)
  run.registry = registry.new()
  run.history = history.open(run.index, wf.name)
  open_slots(run)
  run.loop:on_idle(function()
    still.over(run)
    run.crowd:idle()
    run.journal:flush()
    heap.tend()
  end)
  return run
end

---------------------------------------------------------------------------
-- beginning

local function check_resources(run, chosen)
  local problems = {}
  for _, step in ipairs(run.workflow.steps) do
    if not chosen or chosen[step.id] then
      local why = run.resources:check(run, step)
      if why then problems[#problems + 1] = { place = step.place, level = "error", text = why } end
    end
  end
  if #problems > 0 then errors.invalid(problems) end
end

-- What a resumption takes up: the steps that were affected then.
local function targets_of(opts)
  if not opts.affected then return opts.targets end
  local out = {}
  for i, one in ipairs(opts.affected.steps) do out[i] = one.id end
  return out
end

local function announce_start(run)
  local wf, opts = run.workflow, run.opts
  states.move(run, "running")
  run.journal:emit({ ev = "run_started", run = run.id, workflow = wf.name, file = wf.file,
    root = wf.root, params = wf.values, jobs = run.slots.jobs,
    steps = opts.partial and opts.partial.total or #run.scheduler.linked,
    version = sys.version, argv = opts.argv or {}, wall = sys.wall(), pid = sys.pid(),
    resumed = opts.resume, targets = targets_of(opts), only = opts.only, from = opts.from,
    args = opts.args, budget = opts.budget,
    agents = opts.agents and next(opts.agents) and opts.agents or nil })
end

-- Which steps --affected chose, and why.
local function announce_affected(run)
  local found = run.opts.affected
  if not found then return end
  local c = found.changes
  run.journal:emit({ ev = "affected", base = c.base, merge_base = c.merge_base, why = c.why,
    files = c.files, steps = found.steps })
end

local NONE = {}

-- Those that are part of the run; the list itself when all are.
local function ids_in(sched, ids)
  if #ids == 0 then return NONE end
  if not sched.selection and not sched.run.opts.partial then return ids end
  local out = {}
  for _, id in ipairs(ids) do
    if sched.nodes[id] then out[#out + 1] = id end
  end
  return out
end

local function announce_plan(run)
  local sched, steps, groups = run.scheduler, {}, {}
  local function entry(node)
    local unit = node.unit
    local g = node.owner
    return { id = node.id, kind = unit.kind, group = g and g.id ~= "" and g.id or nil,
      needs = ids_in(sched, unit.needs), after = #unit.after > 0 and ids_in(sched, unit.after)
      or nil, doc = unit.doc }
  end
  for _, node in ipairs(sched.order) do
    local e = entry(node)
    if node.kind == "group" then
      e.policy = node.unit.policy and { module = node.unit.policy.module,
        options = node.unit.policy.options } or nil
      e.limit = node.unit.limit
      groups[#groups + 1] = e
    else
      e.expected = run.history:expected(node.unit)
      e.final = node.unit.final or nil
      if node.kind == "fan" then e.fan = true end
      steps[#steps + 1] = e
    end
  end
  if run.opts.partial then return run.opts.partial:announce(run, steps) end
  run.journal:emit({ ev = "plan", steps = steps, groups = groups })
end

-- The first time ends what runs and lets finally steps run; the second ends all at once.
local function interrupt(run, code)
  if run.restarting then return restart.overrule(run, code) end
  if run.interrupted then
    run.killed = true
    run.loop:kill_children()
    run.slots:kill()
    return
  end
  run.interrupted = code
  if run.scheduler.top.g then run.scheduler.top.g:close("interrupted") end
end

local function listen(run)
  local l, opts = run.loop, run.opts
  if opts.signals ~= false then
    run.listening = { l:on_signal("INT", function() interrupt(run, 130) end),
      l:on_signal("TERM", function() interrupt(run, 143) end) }
  end
  if opts.control then
    opts.control.interrupt = function(code) interrupt(run, code) end
    opts.control.restart = function(what) restart.begin(run, what) end
  end
  if opts.timeout then
    local id = l.core:timer(opts.timeout)
    l:on(id, function() interrupt(run, 124) end)
    run.time_limit = id
  end
end

---------------------------------------------------------------------------
-- the end

--- The value of a workflow that is over: its result, or what its body returned.
---@param run orrery.Run
---@return any
function Run.result_of(run)
  local result = run.workflow.result
  if result == nil then return run.body_done and run.body_done.value end
  local ctx = context.new(run, { id = "" })
  if type(result) == "function" then return result(ctx) end
  return template.render(result, ctx, "value")
end

local function collect(run, record)
  local list, failed, found = {}, {}, {}
  for _, node in ipairs(run.scheduler.order) do
    local r = node.result
    if r and not node.members then
      if not r.ok then list[#list + 1] = r end
      if not run.opts.brief then record.steps[node.id] = r end
      if r.status == "failed" and not r.allowed then
        failed[#failed + 1] = node.id
        local e = r.error or {}
        found[#found + 1] = { id = node.id, class = e.class, message = e.message,
          place = e.place or node.unit.place }
      end
    elseif r and node.id ~= "" and r.error and r.error.class == "policy" and r.error.message then
      found[#found + 1] = { id = node.id, class = "policy", place = node.unit.place,
        message = ("%s: %s"):format(node.id, r.error.message) }
    end
  end
  record.failed = failed
  return list, found
end

-- Is the failure of the whole told already: a step's, or that of a step a body called?
local function names(found, step)
  if step == nil then return #found > 0 end
  for _, f in ipairs(found) do
    if f.id == step then return true end
  end
  return false
end

local function conclude(run, top)
  local record = setmetatable({ id = run.id, dir = run.dir, steps = {}, results = run.results,
    workflow = run.workflow }, { __name = "orrery.run_record" })
  local list, found = collect(run, record)
  record.code, record.status = exitcode.of(run.interrupted, top, list)
  if top.ok and record.code == 0 then
    local ok, value = loop.try(Run.result_of, run)
    if ok then
      record.result = value
    else
      record.code, record.status = 1, "failed"
      found[#found + 1] = { id = "", class = "result",
        message = "result: " .. errors.text(value), place = run.workflow.place }
    end
  elseif top.error and not names(found, top.error.step) then
    table.insert(found, 1, { id = "", class = top.error.class, message = top.error.message,
      place = top.error.place or run.workflow.place })
  end
  record.errors = record.code == 0 and {} or found
  return record
end

local function report(run, record)
  run.analysis.wall = run.loop:now() - run.journal.began
  local r = run.analysis:report()
  record.report, record.seconds = r, r.wall
  states.move(run, record.status)
  run.journal:emit({ ev = "run_finished", status = record.status, code = record.code,
    wall = r.wall, work = r.work, saved = r.saved, critical = r.critical, counts = r.counts,
    restarting = run.restarting and true or nil,
    usage = r.usage, result = record.result, errors = #record.errors > 0 and record.errors or nil })
end

local function sync_store(run)
  if not run.store then return end
  local ok, why = run.store:sync()
  if not ok then
    run.journal:emit({ ev = "message", level = "warning",
      text = "the cache could not be synced: " .. errors.text(why) })
  end
end

local function save_registry(run)
  if run.opts.partial then return run.opts.partial:save_registry(run) end
  if run.registry:count() > 0 then run.registry:save(run.dir .. "/registry.json") end
end

-- Closes in the opposite order of opening; also after an error.
local function close(run)
  if run.closed then return end
  run.closed = true
  if run.journal then run.journal:close() end
  for _, id in ipairs(run.listening or {}) do
    run.loop:on(id, nil)
    run.loop.core:forget(id)
  end
  if run.time_limit then run.loop.core:forget(run.time_limit) end
  if run.index then
    run.index:flush()
    run.index:close()
  end
  if run.store then run.store:close() end
  if run.crowd then run.crowd:leave() end
  if run.locks then run.locks:close() end
  if run.loop and run.opts.loop then
    run.loop:keep_idle(run.idlers)
  elseif run.loop then
    run.loop:close()
  end
end

Run.__close = close

---------------------------------------------------------------------------

local function check_executors(run, chosen)
  for _, step in ipairs(run.workflow.steps) do
    if step.kind == "agent" or step.kind == "workflow" then
      return executors.check(run, chosen)
    end
  end
end

local function main(run, chosen)
  heap.sweep() -- what loading left
  run.scheduler = scheduler.new(run, chosen)
  run.calls = run.opts.resume and resume.calls(run.root, run.opts.resume) or calls.new()
  run.budget = budget.new(budget.limits(run.opts.budget, run.workflow.budget, run.config.budget),
    function() return run.loop:now() end, run.calls.used)
  check_resources(run, chosen)
  if not run.opts.exec then check_executors(run, chosen) end
  announce_start(run)
  announce_affected(run)
  announce_plan(run)
  heap.sweep()
  for name in require("orrery.kernel.sorted").pairs(run.resources.unknown) do
    run.journal:emit({ ev = "message", level = "warning", text = ("resource '%s' has no capacity; "
      .. "give one in orrery.lua or with --resources %s=N"):format(name, name) })
  end
  listen(run)
  local top = run.scheduler:run_all()
  services.close(run)
  local record = conclude(run, top)
  save_registry(run)
  if run.opts.durable then sync_store(run) end
  unchecked.announce(run)
  report(run, record)
  return record
end

--- Runs a workflow. Raises code "invalid" or "usage" before anything ran, "state" when
--- the run cannot be recorded.
--- engine.run(model.load("workflows/site.lua", { root = "." }), { jobs = 4 }).code
---@param wf orrery.Workflow
---@param opts orrery.RunOptions
---@return orrery.RunRecord
function engine.run(wf, opts)
  local some = not opts.partial and (opts.targets or opts.from or opts.affected)
  local chosen = some and selection.of(wf, opts) or nil
  local run <close> = open(wf, opts)
  if opts.remember then
    run.consulted = require("orrery.run.unchanged.remember").begin(run, chosen)
  end
  local record = run.loop:run(run.loop:task("run", main, run, chosen))
  if run.consulted then run.consulted:keep(record) end
  runs.tidy(run.root)
  return record
end

--- The names of a workflow's dotenv files.
engine.dotenv_files = Run.dotenv_files

--- What a run would do, without running anything: for each step its verdict.
---@param wf orrery.Workflow
---@param opts orrery.RunOptions
---@param see? fun(entries: orrery.PlanEntry[], scopes: table<string, orrery.Run>) looks before
---  all is closed (run.plan)
---@return orrery.PlanEntry[]
function engine.plan(wf, opts, see)
  return require("orrery.run.plan").of(new_run(wf, opts), selection.of(wf, opts), see)
end

return engine
