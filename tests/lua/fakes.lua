-- Workflows, an executor and a run for engine tests, on virtual time in a fresh folder.
-- A step's `act` says what it comes to: { takes = seconds, fails = true, value = … }.
local engine = require("orrery.run.engine")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local loop = require("orrery.kernel.loop")
local sys = require("orrery.core.sys")
local virtual = require("orrery.kernel.virtual")

local fakes = {}

local function list(v)
  if v == nil then return {} end
  return type(v) == "table" and v or { v }
end

local function finish_unit(wf, u, parent)
  u.needs, u.after = list(u.needs), list(u.after)
  u.place = { file = "fake.lua", line = 1 }
  if u.members then
    u.parent, u.finally = parent, u.finally or {}
    if type(u.policy) == "string" then u.policy = { module = u.policy, options = {} } end
    if type(u.policy) == "function" then
      u.policy = { module = "given", options = {}, fn = u.policy }
    end
  else
    u.group, u.kind, u.implied = parent, u.kind or "run", {}
    u.allow_failure = u.allow_failure or false
    u.outputs, u.env, u.fields = {}, {}, u.fields or {}
    u.act = u.act or {}
    wf.steps[#wf.steps + 1] = u
    u.index = #wf.steps
  end
  if u.id ~= "" then wf.by_id[u.id] = u end
  for _, m in ipairs(u.members or {}) do finish_unit(wf, m, u) end
  for _, m in ipairs(u.finally or {}) do
    m.final = true
    finish_unit(wf, m, u)
  end
end

--- A workflow over members: { id=…, needs=…, act=… } or { id=…, members={…}, policy=… }.
function fakes.workflow(members, more)
  local wf = { name = "fake", file = "fake.lua", root = more and more.root or fakes.root(),
    place = { file = "fake.lua" }, values = {}, steps = {}, by_id = {}, dotenv = {},
    params = {}, secrets = {} }
  wf.top = { id = "", members = members }
  for k, v in pairs(more or {}) do
    if k == "result" or k == "body" or k == "budget" then wf[k] = v else wf.top[k] = v end
  end
  finish_unit(wf, wf.top, nil)
  return wf
end

local roots = {}

--- A fresh folder; fakes.clean removes them all.
function fakes.root()
  local dir = os.getenv("TMPDIR") or "/tmp"
  local path = ("%s/orrery-test-%s"):format(dir, sys.random(6))
  assert(fs.mkdir(path))
  roots[#roots + 1] = path
  return path
end

function fakes.clean()
  for _, path in ipairs(roots) do fs.remove_tree(path) end
  roots = {}
end

--- An executor that takes virtual time and notes who started when.
function fakes.exec()
  local exec = { started = {}, now = {}, most = 0, running = 0 }
  function exec.step(run, step)
    local act = step.act
    if step.when == false then
      run.journal:emit({ ev = "step_skipped", id = step.id, why = "when" })
      return { ok = false, status = "skipped", outputs = {}, seconds = 0, attempts = 0 }
    end
    exec.started[#exec.started + 1] = step.id
    exec.now[step.id] = run.loop:now()
    exec.running = exec.running + 1
    exec.most = math.max(exec.most, exec.running)
    local leave <close> = setmetatable({}, { __close = function()
      exec.running = exec.running - 1
    end })
    run.journal:emit({ ev = "step_started", id = step.id, attempt = 1, kind = step.kind })
    if act.takes then loop.sleep(act.takes) end
    if step.kind == "agent" then
      local node = loop.current("fake").node
      node.launched, node.tokens = act.uses ~= false, act.uses or nil
    end
    if act.raises then errors.raise("boom", act.raises) end
    local r = { ok = not act.fails, status = act.fails and "failed" or "ok", value = act.value,
      outputs = {}, seconds = act.takes or 0, attempts = 1, key = act.key, cached = act.cached,
      waiting = act.waiting, allowed = act.fails and step.allow_failure or nil,
      error = act.fails and { class = act.class or "exit", message = "exited 1" } or nil }
    if act.waiting then
      r.ok, r.status = false, "skipped"
      run.journal:emit({ ev = "step_skipped", id = step.id, why = "waiting" })
    else
      run.journal:finished(step, r)
    end
    return r, leave
  end
  return exec
end

--- Runs members and returns the record, the executor and the events.
function fakes.run(members, opts, more)
  opts = opts or {}
  local wf = members.steps and members or fakes.workflow(members, more)
  local events = {}
  opts.core = opts.core or virtual.new()
  opts.exec = opts.exec or fakes.exec()
  opts.signals = false
  opts.cache = "off"
  opts.sinks = { function(ev) events[#events + 1] = ev end, opts.sink }
  opts.sink = nil
  local record = engine.run(wf, opts)
  return record, opts.exec, events
end

return fakes
