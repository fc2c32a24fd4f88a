-- The manifest that a step had in a run of this checkout, to compare another one with. A run
-- in which the step was up to date names it only when it was another than before: then the
-- run before it does, or the one before that.
local differ = require("orrery.run.memo.differ")
local journal = require("orrery.run.records.journal")
local manifests = require("orrery.run.memo.manifests")
local probe = require("orrery.run.probe")
local runs = require("orrery.run.records.runs")

local against = {}

local function holds(list, id)
  for _, one in ipairs(list) do
    if one == id then return true end
  end
  return false
end

-- What one run says of a step: its full key, "clean", or why there is none; nil: nothing.
local function said_of(events, id)
  local key, note
  for _, e in ipairs(events) do
    if e.ev == "step_finished" and e.id == id then
      key = e.status == "ok" and (e.full or e.key) or nil
      note = not key and "it " .. e.status .. " in that run" or nil
    elseif e.ev == "step_skipped" and e.id == id then
      note = "it was skipped in that run"
    elseif e.ev == "hits" and holds(e.ids, id) then
      key = e.keys and e.keys[id] or "clean"
    end
  end
  return key, note
end

--- The full key that a step had in a run; nil and why when it is not known.
---@param root string
---@param run string id
---@param id string the step
---@return string? full
---@return string? why not
function against.key(root, run, id)
  local workflow
  for _, name in ipairs(runs.ids(root)) do
    local events = name <= run and journal.read(runs.dir(root) .. "/" .. name .. "/journal.jsonl")
    local first = events and events[1]
    if first and (not workflow or first.workflow == workflow) then
      workflow = first.workflow
      local key, note = said_of(events, id)
      if key and key ~= "clean" then return key end
      if name == run and not key then return nil, note or "it was not part of that run" end
    end
  end
  return nil, "the run that made its result is no longer kept"
end

-- What the step is made from now; nil when that cannot be said before others have run.
local function manifest_now(run, step)
  local ok, job = pcall(probe.job, run, step)
  return ok and job.manifest or nil
end

local GONE = "its manifest is no longer in the cache, or was never kept"

-- The run that a step is in, and its node there.
local function scope_of(scopes, id)
  for prefix, run in pairs(scopes) do
    local node = id:sub(1, #prefix) == prefix and run.scheduler
      and run.scheduler.nodes[id:sub(#prefix + 1)]
    if node then return run, node end
  end
end

--- How a step as it is now differs from what it was in another run.
---@param scopes table<string, orrery.Run> from a plan, still open
---@param id string
---@param other string run id
---@return orrery.Reason[]? reasons
---@return string? why not
function against.now(scopes, id, other)
  local run, node = scope_of(scopes, id)
  if not node or node.kind ~= "step" then
    return nil, "what it is made from is known only while the run goes on"
  end
  local full, note = against.key(run.root, other, id)
  if not full then return nil, note end
  local record = manifests.record(run, full)
  local manifest = manifest_now(run, node.unit)
  if not record or not record.manifest then return nil, GONE end
  if not manifest then return nil, "what it is made from is not there yet" end
  return manifests.diff(run, node.unit, manifest, record)
end

--- How a step of one run differs from what it was in another.
---@param run orrery.Run with a store
---@param id string
---@param one string run id
---@param other string run id
---@return orrery.Reason[]? reasons
---@return string? why not
function against.between(run, id, one, other)
  local new, bad = against.key(run.root, one, id)
  if not new then return nil, ("of run %s: %s"):format(one, bad) end
  local old, worse = against.key(run.root, other, id)
  if not old then return nil, worse end
  local a, b = manifests.record(run, old), manifests.record(run, new)
  if not a or not b or not a.manifest or not b.manifest then return nil, GONE end
  return differ.of(manifests.of(a), manifests.of(b))
end

return against
