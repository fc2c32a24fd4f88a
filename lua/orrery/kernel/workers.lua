-- Lua functions on other threads: the loop's side of core.pool. A job has an id of
-- its own (negative, so that it never meets the id of a core event) and may be
-- awaited like any other; what the pool cannot queue yet waits here.
local errors = require("orrery.kernel.errors")
local func = require("orrery.core.func")
local pack = require("orrery.core.pack")
local pool = require("orrery.core.pool")
local sys = require("orrery.core.sys")

local workers = {}

-- The id of the pool's wake-up; core.loop gives out ids from 1.
local WAKE = 0

local function unpacked(bytes)
  if not bytes or bytes == "" then return nil end
  local value, err = pack.decode(bytes)
  if err then error(err, 0) end
  return value
end

local function packed(value, name)
  local bytes, err = pack.encode(value, name)
  if not bytes then error(err, 0) end
  return bytes
end

local function try_submit(self, job, code, args, config)
  local jobs = self.jobs
  if jobs.config ~= config then
    local done, why = self.pool:configure(config)
    if not done then error(why, 0) end
    jobs.config = config
  end
  local id, err = self.pool:submit(code, args)
  if id then
    jobs.by_pool[id], jobs.by_job[job] = job, id
    return true
  end
  if err.code ~= "EBUSY" then error(err, 0) end
  return false
end

local function drain_backlog(self)
  local backlog = self.jobs.backlog
  local n = 0
  for i = 1, #backlog do
    local b = backlog[i]
    if not try_submit(self, b.job, b.code, b.args, b.config) then break end
    n = i
  end
  if n > 0 then
    table.move(backlog, n + 1, #backlog + n, 1)
  end
end

local function deliver(self, job, ok, value, facts)
  self.jobs.count = self.jobs.count - 1
  local e = { id = job, kind = "job", ok = ok, facts = unpacked(facts) }
  if ok then e.value = unpacked(value) else e.error = unpacked(value) end
  self:deliver(e)
end

local function take_all(self)
  local jobs = self.jobs
  while true do
    local id, ok, value, facts = self.pool:take()
    if not id then break end
    local job = jobs.by_pool[id]
    if job then
      jobs.by_pool[id], jobs.by_job[job] = nil, nil
      deliver(self, job, ok, value, facts)
    end
  end
  drain_backlog(self)
end

--- The loop's pool, opened on first need.
---@param n? integer threads; default: processors
---@return core.Pool
function workers.open(self, n)
  if not self.pool then
    local p, err = pool.open({ threads = n or sys.cpus(), loop = self.core, id = WAKE })
    if not p then error(err, 0) end
    self.pool = p
    self:on(WAKE, function() take_all(self) end)
  end
  return self.pool
end

-- What a job's worker is told; the same text for the same options. Modules are another table
-- each time; the rest is mostly what it was.
local function config_of(jobs, opts)
  if not (opts.root or opts.cwd or opts.path or opts.modules) then return jobs.config end
  local told = jobs.told
  if told and not opts.modules and told.root == opts.root and told.cwd == opts.cwd
    and told.path == opts.path then return told.text end
  local text = packed({ root = opts.root, cwd = opts.cwd, path = opts.path,
    modules = opts.modules }, "options")
  jobs.told = not opts.modules and { root = opts.root, cwd = opts.cwd, path = opts.path,
    text = text } or nil
  return text
end

local NO_INFO = { info = false }

--- Hands a function to a worker. Its event is { ok, value, error, facts }.
---@param f function travels with its upvalues, as they are now
---@param args any[] plain values
---@param opts? orrery.JobOptions
---@return integer job id to await
function workers.submit(self, f, args, opts)
  workers.open(self)
  local jobs = self.jobs
  local code, err = func.dump(f, opts and opts.dump or NO_INFO)
  if not code then error(err, 0) end
  local bytes = packed(args, "args")
  local config = opts and config_of(jobs, opts) or jobs.config
  jobs.last, jobs.count = jobs.last - 1, jobs.count + 1
  local job = jobs.last
  if #jobs.backlog > 0 or not try_submit(self, job, code, bytes, config) then
    jobs.backlog[#jobs.backlog + 1] = { job = job, code = code, args = bytes, config = config }
  end
  return job
end

--- Ends a job, even an endless loop; its event has error.code "ECANCELLED".
---@param job integer
function workers.cancel(self, job)
  local jobs = self.jobs
  if jobs.by_job[job] then
    self.pool:cancel(jobs.by_job[job])
    return
  end
  for i, b in ipairs(jobs.backlog) do
    if b.job == job then
      table.remove(jobs.backlog, i)
      jobs.count = jobs.count - 1
      self:deliver({ id = job, kind = "job", ok = false,
        error = errors.new("ECANCELLED", "cancelled before it began") })
      return
    end
  end
end

--- Closes the pool, if one was opened; what runs on it is ended.
---@param self orrery.Loop
function workers.close(self)
  if self.pool then self.pool:close() end
  self.pool = nil
end

return workers
