-- The questions that a run left open, and how a person's decision is written down.
local decisions = require("orrery.run.records.decisions")
local errors = require("orrery.kernel.errors")
local journal = require("orrery.run.records.journal")
local runs = require("orrery.run.records.runs")
local sys = require("orrery.core.sys")

local waiting = {}

--- What a run's events ask: each question with its decision, if there is one, in the order
--- they were asked.
---@param dir string of the run
---@param events orrery.JournalEvent[]
---@return orrery.Question[]
function waiting.of(dir, events)
  local list, by_name = {}, {}
  for _, ev in ipairs(events) do
    local name = ev.key and ev.id and decisions.name(ev.id, ev.key)
    if ev.ev == "approval_asked" then
      by_name[name] = { id = ev.id, key = ev.key, question = ev.question, show = ev.show,
        wall = ev.wall, ends = ev.ends, purpose = ev.purpose }
      list[#list + 1] = by_name[name]
    elseif ev.ev == "approval_decided" and by_name[name] then
      by_name[name].decision = ev
    end
  end
  for name, d in pairs(decisions.read(dir)) do
    if by_name[name] then by_name[name].decision = by_name[name].decision or d end
  end
  return list
end

--- The run that waits, or whose questions were answered, and all it asks. What was gone on
--- with is the run that went on. Raises code "usage" when there is no such run, "state" when
--- it does not wait.
---@param root string
---@param name? string
---@return { id: string, dir: string, events: table[], questions: orrery.Question[] }
function waiting.open(root, name)
  local id, why = runs.find(root, name)
  if not id then
    errors.raise("usage", why, { exit = 2, hint = "orrery runs lists them" })
  end
  local tip = runs.tip(root, id)
  local s = runs.summary(root, tip)
  if s.status ~= "waiting" then
    errors.raise("state", s.status == "running" and ("run %s is still running"):format(tip)
      or ("nothing waits in run %s%s; it is %s"):format(tip, tip ~= id
        and ", which went on with " .. id or "", s.status), { exit = 5,
      hint = s.status == "running" and "decide when it has come to wait" or nil })
  end
  local events = journal.read(s.dir .. "/journal.jsonl") or {}
  return { id = tip, dir = s.dir, events = events, questions = waiting.of(s.dir, events) }
end

--- Is the time for an answer over?
---@param q orrery.Question
---@return boolean
function waiting.is_over(q) return q.ends ~= nil and sys.wall() >= q.ends end

--- Writes a decision down. Raises code "state" when the question was decided, or is too old.
---@param run table from waiting.open
---@param q orrery.Question
---@param d { verdict: "approved"|"rejected", by: string, reason?: string }
function waiting.decide(run, q, d)
  local function refuse(by)
    errors.raise("state", ("%s of run %s was already %s by %s"):format(q.id, run.id,
      by.verdict, by.by or "somebody"), { exit = 5, hint = by.verdict == "rejected"
      and ("orrery resume %s --force=%s asks again"):format(run.id, q.id) or nil })
  end
  if q.decision then refuse(q.decision) end
  if waiting.is_over(q) then
    errors.raise("state", ("%s of run %s was to be answered until %s"):format(q.id, run.id,
      os.date("%Y-%m-%d %H:%M", math.floor(q.ends))), { exit = 5,
      hint = ("orrery resume %s --force=%s asks again"):format(run.id, q.id) })
  end
  local token = sys.random(8)
  local counts = decisions.add(run.dir, { id = q.id, key = q.key, verdict = d.verdict,
    by = d.by, reason = d.reason, wall = sys.wall(), token = token })
  if counts.token ~= token then refuse(counts) end
  q.decision = counts
end

return waiting
