-- The life of one step instance, once the engine says it may start:
--
--   when → templates → inputs → manifest → key → hit: put back | miss: execute → collect
--   → gate → store → result
--
-- It suspends wherever it must wait, and says what happens to the journal.
local lazy = require("orrery.kernel.lazy")
local approval = lazy("orrery.run.gates.approval")
local attempts = require("orrery.run.attempt")
local cacheable = require("orrery.run.keys.cacheable")
local clear = require("orrery.run.memo.clear")
local conditions = lazy("orrery.run.conditions")
local context = require("orrery.run.graph.context")
local errors = require("orrery.kernel.errors")
local improve = lazy("orrery.run.improve")
local inputs = require("orrery.run.keys.inputs")
local jobs = require("orrery.run.keys.job")
local last = require("orrery.run.memo.last")
local locks = lazy("orrery.run.memo.locks")
local loop = require("orrery.kernel.loop")
local memo = lazy("orrery.run.memo")
local outcome = require("orrery.run.memo.outcome")
local raised = lazy("orrery.kernel.raised")
local recall = require("orrery.run.recall")
local remake = lazy("orrery.run.memo.remake")
local retry = lazy("orrery.run.graph.retry")
local services = require("orrery.run.services")
local sys = require("orrery.core.sys")
local temp = require("orrery.run.keys.temp")
local usage = require("orrery.run.records.usage")
local why = require("orrery.run.memo.why")

local exec = {}

-- What stays where it is when a record is put back.
local function kept_paths(job, record)
  local keep = {}
  for _, p in ipairs(job.files) do keep[p] = true end
  for _, o in ipairs(record.outputs) do keep[o.path] = true end
  return keep
end

-- Are the outputs of a record in place, and nothing of another result beside them?
local function is_clean(run, step, job, record, stays, stay)
  if not memo.clean(run, step, record) then return false end
  if stays or step.keep or not clear.has_room(run, job) then return true end
  stay:own()
  return not clear.stale(run, step, job, kept_paths(job, record))
end

-- Puts a record back; nil when it turned out not to be usable.
local function use_record(run, step, job, record, full, stay)
  if record.root and record.root ~= run.root then return nil end
  local t0 = sys.mono()
  local before = last.get(run, step)
  local stays = before and before.full == full and not before.failed
  local clean = is_clean(run, step, job, record, stays, stay)
  if not clean then
    stay:own()
    if not run.store then return nil end
    if not step.keep then clear.stale(run, step, job, kept_paths(job, record)) end
    local ok, lost = memo.restore(run, record)
    if not ok then
      job.lost = lost
      return nil
    end
  end
  local stdout, stderr = memo.text(run, record, "stdout"), memo.text(run, record, "stderr")
  if not stdout or not stderr then return nil end
  if not stays then
    local _, fact = run.store:get("memo", full)
    last.put(run, step, full, record.outputs, { expires = fact and fact.expires,
      edited = job.files })
  end
  why.moved(run, step, before and before.full, full)
  outcome.register(run, step, record.outputs)
  job.record, job.full = record, full
  local result = outcome.result(step, job, { value = record.value, exit = record.exit,
    stdout = stdout, stderr = stderr, outputs = outcome.paths(step, record.outputs, job),
    cached = clean and "clean" or "hit", saved_usage = record.usage,
    digest = record.digest, saved = record.seconds,
    full = (not clean or not stays) and full or nil, reason = why.made(run, record),
    seconds = outcome.seconds(sys.mono() - t0) })
  return outcome.finish(run, step, job, result, { facts = record.outputs })
end

local function lookup(run, step, job, stay)
  local may_read = cacheable.mode(run)
  if not job.pure or not may_read or job.forced then return nil end
  local record, full = memo.find(run, step, job.base, jobs.dynamic(step))
  return record and use_record(run, step, job, record, full, stay)
end

-- A failure before anything could be executed: a template, a condition, a function that
-- cannot travel.
local function failed_early(run, step, came, attempt)
  local err = { class = type(came) == "table" and came.class or "error",
    message = errors.text(came), hint = type(came) == "table" and came.hint or nil,
    place = step.place }
  local job = { attempt = attempt or 1 }
  local result = outcome.result(step, job, { status = "failed", error = err, outputs = {},
    seconds = 0 })
  return outcome.finish(run, step, job, result, {})
end

-- What the next attempt is told. That a service could not be reached is nothing to mend: then
-- it is told what this one was.
local function feedback_from(err, before)
  if err.keep_feedback then return before end
  return err.feedback or { err.message }
end

-- The kind may have someone else to ask, at once: once, for the step's tries are used up. That
-- it cannot be reached is no answer: then its executor's own retry counts.
local function other_one(run, step, job, came, turn)
  local other = job.kind.take_over and job.kind.take_over(run, step, came)
  if not other then return nil end
  turn.tries, turn.taken = 1, true
  return 0, ("%s; %s takes over"):format(came.error.message, other)
end

-- What could not even be tried is put off once; that counts as no try.
local function put_off(run, step, job, came, turn)
  local wait, text = other_one(run, step, job, came, turn)
  if wait then return wait, text end
  if turn.waited or not came.error.wait then return nil end
  turn.waited = true
  return came.error.retry_after, came.error.message
end

-- After a failure: the seconds to wait before the next try, or nil when there is none. The
-- kind may have someone else to ask when the tries are used up.
local function next_try(run, step, job, came, turn)
  local err = came.error
  if err.class == "circuit" then return put_off(run, step, job, came, turn) end
  local spec = job.prepared and job.prepared.retry
  if not turn.taken and step.retry then spec = step.retry end
  if retry.due(spec, turn.tries, came) then
    turn.tries = turn.tries + 1
    return retry.delay(spec, turn.tries - 1, run.random, err.retry_after), err.message
  end
  return other_one(run, step, job, came, turn)
end

local function warn_inputs(run, step, job)
  for _, g in ipairs(job.empty) do
    run.journal:emit({ ev = "message", level = "warning", place = step.place,
      text = ("%s%s: input '%s' matches no file"):format(run.prefix, step.id, g) })
  end
end

-- Declared files that are not there; what the step edits in place may come to be, and what it
-- calls optional need not.
local function warn_missing(run, step, job)
  local fine = {}
  for _, o in ipairs(job.outputs) do fine[o.path] = true end
  for _, one in ipairs(step.agent_io and step.agent_io.inputs or {}) do
    if one.optional and one.path then fine[one.path] = true end
  end
  for _, f in ipairs(job.manifest.inputs or {}) do
    if f[2] == false and not fine[f[1]] then
      run.journal:emit({ ev = "message", level = "warning", place = step.place,
        text = ("%s%s: input '%s' does not exist"):format(run.prefix, step.id, f[1]) })
    end
  end
end

-- A job for a step that has begun to stay. Nil and a lost step, when what it reads has to be
-- made again first.
local function job_of(run, step, attempt, feedback, stay)
  local job = jobs.prepare(run, step, attempt, feedback)
  local waited, lost = stay:claim(job)
  lost = lost or temp.lost(run, step)
  if lost then return nil, lost end
  if waited then
    job = jobs.prepare(run, step, attempt, feedback)
    stay.job, job.owned = job, stay.job.owned
  end
  if attempt == 1 then warn_inputs(run, step, job) end
  jobs.key(run, step, job)
  if run.watched and attempt == 1 then run.watched:step(run, step, job) end
  return job
end

-- Executes; a lost step instead, when a temporary input is gone for good.
local function execute(run, step, job, attempt)
  if attempt == 1 then warn_missing(run, step, job) end
  local loan <close> = services.borrow(run, step, job)
  if loan and loan.bad then return nil, loan:blocked(run, step) end
  local gone = temp.put_back(run, step, job.files)
  if gone then return inputs.owner(run, gone) end
  local result, came = attempts.run(run, step, job)
  if loan then loan:blame(result) end
  if run.watched and came.set then run.watched:found(run, step, came.set) end
  return nil, nil, result, came
end

-- One attempt, or what is remembered instead of the first. The outputs, then the key, are
-- locked meanwhile.
local function one_turn(run, step, attempt, feedback)
  local stay <close> = run.crowd:enter(run, step)
  local job, lost = job_of(run, step, attempt, feedback, stay)
  if lost then return lost end
  local hit = attempt == 1 and lookup(run, step, job, stay)
  if hit then return nil, job, hit end
  stay:own()
  -- Another process may be at the same key: wait for it, then look again.
  local _ <close> = job.pure and cacheable.mode(run) and not job.forced
    and locks.key(run, step, job.base) or nil
  hit = attempt == 1 and (lookup(run, step, job, stay) or recall.find(run, step, job))
  if hit then return nil, job, hit end
  local result, came
  lost, hit, result, came = execute(run, step, job, attempt)
  return lost, job, hit, result, came
end

-- One attempt. What it reads, and is no longer there, is made again before it.
local function one_try(run, step, attempt, feedback)
  for turn = 1, remake.MOST do
    local lost, job, hit, result, came = one_turn(run, step, attempt, feedback)
    if not lost then return job, hit, result, came end
    remake.step(run, step, lost, turn, one_try)
  end
end

-- A service is only taken in: who needs it starts it.
local function offer(run, step)
  local job = jobs.prepare(run, step, 1, {})
  jobs.key(run, step, job)
  if run.watched then run.watched:step(run, step, job) end
  return services.offer(run, step, job)
end

-- Until the next attempt. The place and the resources of the step are free meanwhile.
local function pause(run, step, seconds, attempt)
  local node = loop.current("retry").node
  if node and node.unit == step then return node.sched:pause(node, seconds, attempt) end
  if seconds > 0 then loop.await(run.loop.core:timer(seconds)) end
end

-- A failure that is final, unless the step wants a person to decide: again, or as it is.
local function last_word(run, step, job, result, came)
  if not (job.kind.escalates and job.kind.escalates(step, came.error)) then return nil end
  local word = approval.escalate(run, step, job, came)
  if word == "again" then return 0, "a person wants it tried again" end
  if word == "accepted" then return nil, nil, attempts.accept(run, step, job, result, came) end
  result.error = came.error
end

local function run_attempts(run, step)
  local feedback, attempt, turn = {}, 1, { tries = 1 }
  while true do
    local job, hit, result, came = one_try(run, step, attempt, feedback)
    if hit then return hit end
    turn.usage = usage.sum(turn.usage, result.usage)
    local used = result.usage
    result.usage = turn.usage
    local wait, text, taken
    if result.error then wait, text = next_try(run, step, job, came, turn) end
    if result.error and not wait then
      wait, text, taken = last_word(run, step, job, result, came)
      if taken then return outcome.finish(run, step, job, taken, came) end
    end
    if not wait then return outcome.finish(run, step, job, result, came) end
    run.journal:emit({ ev = "step_retry", id = step.id, attempt = attempt,
      class = result.error.class, message = text, delay = wait, usage = used })
    pause(run, step, wait, attempt + 1)
    if not improve.before_retry(run, step, result.error, attempt) then
      return outcome.finish(run, step, job, result, came)
    end
    feedback = feedback_from(result.error, feedback)
    attempt = attempt + 1
  end
end

local function explained(err) return raised.explained(err) end

--- Takes one step instance from "may start" to its result.
---@param run orrery.Run
---@param step orrery.Step also a member of a fan-out, with item or matrix
---@return orrery.Result
function exec.step(run, step)
  if step.when ~= nil then
    local ok, pass = xpcall(conditions.pass, explained, run, step, context.new(run, step))
    if not ok then return failed_early(run, step, pass) end
    if not pass then
      run.journal:emit({ ev = "step_skipped", id = step.id, why = "when" })
      return { ok = false, status = "skipped", outputs = {}, seconds = 0, attempts = 0 }
    end
  end
  local good, result = xpcall(step.kind == "service" and offer or run_attempts, explained, run,
    step)
  if good then
    if result.ok then temp.release(run, step) end
    return result
  end
  if type(result) == "table" and (result.code == "cancelled" or result.code == "ECANCELLED") then
    error(result, 0)
  end
  if approval.is_waiting(result) then return approval.waits(run, step, result) end
  return failed_early(run, step, result)
end

return exec
