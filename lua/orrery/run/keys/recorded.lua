-- The facts of a recorded input set as they are now: of files and environment variables that
-- a function read, of what it looked at, of the params and fields of results it was given.
local artifacts = require("orrery.run.keys.artifacts")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local inputs = require("orrery.run.keys.inputs")
local key = require("orrery.run.keys.key")
local pack = require("orrery.core.pack")

local recorded = {}

-- What a look at the file system gives now: a stat, a directory's names, a glob's files.
local function look_fact(run, look)
  local path = fs.at(run.root, look.path)
  if look.kind == "list" then return fs.list(path) or false end
  if look.kind == "glob" then
    return (fs.glob(look.patterns, { root = path, ignore = look.ignore, hidden = look.hidden }))
      or false
  end
  local st = fs.stat(path)
  return st and { st.type, st.size, st.mode } or false
end

local function named_outputs(run, r)
  local out = {}
  for name, path in pairs(r.outputs or {}) do
    if type(name) == "string" then out[name] = artifacts.anywhere(run, path) end
  end
  return next(out) and out or nil
end

-- A member of a group: what of it does not change from run to run by itself.
local function member(r)
  return { status = r.status, digest = r.digest, value = r.value, exit = r.exit,
    stdout = r.stdout, stderr = r.stderr, error = r.error and r.error.message }
end

-- What fields count as that are not simply themselves. A value counts as its digest, which
-- `normalize` may have made.
local fields = {
  outputs = function(run, r) return { r.digest, named_outputs(run, r) } end,
  value = function(_, r)
    return { r.digest, r.outputs and #r.outputs > 0 and r.value or nil }
  end,
  error = function(_, r) return r.error and { r.error.class, r.error.message } or false end,
  results = function(_, r)
    local list = {}
    for i, m in ipairs(r.results or {}) do list[i] = member(m) end
    return list
  end,
}

local function field_fact(run, id, name)
  local r = run.results[id]
  if not r then return false end
  local fact
  if fields[name] then fact = fields[name](run, r) else fact = r[name] end
  if type(fact) == "table" or type(fact) == "string" and #fact > 200 then return key.of(fact) end
  return fact == nil and pack.null or fact
end

local function looks_of(run, looks)
  local out = {}
  for i, look in ipairs(looks) do out[i] = { look.kind, look.path, look_fact(run, look) } end
  return out
end

local function env_of(run, names)
  local out = {}
  for _, name in ipairs(names) do
    local v = run.process_env[name] or false
    if v and run.secrets and run.secrets:is_source(run, name) then v = hash.sha256(v) end
    out[name] = v
  end
  return out
end

-- Of pass_env and of what every step gets, as keys.environ gives them.
local function passed_of(run, names)
  local out = {}
  for _, name in ipairs(names) do
    out[name] = run.process_env[name] or (run.dotenv or {})[name] or false
  end
  return out
end

local function results_of(run, list)
  local out = {}
  for _, one in ipairs(list) do out[one[1] .. "." .. one[2]] = field_fact(run, one[1], one[2]) end
  return out
end

local function params_of(run, names)
  local out = {}
  for _, name in ipairs(names) do
    local v = run.values[name]
    out[name] = v == nil and pack.null or v
  end
  return out
end

local function some(list) return list and #list > 0 and list or nil end

--- The facts of a recorded set as they are now; nil when it is empty.
---@param run orrery.Run
---@param step orrery.Step
---@param set { files?: string[], looks?: table[], env?: string[], passed?: string[],
---  results?: string[][], params?: string[], step?: boolean } results: { id, field } each;
---  passed: read from ctx.env, not declared; step: it read ctx.step
---@return table? facts
function recorded.facts(run, step, set)
  local facts = {
    files = some(set.files) and inputs.facts(run, set.files),
    looks = some(set.looks) and looks_of(run, set.looks),
    env = some(set.env) and env_of(run, set.env),
    passed = some(set.passed) and passed_of(run, set.passed),
    results = some(set.results) and results_of(run, set.results),
    params = some(set.params) and params_of(run, set.params),
    step = set.step and step.id or nil,
  }
  return next(facts) and facts or nil
end

local looked = { list = "the names in %s", glob = "what a glob finds in %s", stat = "%s" }

local function vars_of(facts)
  if not facts.passed then return facts.env end
  local out = {}
  for _, list in ipairs({ facts.env or {}, facts.passed }) do
    for name, v in pairs(list) do out[name] = v end
  end
  return out
end

--- Facts as a record keeps them, for memo.differ: parts of a manifest.
---@param facts table?
---@return table?
function recorded.kept(facts)
  if not facts then return nil end
  local looks = facts.looks and {}
  for _, look in ipairs(facts.looks or {}) do
    looks[(looked[look[1]] or look[1] .. " %s"):format(look[2])] = key.of({ look[3] })
  end
  return { found = facts.files, read_params = facts.params, results = facts.results,
    vars = vars_of(facts), looks = looks, step_id = facts.step }
end

return recorded
