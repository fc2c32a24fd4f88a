-- The request an agent gets: one JSON document with absolute paths.
local artifacts = require("orrery.run.keys.artifacts")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")

local request = {}

--- A schema as a request has it: itself, or the path of its file. nil: none, or none that can
--- be read.
---@param v any
---@return table?
function request.schema(v)
  if type(v) == "table" then return v end
  local text = type(v) == "string" and fs.read(v)
  local schema = text and json.decode(text, { last_wins = true })
  return type(schema) == "table" and schema or nil
end

local ids = { "workflow_id", "plan_id" }

--- The params that a step of the dialect reads: those among its inputs, and the ids of the
--- workflow. A native step is told what it is given: its prompt and `with`.
---@param run orrery.Run
---@param step orrery.Step
---@return table<string, any>
function request.params(run, step)
  local out = {}
  if not step.agent_io then return out end
  for _, name in ipairs(ids) do out[name] = run.values[name] end
  for _, one in ipairs(step.agent_io.inputs) do
    if one.param then out[one.param] = one.value end
  end
  return out
end

local function absolute(run, path) return run.root .. "/" .. artifacts.here(run.id, path) end

local function input_of(run, one)
  local full = one.path and absolute(run, one.path)
  local st = full and fs.stat(full)
  local given = one.param ~= nil and one.value ~= nil
  return { name = artifacts.here(run.id, one.name), path = full or pack.null,
    digest = st and st.type == "file" and run.index:digest(full) or pack.null,
    from = one.from or pack.null, optional = one.optional,
    missing = not st and not given, note = one.note, instead_of = one.instead_of }
end

local function output_of(run, o)
  return { name = artifacts.here(run.id, o.name), path = absolute(run, o.path), kind = o.kind,
    primary = o.primary or false, optional = o.optional,
    schema = o.schema and run.root .. "/" .. o.schema or pack.null, note = o.note }
end

-- A step of the native forms: files as they were expanded.
local function plain_inputs(run, ctx)
  local out = pack.array({})
  for i, path in ipairs(ctx.inputs) do
    local full = fs.at(run.root, path)
    out[i] = { name = path, path = full, digest = run.index:digest(full) or pack.null,
      from = pack.null, optional = false, missing = fs.stat(full) == nil }
  end
  return out
end

local function plain_outputs(run, step, ctx)
  local out = pack.array({})
  for i, path in ipairs(ctx.outputs) do
    local schema = step.gate and step.gate.schema and step.gate.schema[path]
    local dir = step.outputs[i] and step.outputs[i].dir
    out[i] = { name = path, path = run.root .. "/" .. path, kind = dir and "directory" or "file",
      primary = i == 1,
      optional = false, schema = type(schema) == "string" and run.root .. "/" .. schema
        or pack.null }
  end
  return out
end

local function of_dialect(run, io, doc)
  doc.inputs, doc.outputs = pack.array({}), pack.array({})
  for i, one in ipairs(io.inputs) do doc.inputs[i] = input_of(run, one) end
  for i, o in ipairs(io.outputs) do doc.outputs[i] = output_of(run, o) end
  doc.name, doc.skill, doc.tool, doc.round = io.name, io.skill, io.tool, io.round
  local g = io.gate
  if g and (g.minimum or g.checks) then
    doc.gate = { minimum_score = g.minimum, rubric = g.rubric and run.root .. "/" .. g.rubric,
      checks = g.checks }
  end
end

local function plain(t)
  local out = {}
  for k, v in sorted.pairs(t) do out[k] = v end
  return out
end

--- The request for one attempt.
---@param run orrery.Run
---@param step orrery.Step
---@param more { ctx: table, role: string, prompt: string, rules?: string[] }
---@return table
function request.of(run, step, more)
  local ctx = more.ctx
  local params = plain(request.params(run, step))
  params.run_id = run.values.run_id and artifacts.here(run.id, tostring(run.values.run_id))
  local doc = { v = 1, run = run.id, workflow = run.workflow.name, step = step.id,
    role = more.role, prompt = more.prompt, attempt = ctx.attempt,
    feedback = pack.array(plain(ctx.feedback or {})), params = params, root = run.root,
    artifacts = run.root .. "/" .. artifacts.dir(run), rules = more.rules or pack.array({}),
    model = step.model, with = next(ctx.with) and ctx.with or nil }
  if step.agent_io then
    of_dialect(run, step.agent_io, doc)
  else
    doc.inputs, doc.outputs = plain_inputs(run, ctx), plain_outputs(run, step, ctx)
    doc.returns = type(step.returns) == "string" and run.root .. "/" .. step.returns
      or step.returns
  end
  return doc
end

return request
