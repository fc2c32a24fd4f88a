-- What would happen to one step now: its key is looked up, nothing runs. For plan, explain.
local artifacts = require("orrery.run.keys.artifacts")
local cacheable = require("orrery.run.keys.cacheable")
local conditions = require("orrery.run.conditions")
local context = require("orrery.run.graph.context")
local fs = require("orrery.core.fs")
local inputs = require("orrery.run.keys.inputs")
local jobs = require("orrery.run.keys.job")
local last = require("orrery.run.memo.last")
local memo = require("orrery.run.memo")
local outcome = require("orrery.run.memo.outcome")
local why = require("orrery.run.memo.why")

local probe = {}

---@class orrery.Probe
---@field verdict "run"|"hit"|"skip"
---@field reasons? orrery.Reason[]  run: why
---@field record? table             hit: what it would be
---@field full? string              hit: its key
---@field clean? boolean            hit: in place already
---@field job? table
---@field touches? table<string, "file"|"disk">  ids of steps whose doings it looks at, needed
---  or not; "*" is any

---------------------------------------------------------------------------
-- what a step looks at beyond what it needs

-- A file as such is known to a plan also when it is yet to be restored ("file"), what else
-- the disk would show is not ("disk").
local function owned(run, touches, path, how)
  local id = path and path ~= "" and inputs.owner(run, path)
  if id and touches[id] ~= "disk" then touches[id] = how end
end

local function of_condition(touches, when)
  if type(when) == "function" or type(when) == "string"
    and (when:find("exists%s*%(") or when:find("changed%s*%(")) then
    touches["*"] = "disk"
  end
end

local function of_sets(run, touches, step, job)
  if not job.base or not jobs.dynamic(step) then return end
  for _, set in ipairs(memo.sets(run, job.base)) do
    for _, path in ipairs(set.files or {}) do owned(run, touches, path, "file") end
    if set.looks and #set.looks > 0 then touches["*"] = "disk" end
  end
end

local function of_job(run, touches, step, job)
  for _, path in ipairs(job.files) do owned(run, touches, path, "file") end
  local m = job.manifest or {}
  for name in pairs(m.tools or {}) do
    if name:find("/", 1, true) then
      local full = fs.normal(fs.at(job.cwd, name))
      if full:sub(1, #run.root + 1) == run.root .. "/" then
        owned(run, touches, full:sub(#run.root + 2), "disk")
      end
    end
  end
  if type(step.returns) == "string" then owned(run, touches, step.returns, "disk") end
  for _, schema in pairs(step.gate and step.gate.schema or {}) do
    if type(schema) == "string" then owned(run, touches, schema, "disk") end
  end
end

local function touches_of(run, step, job)
  local touches = {}
  of_condition(touches, step.when)
  if job then
    of_job(run, touches, step, job)
    of_sets(run, touches, step, job)
  end
  touches[step.id] = nil
  return touches
end

---------------------------------------------------------------------------

-- A record that could be used, or why not.
local function usable(run, step, job)
  local record, full = memo.find(run, step, job.base, jobs.dynamic(step))
  if not record or (record.root and record.root ~= run.root) then return nil end
  local gone = memo.lost(run, step, record)
  if gone then
    job.lost = gone .. " is no longer in the cache"
    return nil
  end
  return record, full
end

local function found(run, step, job)
  local record, full
  if job.pure and not job.forced and (cacheable.mode(run)) then
    record, full = usable(run, step, job)
  end
  if record then
    return { verdict = "hit", record = record, full = full, job = job,
      clean = memo.clean(run, step, record) }
  end
  return { verdict = "run", reasons = why.of(run, step, job), job = job }
end

--- What is known of a step before it runs, with its key.
---@param run orrery.Run
---@param step orrery.Step
---@return table job
function probe.job(run, step)
  local job = jobs.prepare(run, step, 1, {})
  jobs.key(run, step, job)
  return job
end

--- What would happen to a step now.
---@param run orrery.Run
---@param step orrery.Step
---@return orrery.Probe
function probe.step(run, step)
  if not conditions.pass(run, step, context.new(run, step)) then
    return { verdict = "skip", reasons = { { kind = "when", text = "its condition is false" } },
      touches = touches_of(run, step) }
  end
  local job = probe.job(run, step)
  local p = found(run, step, job)
  p.touches = touches_of(run, step, job)
  return p
end

-- Files of the last time that taking the record would remove: a glob after it would no longer
-- see them.
local function leaves_behind(run, step, record)
  local now = {}
  for _, o in ipairs(record.outputs) do now[o.path] = true end
  local before = last.get(run, step)
  for _, o in ipairs(before and before.outputs or {}) do
    if not now[o.path] and fs.lstat(run.root .. "/" .. o.path) then return true end
  end
  return false
end

--- Takes a hit for done: its result, and its outputs as if they were in place.
---@param run orrery.Run
---@param step orrery.Step
---@param p orrery.Probe
---@return boolean exact false: what it leaves is known only when it has been restored
function probe.take(run, step, p)
  local record, job = p.record, p.job
  local result = outcome.result(step, job, { value = record.value, exit = record.exit,
    stdout = memo.text(run, record, "stdout"), stderr = memo.text(run, record, "stderr"),
    outputs = outcome.paths(step, record.outputs, job), cached = p.clean and "clean" or "hit",
    digest = record.digest, seconds = 0 })
  result.id = step.id
  run.results[step.id] = result
  local before = last.get(run, step)
  why.moved(run, step, before and before.full, p.full)
  local exact = p.clean or artifacts.promise(run, record)
  return exact and not leaves_behind(run, step, record)
end

return probe
