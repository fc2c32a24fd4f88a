-- The environment of a step: which variables, from where, and which of them are in the key.
local fs = require("orrery.core.fs")
local sys = require("orrery.core.sys")
local template = require("orrery.model.template")

local environ = {}

-- What every step gets, cached or not; nothing of it is in a key.
local always = { "PATH", "HOME", "USER", "TMPDIR" }
local fixed = { LANG = "C.UTF-8", TZ = "UTC" }

local function unquote(v)
  local q, inner = v:match("^(['\"])(.*)%1%s*$")
  if q == "'" then return inner end
  if q then return (inner:gsub("\\([nrt\"\\])", { n = "\n", r = "\r", t = "\t", ['"'] = '"',
    ["\\"] = "\\" })) end
  return (v:gsub("%s+#.*$", ""):gsub("%s+$", ""))
end

--- Reads one .env text: NAME=value lines, "export" allowed, # comments, quotes.
---@param text string
---@return table<string, string>
---@usage environ.parse_dotenv("A=1\nexport B='x y'") --> { A = "1", B = "x y" }
function environ.parse_dotenv(text)
  local out = {}
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    local name, v = line:match("^%s*([%a_][%w_]*)%s*=%s*(.*)$")
    if not name then name, v = line:match("^%s*export%s+([%a_][%w_]*)%s*=%s*(.*)$") end
    if name then out[name] = unquote(v) end
  end
  return out
end

--- Reads the dotenv files of a workflow; a later file wins; absent ones count as empty.
---@param root string
---@param files string[] relative to root, already rendered
---@return table<string, string> values
---@return table<string, string> from which file gave each
function environ.dotenv(root, files)
  local values, from = {}, {}
  for _, f in ipairs(files) do
    local text = fs.read(fs.at(root, f))
    if text then
      for k, v in pairs(environ.parse_dotenv(text)) do values[k], from[k] = v, f end
    end
  end
  return values, from
end

local function list_of(vars)
  local list = {}
  for k, v in pairs(vars) do list[#list + 1] = k .. "=" .. v end
  table.sort(list)
  return list
end

local function base_of(process, cached)
  local vars = {}
  if not cached then
    for k, v in pairs(process) do vars[k] = v end
  else
    for _, k in ipairs(always) do vars[k] = process[k] end
    for k, v in pairs(fixed) do vars[k] = v end
  end
  return vars
end

local function is_empty(t) return t == nil or next(t) == nil end

local function is_plain(env)
  return env == nil or (is_empty(env.set) and is_empty(env.take) and is_empty(env.pass))
end

-- Steps that declare nothing have one environment, made once a run and never changed.
local function plain(run, cached)
  local name = cached and "environ_declared" or "environ_whole"
  local made = run[name]
  if not made then
    local vars = base_of(run.process_env, cached)
    made = { list = list_of(vars), keyed = {}, vars = vars }
    run[name] = made
  end
  return made.list, made.keyed, made.vars
end

--- The variables of one step; to be read only, steps that declare none share them.
---@param run { process_env: table, dotenv: table } process_env and dotenv values
---@param step orrery.Step
---@param ctx table for templates in values
---@param cached boolean a cached step gets only what is declared
---@return string[] list "NAME=value", sorted, for a child
---@return table<string, string|false> keyed what is in the key; false: taken but not set
---@return table<string, string> vars by name
---@return table<string, string>? hidden those with secrets in them, as run.secrets fills them in
function environ.of(run, step, ctx, cached)
  local env = step.env
  if is_plain(env) then return plain(run, cached) end
  local process, dotenv = run.process_env, run.dotenv or {}
  local vars, keyed, hidden = base_of(process, cached), {}, nil
  local function outside(name)
    if process[name] ~= nil then return process[name] end
    return dotenv[name]
  end
  for _, name in ipairs(env.pass or {}) do vars[name] = outside(name) end
  for _, name in ipairs(env.take or {}) do
    local v = outside(name)
    vars[name] = v
    keyed[name] = v or false
  end
  for name, text in pairs(env.set or {}) do
    local v = template.render(tostring(text), ctx, "text")
    if v:find("\0", 1, true) and run.secrets then
      hidden = hidden or {}
      hidden[name], v = v, run.secrets:known_as(run, v)
    end
    vars[name] = v
    keyed[name] = v
  end
  return list_of(vars), keyed, vars, hidden
end

--- Of the names that a step's function read from ctx.env, those whose value is from outside
--- and in no key: passed on, or given to every step.
---@param step orrery.Step
---@param names string[]
---@return string[]
---@usage environ.passed(step, { "CC", "TERM" }) --> { "TERM" }, with pass_env = { "TERM" }
function environ.passed(step, names)
  local outside, out = {}, {}
  for _, name in ipairs(always) do outside[name] = true end
  local env = step.env or {}
  for _, name in ipairs(env.pass or {}) do outside[name] = true end
  for _, name in ipairs(env.take or {}) do outside[name] = nil end
  for _, name in ipairs(names) do
    if outside[name] and (env.set or {})[name] == nil then out[#out + 1] = name end
  end
  return out
end

--- Names set in the process that a cached step does not get and that are likely to matter:
--- for the report of a failure.
---@param run table
---@param vars table<string, string> what the step got
---@param text string the step's output, and what its command reads
---@return string[] names mentioned there and not passed, sorted
function environ.missing(run, vars, text)
  local out, seen = {}, {}
  for name in text:gmatch("[A-Z][A-Z0-9_]+") do
    if not seen[name] and #name > 2 and run.process_env[name] and vars[name] == nil then
      seen[name] = true
      out[#out + 1] = name
    end
  end
  table.sort(out)
  return out
end

--- The process's environment, once per run.
---@return table<string, string>
function environ.process() return sys.environ() end

return environ
