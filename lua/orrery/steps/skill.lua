-- The kind `skill`: skills/NAME.lua, which returns a function of ctx (or a table with one
-- called run) and runs on a worker; or skills/NAME, a program that gets a JSON request on
-- its standard input and answers as an agent does. Params are checked before, results after.
local answer = require("orrery.steps.agent.answer")
local artifacts = require("orrery.run.keys.artifacts")
local call = require("orrery.steps.call")
local command = require("orrery.steps.run")
local errors = require("orrery.kernel.errors")
local json = require("orrery.core.json")
local request = require("orrery.steps.agent.request")
local skills = require("orrery.run.agents.skills")

local skill = {}

-- Seconds after which a result expires when its step does not say: what skills fetch ages.
skill.ttl = 3600

-- Travels to the worker with the text of the skill.
local function entry(text, name)
  return function(ctx)
    local chunk, why = load(text, "@" .. name, "t")
    if not chunk then error(why, 0) end
    local value = chunk()
    if type(value) == "table" then value = value.run end
    if type(value) ~= "function" then
      error(name .. ": a skill returns a function of ctx, or a table with run", 0)
    end
    return value(ctx)
  end
end

--- The parts of the key that belong to a skill.
---@param run orrery.Run
---@param step orrery.Step
---@param ctx table
---@return table parts
---@return table prepared
function skill.prepare(run, step, ctx)
  local one = skills.get(run.root, step.action)
  local parts = { skill = step.action, code = run.index:digest(one.path), version = one.version,
    said = not one.lua and (one.params ~= nil or one.result ~= nil) and { one.params or false,
      one.result or false } or nil }
  local given = step.agent_io and request.params(run, step) or ctx.with
  local bad = skills.misfit(one, "params", given or {}, run.root)
  if bad then errors.raise("params", bad.message, { class = bad.class }) end
  if not one.lua then
    parts.params = request.params(run, step)
    local doc = request.of(run, step, { ctx = ctx, role = step.action, prompt = "" })
    doc.version = one.version
    return parts, { skill = one, argv = { one.path }, request = doc, shown = step.action,
      ttl = one.ttl }
  end
  parts.ctx = call.context_of(ctx)
  return parts, { skill = one, fn = entry(one.text, one.file), shown = step.action, ttl = one.ttl }
end

local function perform(run, step, prepared, job)
  if prepared.fn then
    local came = call.execute(run, step, prepared, job)
    if prepared.ttl then came.impure = nil end
    return came
  end
  local env = table.move(job.env, 1, #job.env, 1, {})
  env[#env + 1] = "ORRERY_ARTIFACTS=" .. run.root .. "/" .. artifacts.dir(run)
  return answer.take(command.execute(run, step, { argv = prepared.argv }, { env = env,
    cwd = job.cwd, timeout = job.timeout, attempt = job.attempt,
    stdin = json.encode(prepared.request, { lossy = true }) .. "\n" }))
end

--- Executes; suspends until the skill has ended.
---@param run orrery.Run
---@param step orrery.Step
---@param prepared table
---@param job table
---@return table outcome
function skill.execute(run, step, prepared, job)
  local came = perform(run, step, prepared, job)
  came.error = came.error or skills.misfit(prepared.skill, "result", came.value, run.root)
  return came
end

return skill
