-- Resuming: what a run finished, read from its journal, also when it was killed in the
-- middle of a line. A run that was itself a resumption hands on what it took over.
local calls = require("orrery.run.records.calls")
local decisions = require("orrery.run.records.decisions")
local errors = require("orrery.kernel.errors")
local journal = require("orrery.run.records.journal")
local runs = require("orrery.run.records.runs")
local usage = require("orrery.run.records.usage")

local resume = {}

-- How many runs a chain of resumptions may have.
local CHAIN = 50

local function note(past, key, occurrence, read)
  past[key] = past[key] or {}
  if not past[key][occurrence] then past[key][occurrence] = read end
end

local function reader(old, ev)
  return function()
    local r = journal.result(old.dir, ev)
    r.run, r.dir = old.id, old.dir
    return r
  end
end

local function note_next(past, seen, old, ev)
  local n = ev.occurrence or (seen[ev.key] or 0) + 1
  seen[ev.key] = math.max(n, seen[ev.key] or 0)
  note(past, ev.key, n, reader(old, ev))
end

-- What a run asked people. It is first asked in the oldest run; what it made is newest.
local function take_question(questions, old, ev)
  local name = decisions.name(ev.id, ev.key)
  local q = questions.asked[name]
  if not q then
    q = { id = ev.id, key = ev.key, question = ev.question, show = ev.show,
      purpose = ev.purpose, read = reader(old, ev) }
    questions.asked[name] = q
  end
  q.wall = math.min(q.wall or ev.wall, ev.wall)
  questions.steps[ev.id] = true
end

-- Adds the finished calls and the questions of one run; older runs never overrule newer.
local function take(past, questions, old)
  local seen = {}
  -- What an export added to a journal that was carried here.
  for _, ev in ipairs(journal.read(old.dir .. "/finished.jsonl") or {}) do
    if ev.key then note_next(past, seen, old, ev) end
  end
  seen = {}
  for name, d in pairs(decisions.read(old.dir)) do
    questions.decided[name] = questions.decided[name] or d
  end
  for _, ev in ipairs(old.events) do
    if ev.ev == "step_finished" and ev.status == "ok" and ev.key then
      note_next(past, seen, old, ev)
    elseif ev.ev == "approval_asked" and ev.key then
      take_question(questions, old, ev)
    elseif ev.ev == "approval_decided" and ev.key then
      local name = decisions.name(ev.id, ev.key)
      questions.decided[name] = questions.decided[name] or ev
    end
  end
end

--- What is known of a run that may be resumed. Raises code "usage" when there is none.
---@param root string
---@param name? string a run, or nil for the newest
---@return { id: string, dir: string, workflow: string, params: table, events: table[] }
function resume.open(root, name)
  local id, why = runs.find(root, name)
  if not id then errors.raise("usage", why, { exit = 2 }) end
  local dir = runs.dir(root) .. "/" .. id
  local events, damaged = journal.read(dir .. "/journal.jsonl")
  if not events then
    errors.raise("state", ("run %s cannot be read: %s"):format(id, errors.text(damaged)),
      { exit = 5 })
  end
  local first = events[1] or {}
  if first.ev ~= "run_started" then
    errors.raise("state", ("run %s has no beginning; its journal is damaged"):format(id),
      { exit = 5 })
  end
  return { id = id, dir = dir, workflow = first.workflow, file = first.file,
    params = first.params or {}, events = events, damaged = damaged, resumed = first.resumed }
end

--- A run and those it went on with, the newest first.
---@param root string
---@param id string
---@return table[] as resume.open gives them
function resume.chain(root, id)
  local out, at = {}, id
  for _ = 1, CHAIN do
    local ok, old = pcall(resume.open, root, at)
    if not ok then
      if at == id then error(old, 0) end
      break -- an older one was pruned
    end
    out[#out + 1] = old
    at = old.resumed
    if not at then break end
  end
  return out
end

-- What the agents of these runs used.
local function used_by(chain)
  local total
  for _, old in ipairs(chain) do
    for _, ev in ipairs(old.events) do
      if ev.ev == "agent_call" then total = usage.sum(total, ev.usage) end
    end
  end
  return total
end

--- The calls of a run and of those it resumed, for a run that goes on with them.
---@param root string
---@param id string
---@return orrery.Calls
function resume.calls(root, id)
  local past = {}
  local questions = { asked = {}, decided = {}, steps = {} }
  local chain = resume.chain(root, id)
  for _, old in ipairs(chain) do take(past, questions, old) end
  return calls.new(past, questions, used_by(chain))
end

return resume
