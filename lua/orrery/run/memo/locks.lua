-- Locks between processes: tried, never waited for in the kernel.
local errors = require("orrery.kernel.errors")
local loop = require("orrery.kernel.loop")

local locks = {}

-- After so many seconds people are told what is waited for.
local PATIENCE = 2

--- Tries until something can be had, suspended in between; says `what` is waited for when
--- that takes long.
---@param run orrery.Run
---@param try fun(): any, any   what was wanted, or nil; nil and an error when it cannot be had
---@param what? string
---@return any
---@return any err
function locks.await(run, try, what)
  local wait, began = 0.002, run.loop:now()
  while true do
    local l, err = try()
    if l or err then return l, err end
    if what and run.loop:now() - began > PATIENCE then
      run.journal:emit({ ev = "message", level = "warning", text = what })
      what = nil
    end
    loop.await(run.loop.core:timer(wait))
    wait = math.min(wait * 2, 0.1)
  end
end

--- The lock of a key among all that share the cache; nil when the cache is off.
---@param run orrery.Run
---@param step orrery.Step
---@param base string
---@return core.Lock? close it, or hold it in a <close> variable
function locks.key(run, step, base)
  if not run.store then return nil end
  local name, store = "key:" .. base, run.store
  local l, err = locks.await(run, function() return store:try_lock(name) end,
    step.id .. ": waits for another that is doing the same")
  if err then run:cache_trouble(err) end
  return l
end

--- The name of the lock of outputs.
---@param outputs { path: string }[] declared ones
---@return string
function locks.name(outputs)
  if #outputs == 1 then return outputs[1].path end
  local paths = {}
  for i, o in ipairs(outputs) do paths[i] = o.path end
  table.sort(paths)
  return table.concat(paths, "\0")
end

--- That outputs cannot be locked ends the run.
---@param err any
function locks.unusable(err)
  errors.raise("state", "outputs cannot be locked: " .. errors.text(err))
end

--- The lock of a step's outputs in this checkout. It is named by what is written, not by
--- the step: a step may run another workflow that has a step of its name.
---@param run orrery.Run
---@param step orrery.Step
---@param outputs { path: string }[] declared ones
---@return core.Lock? nil when there is no lock file
function locks.outputs(run, step, outputs)
  local file = run.locks
  if not file then return nil end
  local name = locks.name(outputs)
  local l, err = locks.await(run, function() return file:try(name) end,
    ("%s: waits for another that writes %s"):format(step.id, (name:gsub("%z", ", "))))
  if err then locks.unusable(err) end
  return l
end

return locks
