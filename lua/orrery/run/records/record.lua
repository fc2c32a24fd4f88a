-- The record of a finished run, made again from its journal: what engine.run returned.
local errors = require("orrery.kernel.errors")
local journal = require("orrery.run.records.journal")
local runs = require("orrery.run.records.runs")

local record = {}

local on = {}

function on.run_started(r, e)
  r.name, r.file, r.params, r.wall = e.workflow, e.file, e.params, e.wall
end

function on.step_finished(r, e)
  local result = journal.result(r.dir, e)
  r.steps[e.id], r.results[e.id] = result, result
  if result.status ~= "failed" or result.allowed then return end
  local err = result.error or {}
  r.failed[#r.failed + 1] = e.id
  r.errors[#r.errors + 1] = { id = e.id, class = err.class, message = err.message,
    place = err.place }
end

function on.step_skipped(r, e)
  local result = { id = e.id, ok = false, status = "skipped", why = e.why, cause = e.cause,
    outputs = {}, seconds = 0, attempts = 0 }
  r.steps[e.id], r.results[e.id] = result, result
end

function on.hits(r, e)
  for _, id in ipairs(e.ids) do
    local result = { id = id, ok = true, status = "ok", cached = "clean", outputs = {},
      seconds = 0, attempts = 0 }
    r.steps[id], r.results[id] = result, result
  end
end

function on.group_finished(r, e)
  r.results[e.id] = { id = e.id, ok = e.status == "ok", status = e.status, winner = e.winner }
end

function on.run_finished(r, e)
  r.code, r.status, r.result, r.seconds = e.code, e.status, e.result, e.wall
  r.errors = e.errors or {}
  r.report = { work = e.work, wall = e.wall, saved = e.saved, critical = e.critical,
    counts = e.counts, usage = e.usage }
end

--- The record of a run by id, part of one, or "last". Of one that did not end, the status is
--- "crashed". Raises code "usage" when there is no such run, "state" when its journal
--- cannot be read.
---@param name string
---@param root string
---@return orrery.RunRecord
---@usage record.open("last", "/home/me/site").failed --> { "lint" }
function record.open(name, root)
  local id, why = runs.find(root, name)
  if not id then errors.raise("usage", why) end
  local r = setmetatable({ id = id, dir = runs.dir(root) .. "/" .. id, steps = {}, results = {},
    failed = {}, errors = {}, status = "crashed" }, { __name = "orrery.run_record" })
  local events, err = journal.read(r.dir .. "/journal.jsonl")
  if not events then
    errors.raise("state", ("run %s cannot be read: %s"):format(id, errors.text(err)))
  end
  for _, e in ipairs(events) do
    if on[e.ev] then on[e.ev](r, e) end
  end
  return r
end

return record
