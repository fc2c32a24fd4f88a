-- A run as its events so far: what every display and report is folded from.
local tally = {}

--- An empty state.
---@return table
function tally.new()
  return { steps = {}, order = {}, running = {}, messages = {}, counts = { ok = 0, failed = 0,
    skipped = 0, cancelled = 0, clean = 0, hit = 0, ran = 0 }, total = 0, done = 0 }
end

local function step_of(s, id)
  local step = s.steps[id]
  if not step then
    step = { id = id }
    s.steps[id] = step
    s.order[#s.order + 1] = id
  end
  return step
end

local function finish(s, id, fields)
  local step = step_of(s, id)
  for k, v in pairs(fields) do
    if k ~= "ev" and k ~= "v" then step[k] = v end
  end
  s.running[id] = nil
  s.done = s.done + 1
  local c = s.counts
  if c[step.status] then c[step.status] = c[step.status] + 1 end
  if step.status == "ok" or step.status == "failed" then
    local how = step.cached or "ran"
    c[how] = (c[how] or 0) + 1
  end
end

local on = {}

function on.run_started(s, e) s.run, s.total = e, e.steps end
function on.plan(s, e)
  for _, p in ipairs(e.steps) do
    local step = step_of(s, p.id)
    step.kind, step.group, step.needs, step.doc = p.kind, p.group, p.needs, p.doc
    step.expected = p.expected
  end
end
function on.step_added(s, e)
  local step = step_of(s, e.id)
  step.kind, step.group, step.needs = e.kind, e.group, e.needs
  s.total = s.total + 1
end
function on.step_started(s, e)
  local step = step_of(s, e.id)
  step.started, step.attempt, step.cmd, step.reason = e.t, e.attempt, e.cmd, e.reason
  s.running[e.id] = step
end
function on.step_finished(s, e) finish(s, e.id, e) end
function on.step_skipped(s, e)
  finish(s, e.id, { status = "skipped", why = e.why, cause = e.cause, t = e.t })
end
function on.hits(s, e)
  for _, id in ipairs(e.ids) do finish(s, id, { status = "ok", cached = "clean", seconds = 0 }) end
end
function on.message(s, e) s.messages[#s.messages + 1] = e end
function on.run_finished(s, e) s.finished = e end

--- Adds one event.
---@param s table
---@param e orrery.JournalEvent
---@return table s
function tally.add(s, e)
  s.now = e.t or s.now
  local f = on[e.ev]
  if f then f(s, e) end
  return s
end

return tally
