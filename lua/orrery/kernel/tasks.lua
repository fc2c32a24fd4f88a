-- Tasks: coroutines that a loop carries from wait to wait. The only file that resumes or
-- yields; others call loop.await.
--
--   ready queue --resume--> task --await(id | signal)--> waiters --event--> ready queue
--
-- Coroutines are kept and given the next task, for a task is a step and there are
-- many. A task that is cancelled has its error raised at its await and at every
-- later one, so that a pcall in user code cannot swallow it; tasks.shielded lets
-- clean-up wait all the same.
--
-- Of its loop a task uses `queue` (ready tasks), `spare` (idle coroutines), `waiters` (tasks
-- by event id), `early` (events that came before their await), `alive` and `core`.
local errors = require("orrery.kernel.errors")
local lazy = require("orrery.kernel.lazy")
local misplaced = lazy("orrery.kernel.misplaced")
local raised = lazy("orrery.kernel.raised")
local signal = require("orrery.kernel.signal")

local tasks = {}
local Task = { __name = "orrery.task" }
Task.__index = Task

-- What every task begins with; kept here, for there are many.
Task.shield, Task.raised, Task.done = 0, 0, false

-- First value of every yield of ours: a user's own yield in a task lacks it.
local OURS = {}
-- How often a cancelled task may run into its error before it is forced to end.
local PATIENCE = 100

-- Which task a coroutine carries now; the one table that await must find without
-- being handed a loop.
local carried = setmetatable({}, { __mode = "k" })

---------------------------------------------------------------------------
-- carrying

local function with_traceback(err)
  if type(err) ~= "string" and not errors.is(err) then err = raised.explained(err) end
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

--- Resumes every ready task, also those that become ready meanwhile.
---@param self orrery.Loop
---@return boolean did any run?
function tasks.run_ready(self)
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

--- Makes a task of a loop; it begins at the loop's next turn.
---@param self orrery.Loop
---@param name string
---@param fn function
---@return orrery.Task
function tasks.new(self, name, fn, a, b, ...)
  -- With every field that tasks get, so that the table is made in its final size.
  local task = setmetatable({ name = name, loop = self, fn = fn, a = a, b = b, state = nil,
    co = nil, node = nil, on_end = nil, awaits = nil, incoming = nil, done = nil, ok = nil,
    value = nil, ended = nil, timer = nil }, Task)
  if select("#", ...) > 0 then task.more = table.pack(...) end
  self.alive = self.alive + 1
  enqueue(self, task)
  return task
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

--- The running task; raises, naming `what`, where none can wait.
---@param what string the public name of what is being called: "w:run"
---@return orrery.Task
function tasks.current(what)
  local task = carried[coroutine.running()]
  if not task or not coroutine.isyieldable() then misplaced.raise(what, task ~= nil) end
  return task
end

local current = tasks.current

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
--- local exit = tasks.await(child.id, 30)
---@param what integer|orrery.Signal
---@param timeout? number seconds; then nil, "timeout"
---@return any the event, or the signal's value
---@return "timeout"?
function tasks.await(what, timeout)
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

--- Waits for its end (inside another task).
---@return boolean ok
---@return any value or error
function Task:wait()
  if not self.done then
    self.ended = self.ended or signal.new()
    tasks.await(self.ended)
  end
  return self.ok, self.value
end

--- Suspends the running task until Task:wake. For schedulers; cheaper than a signal.
---@return any what wake was given
function tasks.park()
  local task = current("wait")
  task:check()
  local value = suspend(task)
  task:check()
  return value
end

--- Lets others run, then goes on.
function tasks.pause()
  local task = current("pause")
  enqueue(task.loop, task)
  coroutine.yield(OURS)
end

--- Suspends the running task for some seconds.
---@param seconds number
function tasks.sleep(seconds)
  local task = current("sleep")
  local id = task.loop.core:timer(seconds)
  local ok, err = pcall(tasks.await, id)
  if ok then return end
  task.loop.core:forget(id)
  error(err, 0)
end

--- Calls fn so that a cancellation is not raised at its awaits: for clean-up that has
--- to wait, such as for a killed child's end. The cancellation stays in force after.
---@param fn function
---@return any its first value
function tasks.shielded(fn, ...)
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
function tasks.try(fn, ...)
  local ok, value = xpcall(fn, with_traceback, ...)
  local task = carried[coroutine.running()]
  if not ok and task and task.cancelled and task.shield == 0 then error(value, 0) end
  return ok, value
end

return tasks
