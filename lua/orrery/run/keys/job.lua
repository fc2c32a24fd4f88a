-- Everything about one attempt at a step that is known before it runs: ctx, environment,
-- inputs, outputs, manifest and base key.
local cacheable = require("orrery.run.keys.cacheable")
local context = require("orrery.run.graph.context")
local environ = require("orrery.run.keys.environ")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local inputs = require("orrery.run.keys.inputs")
local key = require("orrery.run.keys.key")
local lazy = require("orrery.kernel.lazy")
local manifest = require("orrery.run.keys.manifest")
local secrets = require("orrery.run.secrets")
local template = require("orrery.model.template")
local time = lazy("orrery.time")

local job = {}

local kinds = { run = true, call = true, skill = true, agent = true, workflow = true,
  body = true, service = true, approve = true }

local function kind_of(step)
  if not kinds[step.kind] then
    errors.raise("kind", ("this version cannot run a step of the kind '%s'"):format(step.kind))
  end
  return require("orrery.steps." .. step.kind)
end

local function seconds_of(v, ctx)
  if v == nil then return nil end
  if type(v) == "string" then v = template.render(v, ctx, "value") end
  return type(v) == "string" and time.parse(v) or v
end

local function paths_of(outputs)
  local paths = {}
  for i, o in ipairs(outputs) do paths[i] = o.path end
  return paths
end

-- Paths from the root, and lists of them, as a command in a directory below it sees them.
local function seen_from(dir, paths)
  dir = fs.normal(dir)
  if dir == "." then return paths end
  local up = ("../"):rep(select(2, dir:gsub("/", "")) + 1)
  local out = {}
  for i, p in ipairs(paths) do
    if type(p) == "table" then
      out[i] = seen_from(dir, p)
    elseif p:sub(1, 1) == "/" then
      out[i] = p
    else
      out[i] = p:sub(1, #dir + 1) == dir .. "/" and p:sub(#dir + 2) or up .. p
    end
  end
  return out
end

--- Renders and expands a step for one attempt.
---@param run orrery.Run
---@param step orrery.Step
---@param attempt integer
---@param feedback string[] what the attempt before was told
---@return table job
function job.prepare(run, step, attempt, feedback)
  local ctx = context.new(run, step, attempt)
  ctx.feedback = feedback
  local pure, why = cacheable.pure(run, step)
  ctx.secrets = secrets.marks
  local list, keyed, vars, hidden = environ.of(run, step, ctx, pure)
  ctx.secrets, ctx.env = secrets.refusing, vars
  if step.verbatim then ctx.with = step.with end
  local per_spec, files, empty = inputs.expand(run, step, ctx)
  local outputs = inputs.outputs(step, ctx)
  local rel_cwd = step.cwd and template.render(step.cwd, ctx, "text")
  local from_root = context.named(paths_of(outputs), step.output_names)
  ctx.inputs, ctx.outputs = context.named(per_spec, step.input_names), from_root
  if rel_cwd and step.kind == "run" then
    ctx.inputs = context.named(seen_from(rel_cwd, per_spec), step.input_names)
    ctx.outputs = context.named(seen_from(rel_cwd, paths_of(outputs)), step.output_names)
  end
  if step.with and not step.verbatim then ctx.with = template.deep(step.with, ctx) end
  local cwd = rel_cwd and fs.normal(run.root .. "/" .. rel_cwd) or run.root
  local j = { ctx = ctx, pure = pure, why = why, env = list, keyed = keyed, vars = vars,
    hidden = hidden, files = files, per_spec = per_spec, empty = empty, outputs = outputs,
    named = from_root, cwd = cwd, rel_cwd = rel_cwd,
    attempt = attempt, timeout = seconds_of(step.timeout, ctx),
    depfile = step.depfile and template.render(step.depfile, ctx, "text") }
  local cache = cacheable.settings(run, step)
  j.trusted = cache == true
  if type(cache) == "table" then
    j.ttl, j.store = cache.ttl, cache.store
    j.scope = cache.scope and template.render(cache.scope, ctx, "text")
  end
  j.forced = cacheable.forced(run, step)
  return j
end

--- Adds kind, prepared, manifest and base to a job.
---@param run orrery.Run
---@param step orrery.Step
---@param j table
function job.key(run, step, j)
  local kind = kind_of(step)
  local parts, prepared = kind.prepare(run, step, j.ctx)
  j.kind, j.prepared = kind, prepared
  j.manifest = manifest.build(run, step, j.ctx, parts, prepared, j)
  j.base = key.of(j.manifest)
end

--- May the step have input sets that are known only after it ran?
---@param step orrery.Step
---@return boolean
function job.dynamic(step)
  return step.depfile ~= nil or step.kind == "call" or step.kind == "skill"
end

return job
