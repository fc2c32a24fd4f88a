-- What a step last left in this checkout: the full key and the output files, in the index.
local artifacts = require("orrery.run.artifacts")
local pack = require("orrery.core.pack")

local last = {}

local function name_of(run, step) return "last:" .. run.workflow.name .. "\0" .. step.id end

--- The last record of a step here, or nil.
---@param run orrery.Run
---@param step orrery.Step
---@return { full?: string, outputs: table[] }?
function last.get(run, step)
  local bytes = run.index:get(name_of(run, step))
  return artifacts.of_record(run, bytes and pack.decode(bytes) or nil)
end

--- Remembers what a step left.
---@param run orrery.Run
---@param step orrery.Step
---@param full string? nil: it is not in the cache
---@param outputs table[]
function last.put(run, step, full, outputs)
  run.index:put(name_of(run, step), pack.encode({ full = full,
    outputs = artifacts.for_record(run, outputs) }))
end

return last
