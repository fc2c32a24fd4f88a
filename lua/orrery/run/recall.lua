-- What the run that is being resumed finished: found by key and occurrence, with its files in
-- place. So no finished call is made again, also one that is never remembered across runs.
local lazy = require("orrery.kernel.lazy")
local approval = lazy("orrery.run.gates.approval")
local artifacts = require("orrery.run.keys.artifacts")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local jobs = require("orrery.run.keys.job")
local key = require("orrery.run.keys.key")
local outcome = require("orrery.run.memo.outcome")
local recorded = lazy("orrery.run.keys.recorded")
local still = require("orrery.run.keys.still")

local recall = {}

-- Never taken over as a whole: their inner steps are.
local OUTER = { workflow = true, body = true, service = true }

-- These answer to how this run goes, not to how the resumed one went.
local function cleans_up(step)
  return step.final or step.status_word
end

local function is_there(run, path, o)
  local full = run.root .. "/" .. path
  local d = run.index:digest(full)
  if o.link then return d == hash.sha256("link:" .. o.link) end
  return d ~= nil and d == o.digest
end

-- Where the bytes of an output may be got from: the earlier run's own directory, what was
-- imported with it, the cache.
local function bring(run, past, o, path)
  local full = run.root .. "/" .. path
  if o.link then
    fs.remove(full)
    return fs.symlink(o.link, full)
  end
  for _, from in ipairs({ run.root .. "/" .. o.path, past.dir .. "/files/" .. o.digest }) do
    if hash.file(from) == o.digest then
      return fs.copy(from, full) and (not o.mode or fs.chmod(full, o.mode))
    end
  end
  return run.store and run.store:has_blob(o.digest)
    and run.store:restore(o.digest, run.root, path, o.mode or 420)
end

--- Puts the files of a past result in place; they may have been in another run's directory.
---@param run orrery.Run
---@param past orrery.Result from journal.result, with facts, dir and run
---@return table[]? facts as they are in this run; nil: one of them is lost
function recall.put_back(run, past)
  local out = {}
  for i, o in ipairs(past.facts or {}) do
    local path = artifacts.here(run.id, artifacts.anywhere({ id = past.run }, o.path))
    if not is_there(run, path, o) then
      if not o.digest and not o.link then return nil end
      if not fs.safe_parent(run.root, path) or not bring(run, past, o, path) then return nil end
      run.index:forget(run.root .. "/" .. path)
      still.over(run)
      if not is_there(run, path, o) then return nil end
    end
    out[i] = { path = path, digest = o.digest, mode = o.mode, link = o.link }
  end
  return out
end

-- Of a call that read more than its key says: is all of it as it was? What the memo keeps
-- is found there.
local function reads_the_same(run, step, job, past)
  if not (job.pure and jobs.dynamic(step)) then return true end
  return past.set_key ~= nil
    and key.full(job.base, recorded.facts(run, step, past.set or {})) == past.set_key
end

local function finish(run, step, job, came)
  local result = outcome.result(step, job, { value = came.value, exit = came.exit,
    stdout = came.stdout, stderr = came.stderr, cached = "resumed", error = came.error,
    saved_usage = came.usage, status = came.error and "failed" or "ok",
    outputs = outcome.paths(step, came.facts, job),
    digest = came.digest or outcome.digest(run, step, came.facts, came.value, job.base),
    seconds = 0 })
  if came.error then
    came.error.place, result.cached = came.error.place or step.place, nil
  else
    outcome.register(run, step, came.facts)
  end
  return outcome.finish(run, step, job, result, came)
end

--- What the resumed run finished under the same key and occurrence, or made and asked about.
--- Raises code "waiting" when the question is still open.
---@param run orrery.Run
---@param step orrery.Step
---@param job table
---@return orrery.Result? nil: it has to run
function recall.find(run, step, job)
  local calls = run.calls
  if not calls or OUTER[step.kind] then return nil end
  job.occurrence = calls:enter(job.base)
  if not calls.any and not calls.questions then return nil end
  if job.forced or cleans_up(step) then return nil end
  local past = calls:recall(job.base, job.occurrence)
  if past and reads_the_same(run, step, job, past) then
    local facts = recall.put_back(run, past)
    if facts then
      return finish(run, step, job, { value = past.value, exit = past.exit, facts = facts,
        stdout = past.stdout, stderr = past.stderr, digest = past.digest,
        usage = past.usage or past.saved_usage })
    end
  end
  local came = approval.before(run, step, job, function(old) return recall.put_back(run, old) end)
  return came and finish(run, step, job, came)
end

return recall
