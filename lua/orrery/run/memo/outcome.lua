-- From what a step came to, to its result record and its line in the journal.
local key = require("orrery.run.keys.key")
local lazy = require("orrery.kernel.lazy")
local memo = lazy("orrery.run.memo")

local outcome = {}

--- Seconds as they are kept: whole microseconds, which also print short.
---@param s number
---@return number
function outcome.seconds(s) return math.floor(s * 1e6 + 0.5) / 1e6 end

--- Completes a result record.
---@param step orrery.Step
---@param job table
---@param fields table
---@return orrery.Result
function outcome.result(step, job, fields)
  fields.status = fields.status or "ok"
  fields.ok = fields.status == "ok"
  fields.key, fields.occurrence = job.base, job.occurrence
  fields.attempts = job.attempt
  if fields.status == "failed" and step.allow_failure then fields.allowed = true end
  return fields
end

--- Output paths with their names.
function outcome.paths(step, record_outputs, job)
  local paths = {}
  for i, o in ipairs(record_outputs) do paths[i] = o.path end
  for name, indexes in pairs(step.output_names or {}) do
    local o = job.outputs[indexes[1]]
    if o then paths[name] = o.path end
  end
  return paths
end

--- Facts of outputs as the journal has them; nil when there are none.
---@param facts table[]?
---@return table[]?
function outcome.files(facts)
  if not facts or #facts == 0 then return nil end
  local out = {}
  for i, o in ipairs(facts) do
    out[i] = { path = o.path, digest = o.digest, mode = o.mode, link = o.link }
  end
  return out
end

--- Registers outputs as artifacts of the run.
function outcome.register(run, step, outputs)
  local registry = run.registry
  if not registry then return end
  for _, o in ipairs(outputs) do
    registry:add({ name = o.path, step = run.prefix .. step.id, path = o.path, digest = o.digest,
      type = o.path:match("%.([%w]+)$") })
  end
end

--- What dependants' keys take from a result: its outputs, else its value, else its key.
function outcome.digest(run, step, outputs, value, base)
  if #outputs > 0 then return memo.outputs_digest(run, outputs) end
  if step.normalize then value = step.normalize(value) end
  if value ~= nil then return key.of({ value = value }) end
  return base
end

--- Journals a finished step; returns the result.
---@param run orrery.Run
---@param step orrery.Step
---@param job table
---@param result orrery.Result
---@param came table what the kind came to
---@return orrery.Result
function outcome.finish(run, step, job, result, came)
  if run.consulted then run.consulted:step(step, job) end
  if result.cached == "clean" then
    -- What was the last key of a step within another workflow, nobody finds by its id here.
    local full = result.full or run.prefix ~= "" and job.full or nil
    run.journal:hit(step.id, full, result.saved_usage)
    return result
  end
  run.journal:emit({ ev = "step_finished", id = step.id, kind = step.kind,
    occurrence = result.occurrence, status = result.status, cached = result.cached,
    exit = result.exit, signal = came.signal, cpu = came.cpu, rss = came.rss,
    seconds = result.seconds, key = result.key,
    full = result.full ~= result.key and result.full or nil, digest = result.digest,
    reason = result.reason,
    stdout = result.stdout, stderr = result.stderr, value = result.value,
    outputs = outcome.files(came.facts), error = result.error, attempts = job.attempt,
    allowed = result.allowed, usage = result.usage, saved_usage = result.saved_usage,
    set = came.reads, set_key = came.set_key })
  return result
end

return outcome
