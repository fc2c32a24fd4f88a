-- A run as one JSON document, for --json and runs show --json.
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")
local tally = require("orrery.face.show.tally")

local document = {}

local fields = { "id", "kind", "group", "status", "cached", "why", "cause", "exit", "signal",
  "seconds", "cpu", "rss", "attempts", "allowed", "reason", "key", "digest", "value", "outputs",
  "usage", "saved_usage", "error" }

local function step_of(s, step)
  local out = {}
  for _, name in ipairs(fields) do out[name] = step[name] end
  if step.status == "failed" then out.output = tally.text(s, step) end
  return out
end

-- The open questions, by step.
local function waiting(s)
  local out = pack.array({})
  for id, q in sorted.pairs(s.questions) do
    out[#out + 1] = { id = id, question = q.question, show = q.show, ends = q.ends }
  end
  return out
end

local function affected_of(a)
  return a and { base = a.base or pack.null, why = a.why, merge_base = a.merge_base or pack.null,
    files = pack.array(a.files), steps = pack.array(a.steps) } or nil
end

--- The document as a table.
---@param s table a tally
---@return table
function document.of(s)
  local run, f = s.run or {}, s.finished or {}
  local steps, failed, messages = pack.array({}), pack.array({}), pack.array({})
  for i, step in ipairs(tally.all(s)) do steps[i] = step_of(s, step) end
  for i, step in ipairs(tally.failed(s)) do failed[i] = step.id end
  for i, m in ipairs(s.messages) do
    messages[i] = { level = m.level, text = m.text, place = m.place, hint = m.hint }
  end
  return { v = 1, run = run.run, workflow = run.workflow, file = run.file, params = run.params,
    status = f.status or "crashed", code = f.code, result = f.result, errors = f.errors,
    seconds = f.wall, work = f.work, saved = f.saved, critical = f.critical, counts = s.counts,
    usage = s.usage,
    steps = steps, failed = failed, messages = messages, waiting = waiting(s),
    affected = affected_of(s.affected) }
end

--- The document as text.
---@param s table
---@return string
function document.text(s)
  return assert(json.encode(document.of(s), { lossy = true, indent = 2 })) .. "\n"
end

return document
