-- What a rating gate refuses goes back to who made it: before the gate is asked again, the
-- steps whose artifacts it rates run once more, with its feedback. What they make now is
-- their result, also for later runs.
local attempts = require("orrery.run.attempt")
local jobs = require("orrery.run.keys.job")
local quiet = require("orrery.run.records.quiet")

local improve = {}

local function makers(run, step)
  local out, seen = {}, {}
  for _, one in ipairs(step.agent_io.inputs) do
    local maker = one.from and not one.optional and run.workflow.by_id[one.from]
    if maker and maker.agent_io and not seen[maker] then
      seen[maker] = true
      out[#out + 1] = maker
    end
  end
  return out
end

local function again(run, maker, step, feedback, attempt)
  local old = run.results[maker.id]
  if not old or not old.ok then return true end
  run.journal:emit({ ev = "step_retry", id = maker.id, attempt = attempt, class = "gate",
    message = ("refused by %s: %s"):format(step.id, table.concat(feedback, "; ")), delay = 0 })
  local job = jobs.prepare(run, maker, attempt + 1, feedback)
  jobs.key(run, maker, job)
  local result = attempts.run(quiet.run(run, { step_started = true }), maker, job)
  if not result.ok then return false end
  for _, name in ipairs { "value", "outputs", "digest", "key" } do old[name] = result[name] end
  return true
end

--- Runs again what a step rates, before it is tried again. Other steps need nothing.
---@param run orrery.Run
---@param step orrery.Step
---@param err table why the step is tried again
---@param attempt integer the try that failed
---@return boolean ok false: what it rates cannot be made better
function improve.before_retry(run, step, err, attempt)
  if not step.agent_io or not step.agent_io.rating or err.class ~= "gate" then return true end
  for _, maker in ipairs(makers(run, step)) do
    if not again(run, maker, step, err.feedback or { err.message }, attempt) then return false end
  end
  return true
end

return improve
