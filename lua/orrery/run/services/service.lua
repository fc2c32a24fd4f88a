-- One service: its process, whether it is ready, its end, and what the journal hears of it.
local errors = require("orrery.kernel.errors")
local fill = require("orrery.run.services.fill")
local loop = require("orrery.kernel.loop")
local readiness = require("orrery.run.services.readiness")
local sock = require("orrery.core.sock")

local service = {}

-- How much of its output is kept for its log while it runs.
local KEPT = 1024 * 1024
local TRIES = 100

---@class orrery.Service
---@field id string                 with the prefix of its run
---@field state "offered"|"starting"|"up"|"kept"|"over"
---@field run? orrery.Run           whose journal hears of it; nil between two runs
---@field step orrery.Step
---@field job table
---@field result orrery.Result      the step's: it changes when the service fails later
---@field port? integer
---@field up orrery.Signal          it is ready, or never will be
---@field gone orrery.Signal        its process is over
---@field borrowers table<string, true>

--- A service about to be offered to a run.
---@param host orrery.Services
---@param id string
---@return orrery.Service
function service.new(host, id)
  return { id = id, host = host, state = "offered", up = loop.signal(), gone = loop.signal(),
    stir = loop.signal(), borrowers = {}, log = {}, bytes = 0 }
end

--- What an earlier run left up under this id, when it is the same still; else that is ended.
---@param host orrery.Services
---@param id string
---@param job table
---@return orrery.Service?
function service.adopt(host, id, job)
  local s = host.kept[id]
  host.kept[id] = nil
  if not s or s.state == "over" then return nil end
  if s.job.base == job.base then
    s.state, s.announced = "up", false
    return s
  end
  s.changed = true
  service.stop(s)
  host.leaving = host.leaving or {}
  host.leaving[id] = s
end

--- Makes it this run's.
function service.bind(s, run, step, job)
  s.run, s.step, s.began = run, step, run.loop:now()
  if s.state == "offered" then s.job = job end
  s.result = { id = step.id, ok = true, status = "ok", outputs = {}, seconds = 0, attempts = 1,
    key = job.base, digest = job.base }
end

---------------------------------------------------------------------------
-- what is told

local function finished(s, fields)
  local run, r = s.run, s.result
  if not run then return end
  for k, v in pairs(fields) do r[k] = v end
  r.ok = r.status == "ok"
  if r.status == "failed" and s.step.allow_failure then r.allowed = true end
  run.journal:emit({ ev = "step_finished", id = s.step.id, kind = "service", status = r.status,
    exit = r.exit, signal = r.signal, cpu = r.cpu, rss = r.rss, seconds = r.seconds, key = r.key,
    digest = r.digest, stdout = r.stdout, error = r.error, attempts = 1, allowed = r.allowed,
    reason = r.reason })
  r.reason = nil
end

local function text_of(s) return table.concat(s.log) end

local function note_output(s, data)
  if s.run and s.run.secrets then
    data = s.run.secrets:live(s.tag or s.id, 1, data)
  end
  s.log[#s.log + 1] = data
  s.bytes = s.bytes + #data
  while s.bytes > KEPT and #s.log > 1 do s.bytes = s.bytes - #table.remove(s.log, 1) end
  if s.run and s.run.live and s.announced then s.run.live(s.step.id, 1, data) end
  s.stir:set()
  s.stir = loop.signal()
end

local function announce(s, reason)
  s.announced, s.since = true, s.run.loop:now()
  s.run.journal:emit({ ev = "step_started", id = s.step.id, attempt = 1, kind = "service",
    cmd = s.job.prepared.shown, reason = reason })
end

local function tell_ready(s, seconds, kept)
  s.run.journal:emit({ ev = "service_ready", id = s.step.id, port = s.port, seconds = seconds,
    kept = kept })
end

-- The tree has ended, or never began.
local function over(s)
  s.state, s.child = "over", nil
  if s.port then s.host.ports[s.port] = nil end
  s.up:set(false)
  if s.on_over then s.on_over() end
  s.gone:set(true)
end

--- All its users were up to date.
function service.unneeded(s)
  s.run.journal:hit(s.step.id)
  over(s)
end

---------------------------------------------------------------------------
-- its life, in a task of its own

local function free_port(host)
  for _ = 1, TRIES do
    local port, err = sock.free_port()
    if not port then error(err, 0) end
    if not host.ports[port] then
      host.ports[port] = true
      return port
    end
  end
  errors.raise("service", "no free port was found")
end

local function rounded(s) return math.floor(s * 1e6 + 0.5) / 1e6 end

-- Asks until it is ready; it is ended when it never becomes so. In a task.
local function watch_over(s, began)
  local p, job, l = s.job.prepared, s.job, s.host.loop
  local ok, why = true, nil
  if p.ready then
    local deadline = l:now() + p.ready.timeout
    local at = { core = l.core, env = job.env, cwd = job.cwd, port = s.port, argv = p.asks,
      shown = p.asks_shown, tag = s.tag, text = function() return text_of(s) end,
      left = function() return deadline - l:now() end,
      over = function() return s.ended or s.stopping end,
      ring = function() return s.stir end }
    local fine
    fine, ok, why = pcall(function()
      return readiness.wait(readiness.question(p.ready, at), p.ready, at)
    end)
    if not fine then ok, why = false, errors.text(ok) end
  end
  if s.ended or s.stopping then return end
  if ok then
    s.state = "up"
    if s.run then tell_ready(s, rounded(l:now() - began)) end
    s.up:set(true)
    return
  end
  s.failure = ("was not ready within %s%s"):format(require("orrery.time").format(p.ready.timeout),
    why and ": " .. why or "")
  service.stop(s)
end

local function ended_how(e)
  if e.timed_out then return "ran into its timeout" end
  if e.signal then return ("was killed by signal %s"):format(e.signal) end
  return ("exited %d"):format(e.code)
end

-- What became of it, from its exit.
local function verdict(s, e)
  local out = { status = "ok", exit = e.code, signal = e.signal, cpu = e.cpu, rss = e.rss,
    stdout = text_of(s), seconds = rounded(s.host.loop:now() - (s.since or s.host.loop:now())) }
  if s.failure then
    out.status = "failed"
    out.error = { class = "service", message = s.failure, place = s.step.place }
  elseif s.stopping then
    out.exit, out.signal = nil, nil
  else
    out.status = "failed"
    out.error = { class = "service", message = ended_how(e)
      .. (s.state == "up" and ", though it was not told to" or " before it was ready"),
      place = s.step.place }
  end
  return out
end

-- Who was using it is told at once.
local function tell_death(s, e)
  local users = require("orrery.kernel.sorted").keys(s.borrowers)
  if s.state ~= "up" or #users == 0 or not s.run then return end
  s.run.journal:emit({ ev = "message", level = "warning", place = s.step.place,
    text = ("service %s %s while %s ran"):format(s.id, ended_how(e), table.concat(users, ", ")) })
end

local function spec_of(s)
  local job, stop = s.job, s.step.stop
  local st = job.rel_cwd and require("orrery.core.fs").stat(job.cwd)
  if job.rel_cwd and not (st and st.type == "dir") then
    return nil, ("cwd '%s' is not a directory"):format(job.rel_cwd)
  end
  return { argv = job.prepared.argv, env = job.env, cwd = job.cwd, output = "merge", live = true,
    timeout = job.timeout, tag = s.tag, grace = stop and stop.grace or nil }
end

local function execute(s)
  if s.run and s.run.secrets then
    local ok, err = loop.try(s.run.secrets.fill, s.run.secrets, s.run, s.job)
    if not ok then return nil, errors.text(err) end
  end
  local spec, why = spec_of(s)
  if not spec then return nil, why end
  local began = s.host.loop:now()
  local e, err = loop.child(spec, function(_, data) note_output(s, data) end, function(child)
    s.child = child
    s.host.loop:task("ready " .. s.id, watch_over, s, began)
  end)
  s.ended = true
  s.stir:set()
  if e then return e end
  return nil, errors.text(err)
end

local function fail(s, message)
  finished(s, { status = "failed", seconds = 0, error = { class = "service", message = message,
    place = s.step.place } })
end

-- What it uses itself comes first; then the port, the process, its end.
local function live(s)
  local host = s.host
  local before = host.leaving and host.leaving[s.id]
  if before then
    loop.await(before.gone)
    host.leaving[s.id] = nil
  end
  local bad, list = s.bring_up()
  if bad then
    s.cause = bad.cause or bad.id
    s.run.journal:emit({ ev = "step_skipped", id = s.step.id, why = "failed", cause = s.cause })
    s.result.ok, s.result.status, s.result.why, s.result.cause = false, "skipped", "failed", s.cause
    return
  end
  if s.stopping then return s.run.journal:hit(s.step.id) end
  if s.job.prepared.port then s.port = free_port(host) end
  fill.job(s.job, list, s.run.prefix, s.port)
  s.tag = ("%s/%s/1"):format(s.run.id, s.id)
  announce(s, before and "its key changed" or nil)
  for _, one in ipairs(list) do one.borrowers[s.id] = true end
  local e, why = execute(s)
  for _, one in ipairs(list) do one.borrowers[s.id] = nil end
  if not e then return fail(s, "could not be started: " .. why) end
  if not s.stopping then tell_death(s, e) end
  finished(s, verdict(s, e))
end

local function begin(s)
  local ok, why = pcall(live, s)
  if not ok then fail(s, errors.text(why)) end
  over(s)
end

--- Starts it, unless it was.
---@param host orrery.Services
---@param s orrery.Service
function service.start(host, s)
  if s.state == "up" and not s.announced then
    announce(s, "up since an earlier run")
    tell_ready(s, nil, true)
  end
  if s.state ~= "offered" then return end
  s.state = "starting"
  host.loop:task("service " .. s.id, begin, s)
end

--- Waits until it is ready; false when it will not be. In a task.
---@param s orrery.Service
---@return boolean
function service.await(s)
  if s.state == "starting" then loop.await(s.up) end
  return s.state == "up"
end

--- Ends it, with all its processes; s.gone is set when it is over.
---@param s orrery.Service
function service.stop(s)
  if s.state == "over" or s.stopping then return end
  s.stopping = true
  s.stir:set()
  if s.state == "offered" then return over(s) end
  if not s.child then return end
  local stop = s.step.stop
  if s.host.loop.killing then
    s.child:kill({ signal = "KILL", grace = 0 })
  else
    s.child:kill(stop and { signal = stop.signal, grace = stop.grace } or nil)
  end
end

--- The run is over, the service stays for the next.
---@param host orrery.Services
---@param s orrery.Service
function service.keep(host, s)
  if s.announced then
    finished(s, { status = "ok", stdout = text_of(s), reason = "stays up",
      seconds = rounded(host.loop:now() - s.since) })
  else
    s.run.journal:hit(s.step.id)
  end
  s.run, s.on_over, s.bring_up, s.announced = nil, nil, nil, false
  s.state = "kept"
  host.kept[s.id] = s
end

return service
