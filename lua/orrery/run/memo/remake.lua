-- A step whose outputs a later one needs, and which are not what they were when it ended: they
-- were temporary and the cache lost them, or another run made them anew. It runs again, within
-- the run, or is put back. What it makes now is its result.
local errors = require("orrery.kernel.errors")
local loop = require("orrery.kernel.loop")
local quiet = require("orrery.run.records.quiet")
local temp = require("orrery.run.keys.temp")

local remake = {}

-- So often, for one attempt.
remake.MOST = 8

-- What the journal has told of the step already.
local TOLD = { step_started = true, step_finished = true, hits = true }

-- Others have the same table.
local function become(old, new)
  local id = old.id
  for name in pairs(old) do old[name] = nil end
  for name, v in pairs(new) do old[name] = v end
  old.id = id
end

local function again(run, id, try)
  local old = run.results[id]
  local maker = run.scheduler.nodes[id] and run.scheduler.nodes[id].unit or run.workflow.by_id[id]
  run.journal:emit({ ev = "step_retry", id = id, attempt = old.attempts or 1, class = "lost",
    message = "its outputs were changed or lost meanwhile", delay = 0 })
  local _, hit, result = try(quiet.run(run, TOLD), maker, 1, {})
  result = hit or result
  if not result.ok then
    errors.raise("inputs", ("%s, made again because its outputs were lost, failed: %s"):format(id,
      result.error and result.error.message or result.status))
  end
  become(old, result)
  temp.sweep(run, maker)
end

--- Makes a step again for one that reads what it makes; several that want it wait for one.
---@param run orrery.Run
---@param step orrery.Step which needs it
---@param id string of the step to make again
---@param turn integer how often that was done for this attempt
---@param try fun(run: orrery.Run, step: orrery.Step, attempt: integer, feedback: string[])
function remake.step(run, step, id, turn, try)
  if turn == remake.MOST then
    errors.raise("inputs", ("%s: another run changes what %s makes again and again; run one at "
      .. "a time"):format(step.id, id), { class = "inputs" })
  end
  local all, name = run.crowd.remaking, run.prefix .. id
  if all[name] then
    loop.await(all[name])
    return
  end
  local done = loop.signal()
  all[name] = done
  local _ <close> = setmetatable({}, { __close = function()
    all[name] = nil
    done:set(true)
  end })
  again(run, id, try)
end

return remake
