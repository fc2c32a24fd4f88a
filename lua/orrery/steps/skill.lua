-- The kind `skill`: skills/NAME.lua, which returns a function of ctx (or a table with one
-- called run) and runs on a worker; or skills/NAME, a program that gets a JSON request on
-- its standard input and answers as an agent does.
local answer = require("orrery.steps.agent.answer")
local artifacts = require("orrery.run.artifacts")
local call = require("orrery.steps.call")
local command = require("orrery.steps.run")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local request = require("orrery.steps.agent.request")
local skills = require("orrery.run.skills")

local skill = {}

-- Seconds after which a result expires when its step does not say: what skills fetch ages.
skill.ttl = 3600

local function find(run, name)
  local path, is_lua = skills.find(run.root, name)
  if path then return path, is_lua end
  errors.raise("skill", ("there is no skill '%s'; write skills/%s.lua, which returns "
    .. "function(ctx) … end, or a program skills/%s"):format(name, name, name))
end

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
  local path, is_lua = find(run, step.action)
  local parts = { skill = step.action, code = run.index:digest(path) }
  if not is_lua then
    parts.params = request.params(run, step)
    local doc = request.of(run, step, { ctx = ctx, role = step.action, prompt = "" })
    return parts, { argv = { path }, request = doc, shown = step.action }
  end
  local text, why = fs.read(path)
  if not text then errors.raise("skill", why.message) end
  parts.ctx = call.context_of(ctx)
  return parts, { fn = entry(text, "skills/" .. step.action .. ".lua"), shown = step.action }
end

--- Executes; suspends until the skill has ended.
---@param run orrery.Run
---@param step orrery.Step
---@param prepared table
---@param job table
---@return table outcome
function skill.execute(run, step, prepared, job)
  if prepared.fn then return call.execute(run, step, prepared, job) end
  local env = table.move(job.env, 1, #job.env, 1, {})
  env[#env + 1] = "ORRERY_ARTIFACTS=" .. run.root .. "/" .. artifacts.dir(run)
  return answer.take(command.execute(run, step, { argv = prepared.argv }, { env = env,
    cwd = job.cwd, timeout = job.timeout, attempt = job.attempt,
    stdin = json.encode(prepared.request, { lossy = true }) .. "\n" }))
end

return skill
