-- Which steps are remembered, and why not: the rule of each kind, the step's own word, the
-- run's mode.
local lazy = require("orrery.kernel.lazy")
local selection = lazy("orrery.run.graph.selection")

local cacheable = {}

local nouns = { workflow = "a workflow", service = "a service", approve = "an approval",
  body = "a body" }

-- What the kind says: true, or false and why.
local function by_kind(run, step)
  local kind = step.kind
  if kind == "run" then
    if step.tty then return false, "tty" end
    if step.inputs then return true end
    return false, "declares no inputs; add inputs = {…} to have it remembered"
  end
  if kind == "call" or kind == "skill" then return true end
  if kind == "agent" then
    local executor = run.executor and run:executor(step.action)
    if executor and (executor.http or executor.reads == "request") then return true end
    if step.inputs then return true end
    return false, "declares no inputs; a command may read anything"
  end
  return false, nouns[kind] .. " is never remembered itself"
end

--- What a step says of the cache, completed by what its workflow says for all of them.
---@param run orrery.Run
---@param step orrery.Step
---@return boolean|{ ttl?: number, scope?: string, store?: boolean }|nil
function cacheable.settings(run, step)
  local own, all = step.cache, run.workflow.cache
  if own == nil then return all end
  if type(own) ~= "table" or type(all) ~= "table" then return own end
  local store = own.store
  if store == nil then store = all.store end
  return { ttl = own.ttl or all.ttl, scope = own.scope or all.scope, store = store }
end

--- Is the result of this step a function of what it declares?
---@param run orrery.Run
---@param step orrery.Step
---@return boolean
---@return string? why not
function cacheable.pure(run, step)
  if cacheable.settings(run, step) == false then return false, "cache = false" end
  return by_kind(run, step)
end

local function named(list, id)
  for _, glob in ipairs(list) do
    local whole = id:match("^(.-)%[.*%]$") -- of a member of a fan-out
    if glob == id or glob == whole or id:find(selection.pattern(glob)) then return true end
  end
  return false
end

--- Was this step asked to run again?
---@param run orrery.Run
---@param step orrery.Step
---@return boolean
function cacheable.forced(run, step)
  local force = run.opts.force
  if not force then return false end
  return force == true or named(force, step.id)
end

--- May records be read, and written, for a pure step in this run?
---@param run orrery.Run
---@return boolean read
---@return boolean write
function cacheable.mode(run)
  if not run.store then return false, false end
  local mode = run.opts.cache or "rw"
  return mode == "rw" or mode == "ro", mode == "rw" or mode == "wo"
end

return cacheable
