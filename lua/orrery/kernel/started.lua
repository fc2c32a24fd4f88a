-- What a task starts outside of Lua and waits for: a child process, a job of a worker.
-- When the task is cancelled, what it started is ended, and its end awaited, before the
-- cancellation is raised: nothing runs on behind it.
local started = {}

-- The options of Child:kill: at once when the whole run is being killed.
local function how(self)
  return self.killing and { signal = "KILL", grace = 0 } or nil
end

-- Is there something to do while a child is created? Otherwise a thread only adds its way.
local function is_busy(self)
  return self.queue.first <= self.queue.last or next(self.children) ~= nil
end

--- See loop.child.
---@param loop table kernel.loop
---@param spec core.Spawn
---@param on_output? fun(stream: integer, data: string)
---@param on_start? fun(child: core.Child)
---@return core.Event?
---@return orrery.Err?
function started.child(loop, spec, on_output, on_start)
  local task = loop.current("child")
  task:check()
  local self = task.loop
  local child, err = self.core:spawn(spec, not on_start and is_busy(self))
  if not child then return nil, err end
  local id = child.id
  self.children[id] = child
  if on_output then self.outputs[id] = on_output end
  if on_start then on_start(child) end
  if self.killing then child:kill(how(self)) end
  local ok, event = pcall(loop.await, id)
  if ok and event.error then return nil, event.error end
  if ok then return event end
  child:kill(how(self))
  loop.shielded(loop.await, id)
  error(event, 0)
end

--- See loop.job.
---@param loop table kernel.loop
---@param f function
---@param args any[]
---@param opts? table
---@return table
function started.job(loop, f, args, opts)
  local task = loop.current("job")
  task:check()
  local id = task.loop:submit(f, args, opts)
  local ok, result = pcall(loop.await, id)
  if ok then return result end
  task.loop:cancel_job(id)
  loop.shielded(loop.await, id)
  error(result, 0)
end

return started
