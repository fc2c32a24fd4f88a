-- Builds the manifest of a step: every declared part of its key.
local artifacts = require("orrery.run.keys.artifacts")
local errors = require("orrery.kernel.errors")
local func = require("orrery.core.func")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local inputs = require("orrery.run.keys.inputs")
local key = require("orrery.run.keys.key")
local lazy = require("orrery.kernel.lazy")
local proc = require("orrery.core.proc")
local schemakeys = lazy("orrery.run.keys.schemakeys")
local services = require("orrery.run.services")

local manifest = {}

local function branch(t, name)
  local b = t[name]
  if not b then
    b = {}
    t[name] = b
  end
  return b
end

local function inside(run, path) return path:sub(1, #run.root + 1) == run.root .. "/" end

-- May a step put a program where this one would be looked for first?
local function may_come(run, path)
  for dir in (path or ""):gmatch("[^:]*") do
    if dir:sub(1, 1) ~= "/" or inside(run, dir .. "/") then return true end
  end
  return false
end

-- The digest of a program as the step would find it, and where, if that is remembered: for
-- the run, but for those that a step of it may make.
local function tool_of(run, name, path, cwd)
  local known = branch(run, "tools_found")
  known = branch(known, name:find("/", 1, true) and cwd or path or "")
  local tool = known[name]
  if tool then return tool.digest, tool.found end
  local found = proc.which(name, path, cwd)
  local real = found and fs.realpath(found)
  local digest = real and run.index:digest(real) or false
  if run.consulted then run.consulted:tool(name, path, cwd, found, digest) end
  if digest and not inside(run, found) and not inside(run, real) then
    known[name] = { digest = digest, found = not may_come(run, path) and found or nil }
  end
  return digest
end

local function tools_of(run, step, prepared, vars, cwd)
  if step.tools and #step.tools == 0 then return nil end
  local out = {}
  if prepared.program then
    out[prepared.program], prepared.file = tool_of(run, prepared.program, vars.PATH, cwd)
  end
  for _, name in ipairs(step.tools or {}) do
    out[name] = tool_of(run, name, vars.PATH, cwd)
  end
  return next(out) and out or nil
end

--- What a result counts as for the keys of dependants.
---@param r orrery.Result?
---@return string|false
function manifest.result_digest(r)
  if not r then return false end
  if r.digest then return r.digest end
  if r.results then
    local list = {}
    for i, m in ipairs(r.results) do list[i] = manifest.result_digest(m) end
    return key.of(list)
  end
  return r.status or false
end

-- Of a step that is no part of this run, what it left; what nobody knows cannot be in a key.
local function digest_of(run, id, job)
  local r = run.results[id]
  if r then return manifest.result_digest(r) end
  local digest = run:left_by(id)
  if not digest and job.pure then
    job.pure, job.why = false, ("what %s came to is not known"):format(id)
  end
  return digest or false
end

local function needs_of(run, step, job)
  local lent = services.digests(run, step)
  if #step.needs == 0 then return lent end
  local out = lent or {}
  for _, id in ipairs(step.needs) do
    if not (step.implied and step.implied[id]) and not (step.control and step.control[id]) then
      out[id] = digest_of(run, id, job)
    end
  end
  return next(out) and out or nil
end

local function schema_digest(run, schema)
  if schema == nil then return nil end
  return schemakeys.digest(run, schema)
    or (type(schema) == "string" and "missing:" .. schema or nil)
end

-- Who a function is, its file's libraries and modules by name.
local function identity(run, f, what)
  if not f then return nil end
  if type(f) == "string" then return f end
  local box = run.workflow.box
  local bytes, info = func.dump(f, box and box:dump_options())
  if not bytes then errors.raise(what, what .. ": " .. info.message) end
  return info.identity
end

local function gate_of(run, gate)
  if not gate then return nil end
  local out = { score = gate.score, schema = {} }
  for path, schema in pairs(gate.schema or {}) do
    out.schema[path] = schema_digest(run, schema)
  end
  local check = gate.check
  out.check = identity(run, check, "gate")
  if type(check) == "string" then out.module = run:module_digest(check:match("^[^:]*")) end
  return out
end

local function is_secret(run, step, name)
  local text = step.env and step.env.set and step.env.set[name]
  return (run.workflow.secrets or {})[name] ~= nil or (run.config.secrets or {})[name] ~= nil
    or text ~= nil and tostring(text):find("{{%s*secrets%.") ~= nil
end

-- What is declared to be secret is known by its digest only.
local function env_of(run, step, keyed)
  if next(keyed) == nil then return nil end
  local out = {}
  for name, v in pairs(keyed) do
    out[name] = v and is_secret(run, step, name) and { secret = hash.sha256(v) } or v
  end
  return out
end

-- Which paths each name stands for, where the step can see the names: the text of a command
-- has them in it already.
local function names_of(run, step, job)
  if step.kind == "run" or not (step.input_names or step.output_names) then return nil end
  local out = { inputs = {}, outputs = {} }
  for which, names in pairs({ inputs = step.input_names, outputs = step.output_names }) do
    for name in pairs(names or {}) do
      local paths = job.ctx[which][name]
      if type(paths) ~= "table" then paths = { paths } end
      local known = {}
      for i, p in ipairs(paths) do known[i] = artifacts.anywhere(run, p) end
      out[which][name] = known
    end
  end
  return (next(out.inputs) or next(out.outputs)) and out or nil
end

--- The manifest of a step.
---@param run orrery.Run
---@param step orrery.Step
---@param ctx table
---@param parts table what the kind contributes
---@param prepared table
---@param job { keyed: table, vars: table, cwd: string, files: string[], outputs: table[] }
---@return table
function manifest.build(run, step, ctx, parts, prepared, job)
  local m = parts
  m.v = key.VERSION
  m.kind = step.kind
  m.cwd = step.cwd and job.rel_cwd or nil
  m.env = env_of(run, step, job.keyed)
  m.names = names_of(run, step, job)
  m.tools = tools_of(run, step, prepared, job.vars, job.cwd)
  m.inputs = #job.files > 0 and inputs.facts(run, job.files) or nil
  m.needs = needs_of(run, step, job)
  if #job.outputs > 0 then
    local list = {}
    for i, o in ipairs(job.outputs) do
      list[i] = (o.exclude and "!" or "") .. artifacts.anywhere(run, o.path)
    end
    m.outputs = list
  end
  if next(ctx.with) then m.with = ctx.with end
  m.depfile = job.depfile
  m.returns = schema_digest(run, step.returns)
  m.gate = gate_of(run, step.gate)
  m.normalize = identity(run, step.normalize, "normalize")
  m.scope, m.sample = job.scope, step.sample
  return m
end

return manifest
