-- The services of a run: who uses which, when they start and when they end.
--
--   offered --a user really runs--> starting --ready--> up --last user over--> over
--      \--all users were hits--> over (it never started)     \--dies--> over, failed
--
-- In the graph a service step ends at once, with its key for a result; that lets what needs it
-- be looked up. A step that must really run borrows its services first: the first borrower
-- starts them, all wait until they are ready. Until then, and in every key, a port is the text
-- "{{services.ID.port}}"; the borrower puts in the number. services.service is one service's life.
local errors = require("orrery.kernel.errors")
local lazy = require("orrery.kernel.lazy")
local fill = lazy("orrery.run.services.fill")
local loop = require("orrery.kernel.loop")
local service = lazy("orrery.run.services.service")
local sorted = require("orrery.kernel.sorted")
local uses = require("orrery.run.graph.uses")

local services = {}

---------------------------------------------------------------------------
-- who uses which

-- Notes one use of a service by a unit of the graph, or by another service.
local function note(book, id, user)
  local users = book.users[id]
  if not users then
    users = {}
    book.users[id] = users
  end
  users[user] = true
end

--- Makes a run one that has services; also while it goes on, by a body.
---@param run orrery.Run
---@param sched orrery.Scheduler
---@return table book
function services.prepare(run, sched)
  if sched.book then return sched.book end
  sched.book = { uses = {}, users = {} }
  run.hosts = run.hosts or services.new(run.loop)
  local prefix = run.prefix
  run.services = setmetatable({}, { __index = function(_, id)
    return { port = fill.port_of(prefix .. id) }
  end })
  return sched.book
end

--- Notes who uses which service of a graph; nothing when there are none.
---@param sched orrery.Scheduler
function services.plan(sched)
  local run = sched.run
  local by_id = run.workflow.by_id
  if not by_id or not uses.any(run.workflow) then return end
  local book = services.prepare(run, sched)
  for _, node in ipairs(sched.order) do
    if node.kind ~= "group" then
      book.uses[node.id] = uses.of(node.unit, by_id)
      for _, id in ipairs(book.uses[node.id]) do note(book, id, node.id) end
    end
  end
end

--- What holds the services of a run; of several runs, for who gives it to them.
---@param l orrery.Loop
---@param opts? { keep?: boolean } keep: they stay up when a run is over
---@return orrery.Services
function services.new(l, opts)
  return { loop = l, keep = opts and opts.keep, by_id = {}, kept = {}, ports = {} }
end

-- The services behind an id: of a step that fanned out while running, its members'.
local function behind(run, id, out)
  local node = run.scheduler.nodes[id]
  if node and node.kind == "fan" then
    for _, m in ipairs(node.members or {}) do behind(run, m.id, out) end
    return
  end
  local s = run.hosts.by_id[run.prefix .. id]
  if s then out[#out + 1] = s end
end

-- The services a step uses: its own, those around it (a body's, an outer workflow's step's).
local function used(run, step)
  local out = {}
  local book = run.scheduler and run.scheduler.book
  local ids = book and (book.uses[step.id] or book.uses[step.member_of or ""])
  if book and not ids and step.fields then ids = uses.of(step, run.workflow.by_id) end
  for _, id in ipairs(ids or {}) do behind(run, id, out) end
  for _, list in ipairs({ run.lent or {}, step.lent or {} }) do
    for _, s in ipairs(list) do out[#out + 1] = s end
  end
  return out
end

-- Most runs have no services: one look.
local function none(run, step)
  local sched = run.scheduler
  return not (sched and sched.book) and not run.lent and not step.lent
end

--- What the key of a step takes from services it does not name in `needs`.
---@param run orrery.Run
---@param step orrery.Step
---@return table<string, string>?
function services.digests(run, step)
  if none(run, step) then return nil end
  local out, named = {}, {}
  for _, id in ipairs(step.needs) do named[run.prefix .. id] = true end
  for _, s in ipairs(used(run, step)) do
    if not named[s.id] then out[s.id] = s.job.base end
  end
  return next(out) and out or nil
end

---------------------------------------------------------------------------
-- its beginning

-- Somebody named this service alone: then it is up until the run is ended.
local function is_asked_for(run, step)
  if run.prefix ~= "" or not run.opts.targets then return false end
  local selection = require("orrery.run.graph.selection")
  for _, name in ipairs(run.opts.targets) do
    if step.id:find(selection.pattern(name)) or step.member_of == name then return true end
  end
  return false
end

-- It runs until it is told to end, in the task of its step.
local function run_alone(host, s)
  service.start(host, s)
  local ok, why = pcall(loop.await, s.gone)
  if ok then return s.result end
  service.stop(s)
  loop.shielded(loop.await, s.gone)
  error(why, 0)
end

-- Its users are over: it ends, or never begins.
local function release(host, s)
  if s.state == "offered" then
    service.unneeded(s)
  elseif not host.keep then
    service.stop(s)
  end
end

local function users_of(run, step)
  local users = run.scheduler.book and run.scheduler.book.users
  return users and (users[step.id] or users[step.member_of or ""]) or {}
end

-- When it is over, so is its use of others.
local function over(run, s)
  services.ended(run.scheduler, run.scheduler.nodes[s.step.id] or { id = s.step.id }, true)
  local node = run.scheduler.nodes[s.step.id]
  if node and not s.result.ok and node.result and not s.alone then
    run.scheduler:overturn(node)
  end
end

-- Waits until all are up; the first that does not come up.
local function all_up(host, list)
  for _, s in ipairs(list) do service.start(host, s) end
  for _, s in ipairs(list) do
    if not service.await(s) then return s end
  end
end

--- Takes a service step into the run: nothing is started yet. Its result is its key.
---@param run orrery.Run
---@param step orrery.Step
---@param job table with its key
---@return orrery.Result
function services.offer(run, step, job)
  local host = run.hosts
  local id = run.prefix .. step.id
  local s = service.adopt(host, id, job) or service.new(host, id)
  service.bind(s, run, step, job)
  s.bring_up = function()
    local list = used(run, step)
    return all_up(host, list), list
  end
  s.on_over = function() over(run, s) end
  host.by_id[id] = s
  if not step.held and next(users_of(run, step)) == nil then
    if is_asked_for(run, step) then
      s.alone = true
      return run_alone(host, s)
    end
    release(host, s)
  end
  return s.result
end

---------------------------------------------------------------------------
-- its use

--- For a plan: a service as if it had been offered.
---@param run orrery.Run
---@param step orrery.Step
---@param job table with its key
function services.expect(run, step, job)
  local id = run.prefix .. step.id
  run.hosts.by_id[id] = { id = id, job = job }
end

--- A service that was offered, by the id of its step.
---@param run orrery.Run
---@param id string
---@return orrery.Service?
function services.of(run, id)
  return run.hosts and run.hosts.by_id[run.prefix .. id]
end

--- A body needs a service no more: returns when it has ended.
---@param run orrery.Run
---@param s orrery.Service
function services.let_go(run, s)
  if s.state == "over" or s.run ~= run then return end
  release(run.hosts, s)
  if s.state ~= "up" or not run.hosts.keep then loop.await(s.gone) end
end

local Loan = {}
Loan.__index = Loan

function Loan:__close()
  for _, s in ipairs(self.list) do s.borrowers[self.name] = nil end
end

-- A step that cannot run because a service is not there.
function Loan:blocked(run, step)
  local s = self.bad
  local cause = s.cause or s.id
  if cause:sub(1, #run.prefix) == run.prefix then cause = cause:sub(#run.prefix + 1) end
  run.journal:emit({ ev = "step_skipped", id = step.id, why = "failed", cause = cause })
  return { ok = false, status = "skipped", why = "failed", cause = cause, outputs = {},
    seconds = 0, attempts = 0, error = { class = "service", message = ("service '%s' %s"):format(
      s.id, s.result.error and s.result.error.message or "is not there") } }
end

--- Names in a failure the services that were gone by then.
---@param result orrery.Result
function Loan:blame(result)
  if not result.error then return end
  for _, s in ipairs(self.list) do
    if s.state == "over" and s.result.status == "failed" then
      result.error.message = ("%s; service '%s' was gone by then: %s"):format(
        result.error.message, s.id, s.result.error.message)
    end
  end
end

-- Kinds whose inner steps borrow for themselves.
local CONTAINER = { workflow = true, body = true, approve = true }

--- Before a step really runs: its services are up when this returns, and their ports are in
--- the job. nil when it uses none. Close it when the step has run.
---@param run orrery.Run
---@param step orrery.Step
---@param job table
---@return orrery.Loan?
function services.borrow(run, step, job)
  if none(run, step) then return nil end
  local list = used(run, step)
  if CONTAINER[step.kind] then
    job.lent = #list > 0 and list or nil
    return nil
  end
  local loan = setmetatable({ list = list, name = run.prefix .. step.id }, Loan)
  loan.bad = all_up(run.hosts, list)
  if loan.bad then return loan end
  for _, s in ipairs(list) do s.borrowers[loan.name] = true end
  fill.job(job, list, run.prefix)
  local missing = fill.missing(job)
  if missing then
    errors.raise("service", ("it reads the port of service '%s', which is not up; was it skipped "
      .. "by its condition?"):format(missing), { class = "service" })
  end
  return loan
end

---------------------------------------------------------------------------
-- its end

--- A unit of the graph is over: services that nobody else uses end. A service step counts
--- when it is really over (`really`), or never was offered.
---@param sched orrery.Scheduler
---@param node table
---@param really? boolean
function services.ended(sched, node, really)
  local book = sched.book
  local mine = book and book.uses[node.id]
  if not mine or #mine == 0 then return end
  local run = sched.run
  local s = run.hosts.by_id[run.prefix .. node.id]
  if s and not really and s.state ~= "over" then return end
  for _, id in ipairs(mine) do
    local users = book.users[id]
    users[node.id] = nil
    if next(users) == nil then
      local list = {}
      behind(run, id, list)
      for _, one in ipairs(list) do release(run.hosts, one) end
    end
  end
end

--- The run, or the nested workflow, is over: its services end, or are kept for the next run.
--- Returns when they have.
---@param run orrery.Run
function services.close(run)
  local host = run.hosts
  if not host or not (run.scheduler and run.scheduler.book) then return end
  local mine = {}
  for _, s in sorted.pairs(host.by_id) do
    if s.run == run then mine[#mine + 1] = s end
  end
  for _, s in ipairs(mine) do
    host.by_id[s.id] = nil
    if host.keep and (run.restarting or not run.interrupted) and s.state == "up" then
      service.keep(host, s)
    elseif s.state == "offered" then
      service.unneeded(s)
    else
      service.stop(s)
    end
  end
  for _, s in ipairs(mine) do
    if s.state ~= "kept" then loop.shielded(loop.await, s.gone) end
  end
end

--- Ends what earlier runs left up. In a task.
---@param host orrery.Services
---@param wf? orrery.Workflow those that are still part of it stay
function services.sweep(host, wf)
  for id, s in sorted.pairs(host.kept) do
    if not (wf and (wf.by_id[id] or wf.by_id[id:match("^[^/]*")])) then
      host.kept[id] = nil
      service.stop(s)
      loop.shielded(loop.await, s.gone)
    end
  end
  for _, s in sorted.pairs(not wf and host.leaving or {}) do loop.shielded(loop.await, s.gone) end
end

return services
