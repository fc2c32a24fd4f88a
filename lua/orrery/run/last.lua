-- What a step last left in this checkout: the full key and the output files, in the index;
-- also how its last attempt failed, and why a result was not remembered.
local artifacts = require("orrery.run.artifacts")
local pack = require("orrery.core.pack")

local last = {}

local function name_of(run, step) return "last:" .. run.workflow.name .. "\0" .. step.id end

local function read(run, step)
  local bytes = run.index:get(name_of(run, step))
  return bytes and pack.decode(bytes) or nil
end

---@class orrery.Last
---@field full? string          the full key; nil: the result was not remembered
---@field outputs table[]
---@field expires? number       when its record does, seconds since 1970
---@field unkept? string        why the result was not remembered
---@field failed? { message: string, manifest?: table }  its last attempt failed since then

--- The last record of a step here, or nil.
---@param run orrery.Run
---@param step orrery.Step
---@return orrery.Last?
function last.get(run, step) return artifacts.of_record(run, read(run, step)) end

--- Remembers what a step left.
---@param run orrery.Run
---@param step orrery.Step
---@param full string? nil: it is not in the cache
---@param outputs table[]
---@param more? { expires?: number, unkept?: string }
function last.put(run, step, full, outputs, more)
  run.index:put(name_of(run, step), pack.encode({ full = full,
    outputs = artifacts.for_record(run, outputs), expires = more and more.expires,
    unkept = more and more.unkept }))
end

--- Remembers that a step failed; what it left before stays known.
---@param run orrery.Run
---@param step orrery.Step
---@param message string
---@param manifest table? what the failed attempt was made from
function last.failed(run, step, message, manifest)
  local before = read(run, step) or { outputs = {} }
  before.failed = { message = message, manifest = manifest }
  local bytes = pack.encode(before)
  if bytes then run.index:put(name_of(run, step), bytes) end
end

return last
