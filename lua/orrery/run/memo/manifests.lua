-- Manifests that the cache keeps beside results, by step: those of this checkout, of other
-- branches, of other worktrees. A miss is explained against the nearest of them.
local lazy = require("orrery.kernel.lazy")
local differ = lazy("orrery.run.memo.differ")
local pack = require("orrery.core.pack")
local recorded = lazy("orrery.run.keys.recorded")

local manifests = {}

local SPACE, STEPS = "memo", "steps"

-- How many records of one step are known by its name.
local MOST = 6

local function name_of(run, step) return run.workflow.name .. "\0" .. step.id end

local function decode(bytes)
  local v = bytes and pack.decode(bytes)
  return type(v) == "table" and v or nil
end

--- Notes under the name of a step that there is a record of it.
---@param run orrery.Run
---@param step orrery.Step
---@param full string
function manifests.note(run, step, full)
  local name = name_of(run, step)
  local kept = { full }
  for _, one in ipairs(decode(run.store:get(STEPS, name)) or {}) do
    if one ~= full and #kept < MOST then kept[#kept + 1] = one end
  end
  run.store:put(STEPS, name, pack.encode(kept))
end

--- A stored record by its full key; nil when it is gone.
---@param run orrery.Run
---@param full string?
---@return table?
function manifests.record(run, full)
  return full and run.store and decode(run.store:get(SPACE, full)) or nil
end

--- The records of a step that are known by its name, the newest first.
---@param run orrery.Run
---@param step orrery.Step
---@return table[]
function manifests.records(run, step)
  local out = {}
  local list = run.store and decode(run.store:get(STEPS, name_of(run, step)))
  for _, full in ipairs(list or {}) do out[#out + 1] = manifests.record(run, full) end
  return out
end

local function with_facts(manifest, facts)
  return facts and setmetatable(facts, { __index = manifest }) or manifest
end

--- The manifest of a record, what its step found or read included.
---@param record table
---@return table
function manifests.of(record) return with_facts(record.manifest, record.facts) end

--- A manifest of now, with what a record's step found or read as it is now.
---@param run orrery.Run
---@param step orrery.Step
---@param manifest table
---@param record table
---@return table
function manifests.now(run, step, manifest, record)
  if not record.set then return manifest end
  return with_facts(manifest, recorded.kept(recorded.facts(run, step, record.set)))
end

--- The reasons why a record does not fit a manifest of now.
---@param run orrery.Run
---@param step orrery.Step
---@param manifest table
---@param record table
---@return orrery.Reason[]
function manifests.diff(run, step, manifest, record)
  return differ.of(manifests.of(record), manifests.now(run, step, manifest, record))
end

--- The record of a step, made anywhere, whose manifest differs least.
---@param run orrery.Run
---@param step orrery.Step
---@param manifest table
---@return orrery.Reason[]? reasons nil: there is none
---@return table? record
function manifests.nearest(run, step, manifest)
  local best, of
  for _, record in ipairs(manifests.records(run, step)) do
    if record.manifest then
      local reasons = manifests.diff(run, step, manifest, record)
      if not best or #reasons < #best then best, of = reasons, record end
    end
  end
  return best, of
end

return manifests
