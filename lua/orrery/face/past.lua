-- Finished runs, as the commands that look back see them. Nothing here writes.
local errors = require("orrery.kernel.errors")
local journal = require("orrery.run.records.journal")
local runs = require("orrery.run.records.runs")
local tally = require("orrery.face.show.tally")
local target = require("orrery.face.target")

local past = {}

--- The id of the run a person means. Raises code "usage" when there is none.
---@param root string
---@param name? string an id, a part of one, "last"; nil is the last
---@return string
function past.id(root, name)
  local id, why = runs.find(root, name)
  if id then return id end
  errors.raise("usage", why or "there is no such run", { hint = "orrery runs lists them" })
end

--- The events of one run and the fold over them. Raises code "state" when its journal
--- cannot be read.
---@param root string
---@param name? string
---@return { id: string, dir: string, events: table[], damaged: integer }
function past.open(root, name)
  local id = past.id(root, name)
  local dir = runs.dir(root) .. "/" .. id
  local events, damaged = journal.read(dir .. "/journal.jsonl")
  if not events then
    errors.raise("state", ("run %s cannot be read: %s"):format(id, errors.text(damaged)))
  end
  return { id = id, dir = dir, events = events, damaged = damaged }
end

--- A run of the current root, with its tally; texts of all steps are kept.
---@param name? string
---@return table run with state
function past.here(name)
  local root = target.root()
  local run = past.open(root, name)
  run.root = root
  run.state = tally.of(run.events, { dir = run.dir, texts = true })
  return run
end

--- A step of a run by id; raises with a suggestion.
---@param run table from past.here
---@param id string
---@return table step of the tally
function past.step(run, id)
  local ids = {}
  for _, step in ipairs(tally.all(run.state)) do
    if step.id == id then return step end
    ids[#ids + 1] = step.id
  end
  errors.raise("usage", ("run %s (%s) has no step '%s'"):format(run.id,
    run.state.run and run.state.run.workflow or "?", id),
    { hint = require("orrery.kernel.nearest").hint(id, ids) or "its steps are: "
      .. require("orrery.face.words").some(ids, 12) })
end

return past
