-- The kind `call`: a Lua function on a pool worker, or "module:function".
local environ = require("orrery.run.keys.environ")
local errors = require("orrery.kernel.errors")
local func = require("orrery.core.func")
local loop = require("orrery.kernel.loop")
local shown = require("orrery.kernel.lazy")("orrery.run.graph.shown")
local sorted = require("orrery.kernel.sorted")
local time = require("orrery.kernel.lazy")("orrery.time")

local call = {}

-- What runs on the worker: the function travels as an upvalue, its ctx as an argument.
local function entry(fn)
  return function(data) return require("orrery.run.body.callee").call(fn, data) end
end

local function by_name(name)
  local mod, field = name:match("^([%w_%.]+):([%w_]+)$")
  if not mod then
    errors.raise("call", ("call: '%s' is not a function; write \"module:function\""):format(name))
  end
  return function(ctx) return require(mod)[field](ctx) end, mod, field
end

--- The function of a step.
---@param step orrery.Step
---@return function
function call.target(step)
  if type(step.action) == "function" then return step.action end
  return (by_name(step.action))
end

-- The libraries and modules of the workflow file stand for the worker's.
local function dump_options(r)
  if r.workflow.box then return r.workflow.box:dump_options() end
  return { modules = r.workflow.reads and r.workflow.reads.modules }
end

--- What a key takes from the ctx of a function. Params and results are keyed when they are
--- read: they are in the recorded set.
---@param ctx table
---@return table
function call.context_of(ctx)
  return { item = ctx.item, matrix = ctx.matrix, args = ctx.args }
end

-- What an upvalue is, for people: small ones as they are, tables by their number of entries.
local function shape(v)
  if type(v) == "function" then return "a function" end
  if type(v) ~= "table" then return type(v) == "string" and #v > 40 and "text" or tostring(v) end
  local n = 0
  for _ in next, v do n = n + 1 end
  return ("%d %s"):format(n, n == 1 and "entry" or "entries")
end

local function shapes_of(fn, upvalues)
  local out = {}
  for i = 1, 255 do
    local name, v = debug.getupvalue(fn, i)
    if not name then break end
    if upvalues[name] and type(v) ~= "userdata" then out[name] = shape(v) end
  end
  return next(out) and out or nil
end

local function modules_of(names, digests)
  local out = {}
  for _, name in ipairs(names) do out[name] = digests[name] end
  return next(out) and out or nil
end

--- The parts of the key that belong to a function.
---@param r orrery.Run
---@param step orrery.Step
---@param ctx table
---@return table parts
---@return table prepared
function call.prepare(r, step, ctx)
  local fn = call.target(step)
  local opts = dump_options(r)
  local bytes, info = func.dump(fn, opts)
  if not bytes then errors.raise("call", info.message, { class = "call" }) end
  local parts = { identity = info.identity, upvalues = info.upvalues,
    shapes = shapes_of(fn, info.upvalues), modules = modules_of(info.modules, opts.modules or {}) }
  if type(step.action) == "string" then
    parts.command = step.action
    local mod = step.action:match("^([^:]+)")
    local digests = r.workflow.reads and r.workflow.reads.modules or {}
    parts.module = digests[mod]
  end
  parts.ctx = call.context_of(ctx)
  return parts, { fn = fn, shown = info.source }
end

-- The part of the ctx that goes to the worker: plain values only.
local function data_of(r, step, ctx)
  local results, seen = {}, {}
  local function add(ids)
    for _, id in ipairs(ids or {}) do
      if not seen[id] then
        seen[id] = true
        results[id] = r.results[id]
        local node = r.workflow.by_id[id]
        if node then
          add(node.needs)
          add(node.after)
        end
      end
    end
  end
  add(step.needs)
  add(step.after)
  local group = step.group
  while group do
    add(group.needs)
    add(group.after)
    group = group.parent
  end
  return { params = ctx.params, results = results, env = ctx.env, with = ctx.with,
    item = ctx.item, matrix = ctx.matrix, inputs = ctx.inputs, outputs = ctx.outputs,
    attempt = ctx.attempt, feedback = ctx.feedback, run = ctx.run, step = ctx.step,
    args = ctx.args, root = r.root }
end

local impure_words = { clock = "uses the clock", random = "uses randomness",
  process = "uses a process", write = "writes a file that is not among its outputs",
  http = "uses HTTP" }

-- Turns the worker's facts into a recorded input set, and what forbids storing. Writing is
-- what a step with declared outputs is for.
local function recorded(step, facts, read, writes)
  local set = { files = facts.reads, looks = facts.looks, env = facts.env,
    passed = environ.passed(step, read.env),
    results = read.results, params = read.params, step = read.step }
  local impure
  for word in sorted.pairs(facts.impure or {}) do
    if not (word == "write" and writes) then impure = impure_words[word] or "uses " .. word end
  end
  if read.run then impure = "uses run.id" end
  if read.attempt then impure = "uses attempt" end
  return set, impure
end

-- Where a worker finds the modules that the workflow file finds.
local function module_path(r)
  local out = {}
  local dirs = r.workflow.box and r.workflow.box.path or { "lua", "workflows" }
  for _, dir in ipairs(dirs) do
    local prefix = dir == "." and "" or dir .. "/"
    out[#out + 1] = prefix .. "?.lua"
    out[#out + 1] = prefix .. "?/init.lua"
  end
  out[#out + 1] = package.path
  return table.concat(out, ";")
end

-- What the job's worker is told: where it works, what it may require.
local function job_options(r, job)
  local dump = dump_options(r)
  dump.info = false
  local cwd = job.cwd or r.root
  if cwd:sub(1, 1) ~= "/" then cwd = r.root .. "/" .. cwd end
  return { dump = dump, root = r.root, cwd = cwd, path = module_path(r), modules = dump.modules }
end

local function failed(e)
  local message = type(e) == "table" and e.message or tostring(e)
  return { class = type(e) == "table" and e.class or "error", message = message,
    code = type(e) == "table" and e.code or nil,
    traceback = type(e) == "table" and e.traceback or nil }
end

-- Where records of earlier calls are in what travels: only functions in a body have any.
local function records_in(step, fn, ctx)
  if not step.in_body then return nil end
  return { fn = shown.paths(fn), with = shown.paths(ctx.with), item = shown.paths(ctx.item) }
end

--- Executes on a worker; suspends until the value is there.
---@param r orrery.Run
---@param step orrery.Step
---@param prepared table
---@param job { ctx: table, timeout?: number }
---@return table outcome value, stdout (what it printed), set, impure, error
function call.execute(r, step, prepared, job)
  local data = data_of(r, step, job.ctx)
  data.records = records_in(step, prepared.fn, job.ctx)
  local id = r.loop:submit(entry(prepared.fn), { data }, job_options(r, job))
  local res = loop.await(id, job.timeout)
  if res == nil or res.timed_out then
    r.loop:workers():cancel(id)
    return { stdout = "", stderr = "", error = { class = "timeout",
      message = ("timed out after %s"):format(time.format(job.timeout)) } }
  end
  local facts = res.facts or {}
  local out = { stdout = facts.log or "", stderr = "" }
  if not res.ok then
    out.error = failed(res.error)
    if out.error.code == "ECANCELLED" then out.error.class = "cancelled" end
    return out
  end
  out.value = res.value.value
  out.set, out.impure = recorded(step, facts, res.value.read, #job.outputs > 0)
  if job.trusted or job.ttl then out.impure = nil end
  return out
end

return call
