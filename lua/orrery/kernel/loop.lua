-- The loop: tasks over the one blocking wait of core.loop. What a task is, and how it waits,
-- is in kernel.tasks.
--
-- When the ready queue is empty the idlers run (admission, then the journal's
-- flush); only when none of them makes work does the loop block.
local core_loop = require("orrery.core.loop")
local errors = require("orrery.kernel.errors")
local lazy = require("orrery.kernel.lazy")
local signal = require("orrery.kernel.signal")
local started = require("orrery.kernel.started")
local sys = require("orrery.core.sys")
local tasks = require("orrery.kernel.tasks")
local workers = lazy("orrery.kernel.workers")

local loop = {}
local Loop = { __name = "orrery.loop" }
Loop.__index = Loop

--- A signal: set once, many may wait for it.
loop.signal = signal.new

-- How a task waits: others need to know the loop alone.
loop.await, loop.park, loop.pause, loop.sleep = tasks.await, tasks.park, tasks.pause, tasks.sleep
loop.shielded, loop.try, loop.current = tasks.shielded, tasks.try, tasks.current

-- How often the core may come back with nothing before it has nothing to wait for.
local EMPTY = 100

--- Runs a child process to its end and returns its exit event. If the task is
--- cancelled meanwhile, the whole tree is ended and waited for first.
---@param spec core.Spawn
---@param on_output? fun(stream: integer, data: string) with spec.live
---@param on_start? fun(child: core.Child)
---@return core.Event?
---@return orrery.Err?
function loop.child(spec, ...) return started.child(loop, spec, ...) end

--- Runs a Lua function on a worker and waits for it: { ok, value, error, facts }.
--- If the task is cancelled meanwhile, the function is ended first.
---@param f function
---@param args any[]
---@return table
function loop.job(f, args, opts) return started.job(loop, f, args, opts) end

--- A loop of its own. `core` stands in for core.loop: kernel.virtual has one whose
--- time is not real.
---@param core? core.Loop
---@return orrery.Loop
function loop.new(core)
  if not core then
    local err
    core, err = core_loop.new()
    if not core then error(err, 0) end
  end
  return setmetatable({
    core = core, queue = { first = 1, last = 0 }, waiters = {}, early = {}, handlers = {},
    outputs = {}, children = {}, spare = {}, idlers = {}, alive = 0, expected = 0,
    jobs = { count = 0, last = 0, by_pool = {}, by_job = {}, backlog = {} },
  }, Loop)
end

--- Makes a task; it begins at the loop's next turn: loop:task(name, fn, ...).
Loop.task = tasks.new

--- Seconds on this loop's clock.
---@return number
function Loop:now()
  local core = self.core
  return core.now and core:now() or sys.mono()
end

local function dispatch(self, e)
  local id = e.id
  if e.kind == "output" then
    local sink = self.outputs[id]
    if sink then sink(e.stream, e.data) end
    return
  end
  if e.kind == "exit" then self.children[id], self.outputs[id] = nil, nil end
  local task = self.waiters[id]
  if task then
    self.waiters[id] = nil
    if task.timer == id then
      task.timer = nil
      task:wake(nil, "timeout")
    else
      task:wake(e)
    end
  elseif self.handlers[id] then
    self.handlers[id](e)
  elseif e.kind == "exit" or e.kind == "job" then
    self.early[id] = e
  end
end

--- Delivers an event that did not come from the core: a worker's result.
---@param e core.Event
function Loop:deliver(e)
  dispatch(self, e)
end

local function settle(self)
  repeat
    tasks.run_ready(self)
    local more = false
    for i = 1, #self.idlers do
      if self.idlers[i]() then
        more = true
        break
      end
    end
  until not more and self.queue.last == 0
end

--- Is there anything whose event could still wake a task?
---@return boolean
function Loop:expects()
  return next(self.waiters) ~= nil or next(self.children) ~= nil or self.jobs.count > 0
    or self.expected > 0
end

--- One turn: runs what is ready, then waits for events and hands them out.
---@param timeout? number
---@return boolean false when the wait ended without an event
function Loop:step(timeout)
  settle(self)
  local events = self.core:wait(timeout)
  for i = 1, #events do dispatch(self, events[i]) end
  tasks.run_ready(self)
  return #events > 0
end

--- Drives the loop until the task is done; returns its value or raises its error.
---@param task orrery.Task
---@return any
function Loop:run(task)
  local empty = 0
  while not task.done do
    settle(self)
    if task.done then break end
    if empty > EMPTY or not self:expects() then
      errors.raise("internal", ("task '%s' waits for nothing that could happen")
        :format(task.name))
    end
    local events = self.core:wait()
    for i = 1, #events do dispatch(self, events[i]) end
    empty = #events == 0 and empty + 1 or 0
  end
  if not task.ok then error(task.value, 0) end
  return task.value
end

--- Runs fn() whenever nothing is ready; true says that it made something ready.
---@param fn fun(): boolean?
function Loop:on_idle(fn) self.idlers[#self.idlers + 1] = fn end

--- Forgets all but the first n of them, for who uses the loop of another.
---@param n integer
function Loop:keep_idle(n) table.move({}, 1, #self.idlers - n, n + 1, self.idlers) end

--- Calls fn(event) at each event of an id nobody awaits: a system signal, a watch.
---@param id integer
---@param fn? fun(e: core.Event)
function Loop:on(id, fn)
  self.handlers[id] = fn
end

--- Calls fn(event) once, and keeps the loop waiting for it: a timer of a scheduler.
---@param id integer
---@param fn fun(e: core.Event)
function Loop:expect(id, fn)
  self.expected = self.expected + 1
  self.handlers[id] = function(e)
    self.handlers[id] = nil
    self.expected = self.expected - 1
    fn(e)
  end
end

--- Calls fn(event) at each system signal of that name.
---@param name "INT"|"TERM"|"HUP"|"WINCH"|"TSTP"
---@param fn fun(e: core.Event)
function Loop:on_signal(name, fn)
  local id, err = self.core:signal(name)
  if not id then error(err, 0) end
  self.handlers[id] = fn
  return id
end

--- Live chunks of a child's output.
---@param id integer
---@param fn fun(stream: integer, data: string)
function Loop:on_output(id, fn)
  self.outputs[id] = fn
end

--- Kills every child of loop.child at once, also those still to come.
function Loop:kill_children()
  self.killing = true
  for _, child in pairs(self.children) do child:kill({ signal = "KILL", grace = 0 }) end
end

--- The pool of this loop, jobs on it, and their end: see kernel.workers.
---@return core.Pool
function Loop:workers(n) return workers.open(self, n) end
function Loop:submit(f, args, opts) return workers.submit(self, f, args, opts) end
function Loop:cancel_job(job) workers.cancel(self, job) end

--- Closes the pool and the core loop. Idempotent.
function Loop:close()
  if self.closed then return end
  self.closed = true
  if self.pool then workers.close(self) end
  self.core:close()
end

Loop.__close = Loop.close

return loop
