-- A run as its events so far: what every display and report is folded from. The same fold
-- reads a finished run's journal. It keeps no text of steps that went well, and for a display
-- that never comes back to them nothing of them but their number: there may be a hundred
-- thousand.
local usage = require("orrery.run.records.usage")

local tally = {}

--- An empty state.
---@param opts? { dir?: string, texts?: boolean, brief?: boolean } dir: where the logs of a
---  finished run are; texts: keep the output of every step, and all reasons; brief: forget the
---  plan, and each step that ended as planned when the next event comes (tally.all is not asked)
---@return table
function tally.new(opts)
  return { dir = opts and opts.dir, texts = opts and opts.texts, brief = opts and opts.brief,
    plan = {}, planned = {}, listed = 0, steps = {}, order = {}, running = {}, started = {},
    messages = {}, groups = {}, artifacts = {}, fans = {}, clean = {}, questions = {},
    total = 0, done = 0, now = 0,
    counts = { ran = 0, hit = 0, clean = 0, failed = 0, allowed = 0, skipped = 0, cancelled = 0,
      waiting = 0 } }
end

local function step_of(s, id)
  local step = s.steps[id]
  if not step then
    local plan = s.planned[id] or {}
    -- The fields that nearly every step gets: the table is made in its final size, 16.
    step = { id = id, kind = plan.kind, expected = plan.expected, begun = nil, attempt = nil,
      cmd = nil, reason = nil, status = nil, exit = nil, seconds = nil, cpu = nil, rss = nil,
      key = nil, digest = nil, attempts = nil, ended = nil }
    if plan.group then step.group = plan.group end
    s.steps[id] = step
    if not s.brief then s.order[#s.order + 1] = id end
  end
  s.step = step
  return step
end

local function count(s, step)
  local c = s.counts
  if step.status == "ok" then
    local how = step.cached == "resumed" and "hit" or step.cached or "ran"
    c[how] = (c[how] or 0) + 1
  elseif step.status == "failed" and step.allowed then
    c.allowed = c.allowed + 1
  else
    local how = step.why == "waiting" and "waiting" or step.status
    c[how] = (c[how] or 0) + 1
  end
end

-- What is told again when the run is over, or may be: failures and what they kept from running.
local function lasts(step)
  return step.status == "failed" or (step.status == "skipped" and step.why ~= "when"
    and step.why ~= "filtered")
end

local function finish(s, step)
  s.running[step.id] = nil
  s.done = s.done + 1
  count(s, step)
  if not s.brief then return end
  if lasts(step) then
    s.order[#s.order + 1] = step.id
  else
    s.steps[step.id] = nil
  end
end

local on = {}

function on.run_started(s, e)
  s.run, s.total = e, e.steps or 0
end

function on.plan(s, e)
  s.total, s.listed = #e.steps, #e.steps
  if not s.brief then s.plan = e.steps end
  for _, p in ipairs(e.steps) do
    if not s.brief or p.fan then s.planned[p.id] = p end
  end
end

-- A step of the plan turned out to be a group: its members count instead.
local function fan(s, id)
  if s.planned[id] and not s.steps[id] and not s.fans[id] then
    s.fans[id] = true
    s.total = s.total - 1
  end
end

function on.step_added(s, e)
  if not s.brief or e.fan then s.planned[e.id] = e end
  s.total = s.total + 1
  if e.group then fan(s, e.group) end
end

function on.step_started(s, e)
  local step = step_of(s, e.id)
  step.begun, step.attempt, step.cmd, step.reason = e.t or s.now, e.attempt, e.cmd, e.reason
  step.kind, step.tty = e.kind or step.kind, e.tty
  if s.texts then step.reasons = e.why end
  if not s.brief and not s.running[e.id] then s.started[#s.started + 1] = step end
  s.running[e.id] = step
end

local small = { "status", "cached", "exit", "signal", "seconds", "cpu", "rss", "key", "digest",
  "reason", "error", "attempts", "allowed", "value", "outputs", "usage", "saved_usage" }

function on.step_finished(s, e)
  local step = step_of(s, e.id)
  for _, name in ipairs(small) do
    if e[name] ~= nil then step[name] = e[name] end
  end
  step.kind, step.ended = step.kind or e.kind, e.t or s.now
  if step.status == "cancelled" and step.begun and (step.seconds or 0) == 0 then
    step.seconds = step.ended - step.begun
  end
  if step.status == "failed" or s.texts then
    step.stdout, step.stderr = e.stdout, e.stderr
    step.stdout_log, step.stderr_log = e.stdout_log, e.stderr_log
  end
  if e.saved_usage then s.usage = usage.take(s.usage, e) end
  finish(s, step)
end

function on.step_skipped(s, e)
  local step = step_of(s, e.id)
  step.status, step.why, step.cause, step.ended = "skipped", e.why, e.cause, e.t or s.now
  finish(s, step)
end

function on.service_ready(s, e)
  local step = step_of(s, e.id)
  step.port, step.ready_after, step.kept = e.port, e.seconds, e.kept
end

function on.approval_asked(s, e) s.questions[e.id] = e end
function on.approval_decided(s, e) s.questions[e.id] = nil end

-- A run of which nobody looks at the steps says only how many there are (unchanged.clean).
function on.hits(s, e)
  local n = e.count or #e.ids
  if not s.brief then s.clean[#s.clean + 1] = e.ids end
  s.counts.clean = s.counts.clean + n
  if e.usage then s.usage = usage.take(s.usage, e) end
  s.done = s.done + n
end

function on.group_finished(s, e)
  s.groups[#s.groups + 1] = e
  fan(s, e.id)
end

function on.agent_call(s, e) s.usage = usage.take(s.usage, e) end

function on.artifact(s, e) s.artifacts[#s.artifacts + 1] = e end
function on.affected(s, e) s.affected = e end
function on.message(s, e) s.messages[#s.messages + 1] = e end
function on.cache_off(s, e) s.cache_off = e.why end
function on.run_finished(s, e) s.finished = e end

--- Adds one event.
---@param s table
---@param e orrery.JournalEvent
---@return table s
function tally.add(s, e)
  if e.t then s.now = e.t end
  local f = on[e.ev]
  if f then f(s, e) end
  return s
end

--- The fold over a whole journal.
---@param events orrery.JournalEvent[]
---@param opts? table as for new
---@return table
function tally.of(events, opts)
  local s = tally.new(opts)
  for _, e in ipairs(events) do tally.add(s, e) end
  return s
end

local function log_text(s, step, name)
  local rel = step[name .. "_log"]
  if rel and s.dir then return require("orrery.core.fs").read(s.dir .. "/" .. rel) or "" end
  return step[name] or ""
end

--- What a step wrote, both streams; only of failed steps, or of all with `texts`.
---@param s table
---@param step table
---@return string
function tally.text(s, step)
  local out, err = log_text(s, step, "stdout"), log_text(s, step, "stderr")
  if out ~= "" and err ~= "" and out:sub(-1) ~= "\n" then out = out .. "\n" end
  return out .. err
end

--- Steps that failed and were not allowed to, in the order they ended.
---@param s table
---@return table[]
function tally.failed(s)
  local out = {}
  for _, id in ipairs(s.order) do
    local step = s.steps[id]
    if step.status == "failed" and not step.allowed then out[#out + 1] = step end
  end
  return out
end

--- Every step with what came of it, in order of the plan, added ones after; clean ones too.
---@param s table
---@return table[]
function tally.all(s)
  local out, seen, clean = {}, {}, {}
  for _, ids in ipairs(s.clean) do
    for _, id in ipairs(ids) do clean[id] = true end
  end
  local function add(id)
    if seen[id] then return end
    seen[id] = true
    local p = s.planned[id] or {}
    out[#out + 1] = s.steps[id] or { id = id, kind = p.kind, group = p.group,
      status = clean[id] and "ok" or "not started", cached = clean[id] and "clean" or nil,
      seconds = clean[id] and 0 or nil }
  end
  for _, p in ipairs(s.plan) do
    if not s.fans[p.id] then add(p.id) end
  end
  for _, id in ipairs(s.order) do add(id) end
  for _, ids in ipairs(s.clean) do
    for _, id in ipairs(ids) do add(id) end
  end
  return out
end

return tally
