-- Resuming: what a run finished, read from its journal, also when it was killed in the
-- middle of a line. A run that was itself a resumption hands on what it took over.
local calls = require("orrery.run.calls")
local errors = require("orrery.kernel.errors")
local journal = require("orrery.run.journal")
local runs = require("orrery.run.runs")

local resume = {}

-- How many runs a chain of resumptions may have.
local CHAIN = 50

local function note(past, key, occurrence, read)
  past[key] = past[key] or {}
  if not past[key][occurrence] then past[key][occurrence] = read end
end

-- Adds the finished calls of one run; older runs never overrule newer ones.
local function take(past, dir, events)
  local seen = {}
  for _, ev in ipairs(events) do
    if ev.ev == "step_finished" and ev.status == "ok" and ev.key then
      local n = ev.occurrence or (seen[ev.key] or 0) + 1
      seen[ev.key] = math.max(n, seen[ev.key] or 0)
      note(past, ev.key, n, function() return journal.result(dir, ev) end)
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

--- The calls of a run and of those it resumed, for a run that goes on with them.
---@param root string
---@param id string
---@return orrery.Calls
function resume.calls(root, id)
  local past, at = {}, id
  for _ = 1, CHAIN do
    local ok, old = pcall(resume.open, root, at)
    if not ok then
      if at == id then error(old, 0) end
      break -- an older one was pruned
    end
    take(past, old.dir, old.events)
    at = old.resumed
    if not at then break end
  end
  return calls.new(past)
end

return resume
