-- The kind `agent`: a role that an executor plays. The executor gets one JSON request on its
-- standard input, writes the outputs where the request says, and may answer with one JSON
-- document as the last line of its standard output.
local answer = require("orrery.steps.agent.answer")
local artifacts = require("orrery.run.keys.artifacts")
local checks = require("orrery.run.gates.checks")
local circuit = require("orrery.run.agents.circuit")
local command = require("orrery.steps.run")
local executors = require("orrery.run.agents.executors")
local fs = require("orrery.core.fs")
local http = require("orrery.kernel.lazy")("orrery.steps.agent.http")
local json = require("orrery.core.json")
local mock = require("orrery.steps.agent.mock")
local request = require("orrery.steps.agent.request")
local rules = require("orrery.steps.agent.rules")
local schemakeys = require("orrery.run.keys.schemakeys")
local template = require("orrery.model.template")
local usage = require("orrery.run.records.usage")
local verdict = require("orrery.run.gates.verdict")

local agent = {}

-- Who plays: the role, or one of its fallbacks after take_over.
local function role_now(run, step)
  local turn = run.turns and run.turns[run.prefix .. step.id]
  return turn and turn.role or step.action
end

local function schema_digests(run, agent_io)
  local out = {}
  for _, s in ipairs(agent_io and agent_io.gate and agent_io.gate.schemas or {}) do
    out[s.schema] = schemakeys.digest(run, s.schema) or false
  end
  return next(out) and out or nil
end

-- The key knows the role and its executor, not who took over nor what was fed back.
local function parts_of(run, step, prompt, executor)
  local io = step.agent_io
  local parts = { agent = step.action, prompt = prompt, model = step.model,
    executor = executor.keyed or executor.shown, params = request.params(run, step),
    schemas = schema_digests(run, io) }
  if io then
    parts.step = step.id
    parts.skill, parts.tool = io.skill, io.tool
    parts.minimum = io.gate and io.gate.minimum
    parts.checks = io.gate and checks.identities(run, io.gate.checks)
  end
  return parts
end

--- The parts of the key that belong to an agent.
---@param run orrery.Run
---@param step orrery.Step
---@param ctx table
---@return table parts
---@return table prepared
function agent.prepare(run, step, ctx)
  local role = role_now(run, step)
  local executor = executors.find(run, role)
  local first = executors.find(run, step.action) or executor
  if not executor then executors.refuse({ role }) end
  local prompt = step.prompt and template.render(step.prompt, ctx, "text") or ""
  local parts = parts_of(run, step, prompt, first)
  local known, digests = rules.of(run, step, ctx)
  parts.rules = digests
  local doc = request.of(run, step, { ctx = ctx, role = role, rules = known,
    prompt = artifacts.here(run.id, prompt) })
  return parts, { executor = executor, role = role, request = doc,
    shown = ("%s: %s"):format(role, executor.shown),
    retry = executor.http and executor.http.retry or nil,
    program = first.argv and first.argv[1] or nil }
end

-- An agent needs its user's whole environment: where it is logged in, what it pays with.
local function env_of(run, executor, job)
  local vars = {}
  for k, v in pairs(run.process_env) do vars[k] = v end
  for k, v in pairs(job.vars) do vars[k] = v end
  for k, v in pairs(executor.env or {}) do vars[k] = tostring(v) end
  vars.ORRERY_ARTIFACTS = run.root .. "/" .. artifacts.dir(run)
  local list = {}
  for k, v in pairs(vars) do list[#list + 1] = k .. "=" .. v end
  table.sort(list)
  return list
end

local function perform(run, step, prepared, job)
  local executor = prepared.executor
  if executor.mock then return mock.perform(run, prepared.request) end
  if executor.http then return http.perform(run, step, prepared, job) end
  local came = command.execute(run, step, { argv = executor.argv }, { env = env_of(run, executor,
    job), cwd = job.cwd, timeout = job.timeout, attempt = job.attempt,
    stdin = json.encode(prepared.request) .. "\n" })
  return answer.take(came)
end

local function missing_outputs(prepared)
  local missing = {}
  for _, o in ipairs(prepared.request.outputs) do
    if not o.optional and not fs.lstat(o.path) then missing[#missing + 1] = o.name end
  end
  if #missing == 0 then return nil end
  local text = ("%s did not write %s"):format(prepared.role, table.concat(missing, ", "))
  return { class = "outputs", message = text, feedback = { text } }
end

-- The registry as the run has it now, for who reads it.
local function write_registry(run, step)
  for _, one in ipairs(step.agent_io and step.agent_io.inputs or {}) do
    if one.name == "artifact-registry.json" and run.registry and not one.from then
      run.registry:save(run.root .. "/" .. artifacts.here(run.id, one.path))
    end
  end
end

--- Executes; suspends until the agent has answered.
---@param run orrery.Run
---@param step orrery.Step
---@param prepared table
---@param job table
---@return table outcome
function agent.execute(run, step, prepared, job)
  prepared.request.attempt = job.attempt
  fs.mkdir(run.root .. "/" .. artifacts.dir(run))
  write_registry(run, step)
  local came = perform(run, step, prepared, job)
  came.usage = usage.of(came.usage, prepared.executor.price)
  if came.error then return came end
  came.error = missing_outputs(prepared)
    or verdict.of(run, step, prepared.role, came.value, function(path)
      return artifacts.here(run.id, path)
    end)
  return came
end

--- May it be asked now? See agents.circuit.
---@param run orrery.Run
---@param job table
---@return table pass
function agent.enter(run, job)
  return circuit.enter(run, job.prepared.role, job.prepared.executor.circuit)
end

local final = { cancelled = true, budget = true, approval = true }

-- Who may take over: what the workflow says, else what the executor does; nobody twice.
local function fallbacks(run, step)
  local executor = executors.find(run, step.action)
  local out, seen = {}, { [step.action] = true }
  local list = step.agent_io and step.agent_io.fallback or executor and executor.fallback
  for _, role in ipairs(list or {}) do
    if not seen[role] then
      seen[role], out[#out + 1] = true, role
    end
  end
  return out
end

--- Names who tries next when the tries of an agent are used up: the next of its fallbacks,
--- each of them once. nil: nobody.
---@param run orrery.Run
---@param step orrery.Step
---@param came table
---@return string?
function agent.take_over(run, step, came)
  if final[came.error.class] then return nil end
  local id = run.prefix .. step.id
  run.turns = run.turns or {}
  local turn = run.turns[id] or { at = 0, list = fallbacks(run, step) }
  run.turns[id] = turn
  local list = turn.list
  repeat
    turn.at = turn.at + 1
    turn.role = list[turn.at]
  until turn.role == nil or executors.find(run, turn.role)
  return turn.role
end

--- Does the workflow want a person to decide about a failure that is final?
---@param step orrery.Step
---@param err table
---@return boolean
function agent.escalates(step, err)
  local wish = step.agent_io and step.agent_io.on_failure
  return wish == "escalate_to_human" and not final[err.class]
end

return agent
