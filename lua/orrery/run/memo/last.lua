-- What a step last left in this checkout: the full key and the output files, in the index;
-- also how its last attempt failed, and why a result was not remembered.
local artifacts = require("orrery.run.keys.artifacts")
local pack = require("orrery.core.pack")

local last = {}

local function name_of(workflow, id) return "last:" .. workflow .. "\0" .. id end

local function of(index, workflow, id)
  local bytes = index:get(name_of(workflow, id))
  return bytes and pack.decode(bytes) or nil
end

local function read(run, step) return of(run.index, run.workflow.name, step.id) end

local function write(run, step, record)
  local bytes = pack.encode(record)
  if bytes then run.index:put(name_of(run.workflow.name, step.id), bytes) end
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

--- The full key a step last had here, without a run; nil when there is none.
---@param index core.Index
---@param workflow string its name
---@param id string
---@return string?
function last.full(index, workflow, id)
  local record = of(index, workflow, id)
  return type(record) == "table" and record.full or nil
end

-- What a step edits in place is not its own: it may belong to people.
local function made(outputs, edited)
  local skip, out = {}, {}
  for _, path in ipairs(edited or {}) do skip[path] = true end
  for _, o in ipairs(outputs) do
    if not skip[o.path] then out[#out + 1] = o end
  end
  return out
end

--- Remembers what a step left.
---@param run orrery.Run
---@param step orrery.Step
---@param full string? nil: it is not in the cache
---@param outputs table[]
---@param more? { expires?: number, unkept?: string, edited?: string[] } edited: its inputs
function last.put(run, step, full, outputs, more)
  outputs = made(outputs, more and more.edited)
  write(run, step, { full = full, outputs = artifacts.for_record(run, outputs),
    expires = more and more.expires, unkept = more and more.unkept })
end

--- Remembers what an attempt that failed had written, to be removed before the next one.
---@param run orrery.Run
---@param step orrery.Step
---@param outputs table[]
function last.left(run, step, outputs)
  if #outputs == 0 then return end
  local before = read(run, step) or { outputs = {} }
  local new = {}
  for _, o in ipairs(artifacts.for_record(run, outputs)) do
    new[o.path] = true
    before.outputs[#before.outputs + 1] = o
  end
  for i = #before.outputs - #outputs, 1, -1 do
    if new[before.outputs[i].path] then table.remove(before.outputs, i) end
  end
  write(run, step, before)
end

--- Remembers that a step failed; what it left before stays known.
---@param run orrery.Run
---@param step orrery.Step
---@param message string
---@param manifest table? what the failed attempt was made from
function last.failed(run, step, message, manifest)
  local before = read(run, step) or { outputs = {} }
  before.failed = { message = message, manifest = manifest }
  write(run, step, before)
end

--- Is what a step left here, without a failure since, what a full key stands for?
---@param index core.Index
---@param workflow string its name
---@param id string
---@param full string
---@return boolean
function last.stays(index, workflow, id, full)
  local record = of(index, workflow, id)
  return type(record) == "table" and record.full == full and not record.failed
end

return last
