-- Lua functions on other threads: submit, await, map. A function takes along what it
-- captured, works on copies, and gives plain values back. Only inside a task: a workflow's
-- body, a script run by `orrery lua`, the REPL.
local errors = require("orrery.kernel.errors")
local loop = require("orrery.kernel.loop")

local pool = {}

---@class orrery.Job
---@field log? string  what the function printed, once it was awaited
local Job = { __name = "orrery.job" }
Job.__index = Job

-- Most items of a map that are handed over at once.
local AHEAD = 256

local function arguments(name, ...)
  local args, n = { ... }, select("#", ...)
  while n > 0 and args[n] == nil do n = n - 1 end
  for i = 1, n do
    if args[i] == nil then
      errors.raise("usage", ("%s: argument %d is nil with others after it; "
        .. "pass a table, or json.null"):format(name, i))
    end
  end
  return args
end

local function submit(name, fn, ...)
  local self = loop.current(name).loop
  if type(fn) ~= "function" then
    errors.raise("usage", ("%s needs a function, not a %s"):format(name, type(fn)))
  end
  local id = self:submit(fn, arguments(name, ...), { path = package.path })
  return setmetatable({ id = id, loop = self }, Job)
end

--- Starts a function on a worker.
---
---     local job = pool.submit(function(n) return n * 2 end, 21)
---@param fn function
---@param ... any its arguments: plain values
---@return orrery.Job
function pool.submit(fn, ...)
  return submit("pool.submit", fn, ...)
end

--- Ends the function, even an endless loop. Awaiting it then raises code "ECANCELLED".
function Job:cancel()
  if not self.result then self.loop:cancel_job(self.id) end
end

-- Waits for the job's end; what it printed is printed now.
local function settle(job, timeout)
  if job.result then return job.result end
  local result, why = loop.await(job.id, timeout)
  if not result and why == "timeout" then return nil end
  job.result = result
  job.log = result.facts and result.facts.log or ""
  if job.log ~= "" then io.write(job.log) end
  return result
end

--- Waits for a job; returns the function's value or raises its error. After `timeout`
--- seconds the job is ended and code "timeout" raised.
---
---     pool.await(pool.submit(function(n) return n * 2 end, 21)) --> 42
---@param job orrery.Job
---@param timeout? number
---@return any
function pool.await(job, timeout)
  if getmetatable(job) ~= Job then
    errors.raise("usage", "pool.await needs a job of pool.submit")
  end
  local ok, result = pcall(settle, job, timeout)
  if not ok or not result then
    job:cancel()
    loop.shielded(settle, job)
    if not ok then error(result, 0) end
    errors.raise("timeout", ("the function did not end within %g s"):format(timeout))
  end
  if not result.ok then error(result.error, 0) end
  return result.value
end

local function end_all(jobs)
  for _, job in pairs(jobs) do job:cancel() end
  loop.shielded(function()
    for _, job in pairs(jobs) do settle(job) end
  end)
end

--- Calls fn(item, index) for every item, on all workers at once; the values, in the order
--- of the items. The first error, in that order, ends the rest and is raised.
---
---     pool.map({ 1, 2, 3 }, function(n) return n * n end) --> { 1, 4, 9 }
---@param items any[]
---@param fn fun(item: any, index: integer): any
---@return any[]
function pool.map(items, fn)
  local jobs, values, sent = {}, {}, 0
  local ok, err = pcall(function()
    for i = 1, #items do
      while sent < #items and sent < i + AHEAD do
        sent = sent + 1
        jobs[sent] = submit("pool.map", fn, items[sent], sent)
      end
      values[i] = pool.await(jobs[i])
      jobs[i] = nil
    end
  end)
  if ok then return values end
  end_all(jobs)
  error(err, 0)
end

return pool
