-- Tasks: coroutines over the one blocking wait of core.loop. The only file that
-- resumes or yields; others call loop.await.
--
--   ready queue --resume--> task --await(id | signal)--> waiters --event--> ready queue
--
-- When the ready queue is empty the idlers run (admission, then the journal's
-- flush); only when none of them makes work does the loop block.
--
-- Coroutines are kept and given the next task, for a task is a step and there are
-- many. A task that is cancelled has its error raised at its await and at every
-- later one, so that a pcall in user code cannot swallow it; loop.shielded lets
-- clean-up wait all the same.
local core_loop = require("orrery.core.loop")
local errors = require("orrery.kernel.errors")
local lazy = require("orrery.kernel.lazy")
local misplaced = lazy("orrery.kernel.misplaced")
local signal = require("orrery.kernel.signal")
local started = require("orrery.kernel.started")
local sys = require("orrery.core.sys")
local workers = lazy("orrery.kernel.workers")

local loop = {}
local Loop, Task = {}, {}
Loop.__index, Task.__index = Loop, Task
Task.__name, Loop.__name = "orrery.task", "orrery.loop"

--- A signal: set once, many may wait for it.
loop.signal = signal.new

-- What every task begins with; kept here, for there are many.
Task.shield, Task.raised, Task.done = 0, 0, false

-- First value of every yield of ours: a user's own yield in a task lacks it.
local OURS = {}
-- How often a cancelled task may run into its error before it is forced to end.
local PATIENCE = 100
-- How often the core may come back with nothing before it has nothing to wait for.
local EMPTY = 100

-- Which task a coroutine carries now; the one table that await must find without
-- being handed a loop.
local carried = setmetatable({}, { __mode = "k" })

---------------------------------------------------------------------------
-- tasks

local function with_traceback(err)
  if type(err) ~= "table" then
    return errors.new("raised", tostring(err), { traceback = debug.traceback(nil, 2) })
  end
  if errors.is(err) and rawget(err, "traceback") == nil and err.code ~= "cancelled" then
    err.traceback = debug.traceback(nil, 2)
  end
  return err
end

-- What every coroutine of ours runs: one task after another.
local function carry(task)
  while true do
    local ok, value
    if task.more then
      ok, value = xpcall(task.fn, with_traceback, task.a, task.b,
        table.unpack(task.more, 1, task.more.n))
    else
      ok, value = xpcall(task.fn, with_traceback, task.a, task.b)
    end
    task = coroutine.yield(OURS, ok, value)
  end
end

local function finish(self, task, ok, value)
  task.state, task.done, task.ok, task.value = "done", true, ok, value
  task.fn, task.a, task.b, task.more = nil, nil, nil, nil
  if task.on_end then task:on_end() end
  if task.ended then task.ended:set(true) end
  self.alive = self.alive - 1
end

local function retire(self, task, ok, value)
  local co = task.co
  carried[co], task.co = nil, nil
  if not task.forced and #self.spare < 64 then self.spare[#self.spare + 1] = co end
  finish(self, task, ok, value)
end

local function resume(self, task)
  local co = task.co
  if not co then
    if task.cancelled then return finish(self, task, false, task.cancelled) end
    co = table.remove(self.spare) or coroutine.create(carry)
    task.co, carried[co] = co, task
  end
  task.state = "running"
  local alive, ours, ok, value = coroutine.resume(co, task)
  if not alive then
    carried[co], task.co = nil, nil
    coroutine.close(co)
    finish(self, task, false, with_traceback(ours))
  elseif ours ~= OURS then
    carried[co], task.co = nil, nil
    coroutine.close(co)
    finish(self, task, false, errors.new("misplaced",
      "coroutine.yield in a task; yield only inside a coroutine of your own"))
  elseif ok ~= nil then
    retire(self, task, ok, value)
  end
end

local function enqueue(self, task)
  task.state = "ready"
  local q = self.queue
  q.last = q.last + 1
  q[q.last] = task
end

local function run_ready(self)
  local q, ran = self.queue, false
  while q.first <= q.last do
    local task = q[q.first]
    q[q.first] = nil
    q.first = q.first + 1
    ran = true
    if task.state == "ready" then resume(self, task) end
  end
  q.first, q.last = 1, 0
  return ran
end

--- Wakes a task that parked or awaits something; `value` is what its wait returns.
---@param value any
---@param more any a second value
function Task:wake(value, more)
  if self.state ~= "waiting" then return end
  self.incoming, self.incoming2 = value, more
  enqueue(self.loop, self)
end

--- Raises `err` at the task's await, and at each later one outside loop.shielded.
--- A task that has not begun never does.
---@param err? any default: code "cancelled"
function Task:cancel(err)
  if self.done or self.cancelled then return end
  self.cancelled = err or errors.new("cancelled", "cancelled")
  if self.shield == 0 then self:wake() end
end

--- Waits for its end (inside another task).
---@return boolean ok
---@return any value or error
function Task:wait()
  if not self.done then
    self.ended = self.ended or loop.signal()
    loop.await(self.ended)
  end
  return self.ok, self.value
end

---------------------------------------------------------------------------
-- waiting

local function force(task)
  task.forced = true
  debug.sethook(task.co, function() error(task.cancelled, 0) end, "", 1)
end

local function raise_cancelled(task)
  task.raised = task.raised + 1
  if task.raised > PATIENCE and not task.forced then force(task) end
  error(task.cancelled, 0)
end

--- Raises the task's cancellation, if there is one and nothing shields from it.
function Task:check()
  if self.cancelled and self.shield == 0 then raise_cancelled(self) end
end

local function current(what)
  local task = carried[coroutine.running()]
  if not task or not coroutine.isyieldable() then misplaced.raise(what, task ~= nil) end
  return task
end

local function suspend(task)
  task.state = "waiting"
  coroutine.yield(OURS)
  local value, more = task.incoming, task.incoming2
  task.incoming, task.incoming2 = nil, nil
  return value, more
end

-- Takes the task off whatever it waited for.
local function disarm(task, id)
  local waiters = task.loop.waiters
  if id and waiters[id] == task then waiters[id] = nil end
  if task.timer then
    waiters[task.timer] = nil
    task.loop.core:forget(task.timer)
    task.timer = nil
  end
  task.awaits = nil
end

--- Suspends the running task until the core event `what` (a child, timer, pool job)
--- or the signal happens. Only inside a task's own coroutine.
--- local exit = loop.await(child.id, 30)
---@param what integer|orrery.Signal
---@param timeout? number seconds; then nil, "timeout"
---@return any the event, or the signal's value
---@return "timeout"?
function loop.await(what, timeout)
  local task = current("await")
  local self = task.loop
  task:check()
  local id
  if type(what) == "table" then
    if what.ready then return what.value end
    what[#what + 1] = task
  else
    id = what
    local early = self.early[id]
    if early then
      self.early[id] = nil
      return early
    end
    self.waiters[id] = task
  end
  task.awaits = what
  if timeout then
    task.timer = self.core:timer(timeout)
    self.waiters[task.timer] = task
  end
  local value, more = suspend(task)
  disarm(task, id)
  task:check()
  return value, more
end

--- Suspends the running task until Task:wake. For schedulers; cheaper than a signal.
---@return any what wake was given
function loop.park()
  local task = current("wait")
  task:check()
  local value = suspend(task)
  task:check()
  return value
end

--- Lets others run, then goes on.
function loop.pause()
  local task = current("pause")
  enqueue(task.loop, task)
  coroutine.yield(OURS)
end

--- Suspends the running task for some seconds.
---@param seconds number
function loop.sleep(seconds)
  local task = current("sleep")
  local id = task.loop.core:timer(seconds)
  local ok, err = pcall(loop.await, id)
  if ok then return end
  task.loop.core:forget(id)
  error(err, 0)
end

--- Calls fn so that a cancellation is not raised at its awaits: for clean-up that has
--- to wait, such as for a killed child's end. The cancellation stays in force after.
---@param fn function
---@return any its first value
function loop.shielded(fn, ...)
  local task = current("shielded")
  task.shield = task.shield + 1
  local ok, value = pcall(fn, ...)
  task.shield = task.shield - 1
  if not ok then error(value, 0) end
  return value
end

--- Calls fn; an error becomes a value with a traceback. A cancellation is raised on.
---@param fn function
---@return boolean ok
---@return any value or error
function loop.try(fn, ...)
  local ok, value = xpcall(fn, with_traceback, ...)
  local task = carried[coroutine.running()]
  if not ok and task and task.cancelled and task.shield == 0 then error(value, 0) end
  return ok, value
end

--- The running task; raises, naming `what`, where none can wait.
---@param what string the public name of what is being called: "w:run"
---@return orrery.Task
function loop.current(what)
  return current(what)
end

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

---------------------------------------------------------------------------
-- the loop

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

--- Makes a task; it begins at the loop's next turn.
---@param name string
---@param fn function
---@return orrery.Task
function Loop:task(name, fn, a, b, ...)
  -- With every field that tasks get, so that the table is made in its final size.
  local task = setmetatable({ name = name, loop = self, fn = fn, a = a, b = b, state = nil,
    co = nil, node = nil, on_end = nil, awaits = nil, incoming = nil, done = nil, ok = nil,
    value = nil, ended = nil, timer = nil }, Task)
  if select("#", ...) > 0 then task.more = table.pack(...) end
  self.alive = self.alive + 1
  enqueue(self, task)
  return task
end

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
    run_ready(self)
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
  run_ready(self)
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

function Loop:workers(n) return workers.open(self, n) end -- see kernel.workers
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
