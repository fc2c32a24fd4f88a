-- The fields that are small tables of their own: retry, cache, env, resources, policy …:
-- from what was written to what the run reads. Each takes say(text, hint) for what is wrong.
local build = require("orrery.model.build")
local check = require("orrery.kernel.check")
local lazy = require("orrery.kernel.lazy")
local nearest = lazy("orrery.kernel.nearest")
local sorted = require("orrery.kernel.sorted")
local units = lazy("orrery.model.units")

local clauses = {}

---@alias orrery.Say fun(text: string, hint?: string)

-- Checks the keys and types of a clause; returns a copy with the right ones.
local function table_of(name, v, spec, say)
  local out = {}
  for k, item in sorted.pairs(v) do
    local kinds = spec[k]
    if not kinds then
      say(("unknown field '%s' in %s"):format(tostring(k), name),
        type(k) == "string" and nearest.hint(k, spec) or "it has "
          .. table.concat(sorted.keys(spec), ", "))
    elseif not check.fits(item, kinds) then
      say(("%s.%s must be %s, not a %s"):format(name, k, check.describe(kinds), type(item)))
    else
      out[k] = item
    end
  end
  return out
end

--- Checks the keys and types of a small table; a copy with the right ones.
---@param name string of the table, for people
---@param v table
---@param spec table<string, string> key → kinds, as kernel.check reads them
---@param say orrery.Say
---@return table
function clauses.fields(name, v, spec, say) return table_of(name, v, spec, say) end

local function is_template(v) return type(v) == "string" and v:find("{{", 1, true) ~= nil end

--- Seconds of a duration field; a template stays text.
---@param name string
---@param v any
---@param say orrery.Say
---@return number|string|nil
function clauses.duration(name, v, say)
  if v == nil or is_template(v) then return v end
  local s = units.seconds(v)
  if not s then
    say(("%s '%s' is not a duration"):format(name, tostring(v)), 'write "90s", "5m" or "1h30m"')
  end
  return s
end

local retry_words = { signal = true, timeout = true, schema = true, rate_limit = true,
  exit = true, gate = true, error = true, network = true, agent = true, outputs = true,
  circuit = true }

local function retry_word(word, say)
  if type(word) ~= "string" then return say("retry.on lists texts such as \"exit:75\"") end
  local head, tail = word:match("^([^:]+):?(.*)$")
  if head == "match" and tail ~= "" then return end
  if head == "exit" and (tail == "" or math.tointeger(tonumber(tail))) then return end
  if head == "signal" or (retry_words[head] and tail == "") then return end
  local near = nearest.find(head or word, retry_words)
  if near and head ~= near or head == "exit" or head == "match" then
    say(("retry.on '%s' is not understood"):format(word),
      near and ("did you mean '%s'?"):format(near) or 'write "exit:75" or "match:TEXT"')
  end
end

local retry_spec = { attempts = "integer", delay = "number|string", backoff = "number|string",
  max_delay = "number|string", jitter = "boolean", on = "list|string" }

local backoffs = { constant = 1, linear = "linear", exponential = 2 }

local function backoff_of(v, say)
  if v == nil then return 2 end
  local known = type(v) == "number" and v or backoffs[v]
  if known then return known end
  say(("retry.backoff '%s' is not known"):format(v), nearest.hint(v, backoffs)
    or "it is constant, linear, exponential, or a factor such as 2")
  return 2
end

--- retry = { attempts, delay, backoff, max_delay, jitter, on }: seconds, all filled in.
---@param v any
---@param say orrery.Say
---@return orrery.Retry?
function clauses.retry(v, say)
  if type(v) ~= "table" then
    local n = math.tointeger(tonumber(v))
    return say(n and ("retry = %d does not say whether the first try counts"):format(n)
      or "retry is a table", ("write retry = { attempts = %d } (all tries, the first included)")
      :format(n and n + 1 or 3))
  end
  local t = table_of("retry", v, retry_spec, say)
  if v.attempts == nil then
    say("retry needs attempts", "write retry = { attempts = 3 } (all tries, the first included)")
  elseif t.attempts and t.attempts < 1 then
    say(("retry.attempts is %d; at least 1 try is made"):format(t.attempts))
  end
  local on = type(t.on) == "string" and { t.on } or t.on
  for _, word in ipairs(on or {}) do retry_word(word, say) end
  return { attempts = t.attempts or 1, on = on, jitter = t.jitter or false,
    delay = clauses.duration("retry.delay", t.delay, say) or 1,
    backoff = backoff_of(t.backoff, say),
    max_delay = clauses.duration("retry.max_delay", t.max_delay, say) or 60 }
end

local cache_spec = { ttl = "number|string", scope = "string", store = "boolean" }

--- cache = true | false | { ttl, scope, store }.
---@param v any
---@param say orrery.Say
---@return boolean|table|nil
function clauses.cache(v, say)
  if type(v) == "boolean" then return v end
  local t = table_of("cache", v, cache_spec, say)
  t.ttl = clauses.duration("cache.ttl", t.ttl, say)
  return t
end

local bounds_spec = { size = "number|string", age = "number|string", dir = "string" }

--- cache = { size, age, dir } of orrery.lua: how much is kept, and where.
---@param v table
---@param say orrery.Say
---@return { size?: integer, age?: number, dir?: string }
function clauses.cache_bounds(v, say)
  local t = table_of("cache", v, bounds_spec, say)
  if t.size ~= nil then
    local bytes = units.bytes(t.size)
    if not bytes or bytes == 0 then
      say(("cache.size: '%s' is no size; write 500M or 10G"):format(tostring(t.size)))
    end
    t.size = bytes
  end
  t.age = clauses.duration("cache.age", t.age, say)
  if t.dir == "" then say("cache.dir is empty; leave it out for .orrery/cache") end
  return t
end

local function env_name(name, say)
  if type(name) == "string" and name:find("^[%a_][%w_]*$") then return true end
  local kind = type(name)
  local what = (kind == "string" or kind == "number") and ("'%s'"):format(name) or "a " .. kind
  say(what .. " is not a name of a variable")
end

local function env_value(name, v, say)
  local kind = type(v)
  if kind == "string" then
    if not v:find("\0", 1, true) then return v end
    return say(("env %s contains a NUL byte"):format(name))
  end
  if kind == "number" or kind == "boolean" then return tostring(v) end
  say(("env %s must be text, not a %s"):format(name, kind), kind == "function"
    and "a value from a step is \"{{results.ID.value}}\"" or nil)
end

-- A list of names, or one: pass_env.
local function names(v, say)
  local out = {}
  build.flatten(type(v) == "table" and v or { v }, function(name)
    if env_name(name, say) then out[#out + 1] = name end
  end)
  return out
end

--- env and pass_env of a step or workflow.
---@param env table?
---@param pass string|table|nil
---@param say orrery.Say
---@return orrery.EnvSpec
function clauses.env(env, pass, say)
  local spec = { set = {}, take = {}, pass = pass and names(pass, say) or {} }
  for k, v in sorted.pairs(env or {}) do
    if math.type(k) == "integer" then
      if v and env_name(v, say) then spec.take[#spec.take + 1] = v end
    elseif env_name(k, say) then
      spec.set[k] = env_value(k, v, say)
    end
  end
  return spec
end

local function union(a, b, except)
  local out, seen = {}, {}
  for _, list in ipairs { a, b } do
    for _, name in ipairs(list) do
      if not seen[name] and not (except and except[name]) then out[#out + 1] = name end
      seen[name] = true
    end
  end
  return out
end

--- A step's environment over its workflow's.
---@param base orrery.EnvSpec
---@param own orrery.EnvSpec
---@return orrery.EnvSpec
function clauses.over(base, own)
  local set = {}
  for k, v in pairs(base.set) do set[k] = v end
  for _, name in ipairs(own.take) do set[name] = nil end
  for k, v in pairs(own.set) do set[k] = v end
  return { set = set, take = union(base.take, own.take, own.set),
    pass = union(base.pass, own.pass, set) }
end

local function rate(name, v, say)
  local per = clauses.duration(name .. ".per", v.per, say)
  if type(v[1]) ~= "number" or not per then
    return say(("%s as a rate is { amount, per = \"1m\" }"):format(name))
  end
  if v.of ~= nil and v.of ~= "tokens" then
    say(("%s.of is \"tokens\", not '%s'"):format(name, tostring(v.of)))
  end
  return { v[1], per = per, of = v.of }
end

--- resources = { cpu, mem, gpu, NAME = amount | { amount, per } }: mem in bytes.
---@param v any
---@param say orrery.Say
---@return table|function
function clauses.resources(v, say)
  if type(v) == "function" then return v end
  local out = {}
  for k, amount in sorted.pairs(v) do
    if type(k) ~= "string" then
      say("resources are named: { cpu = 2, mem = \"4G\" }")
    elseif type(amount) == "table" then
      out[k] = rate(k, amount, say)
    elseif is_template(amount) then
      out[k] = amount
    elseif k == "mem" then
      out[k] = units.bytes(amount)
      if not out[k] then say(("mem '%s' is not a size"):format(tostring(amount)),
        'write "512M" or "4G"') end
    elseif type(amount) == "number" and amount >= 0 then
      out[k] = amount
    else
      say(("resource %s must be a number, not '%s'"):format(k, tostring(amount)))
    end
  end
  return out
end

local budget_spec = { usd = "number", tokens = "number", time = "number|string", steps = "integer" }

--- budget = { usd, tokens, time, steps }: time in seconds.
---@param v table
---@param say orrery.Say
---@return table
function clauses.budget(v, say)
  local t = table_of("budget", v, budget_spec, say)
  t.time = clauses.duration("budget.time", t.time, say)
  for name, n in sorted.pairs(t) do
    if type(n) == "number" and n < 0 then say(("budget.%s is below 0"):format(name)) end
  end
  return t
end

local secret_spec = { env = "string", file = "string", run = "string|list", key = "boolean" }

--- secrets = { "NAME", NAME = { env | file | run, key } }.
---@param v string|table
---@param say orrery.Say
---@return table<string, table>
function clauses.secrets(v, say)
  local out = {}
  if type(v) == "string" then v = { v } end
  for k, item in sorted.pairs(v) do
    if math.type(k) == "integer" then
      if env_name(item, say) then out[item] = { env = item } end
    elseif env_name(k, say) then
      if type(item) == "string" then item = { env = item } end
      local t = type(item) == "table" and table_of("secret " .. k, item, secret_spec, say) or {}
      local sources = (t.env and 1 or 0) + (t.file and 1 or 0) + (t.run and 1 or 0)
      if sources ~= 1 then
        say(("secret %s needs exactly one of env, file, run"):format(k))
      elseif t.key and t.run then
        say(("secret %s cannot be in the key: to plan, its command would have to run"):format(k),
          "key = true goes with env and file")
      end
      out[k] = t
    end
  end
  return out
end

local gate_spec = { schema = "string|table", check = "string|function", score = "number",
  rubric = "string", verdict = "string", checks = "list", improve = "boolean" }

--- gate = { schema = { [path] = schema }, check } of files and values; of artifacts also
--- { score, rubric, checks, verdict, improve }: the least score, what it goes by, sentences that
--- hold, where the verdict is written, whether the makers of what it reads try to do better.
---@param v table
---@param say orrery.Say
---@return table
function clauses.gate(v, say)
  local t = table_of("gate", v, gate_spec, say)
  for path, schema in sorted.pairs(type(t.schema) == "table" and t.schema or {}) do
    local named = type(path) == "string" or path == 1
    if not named or (type(schema) ~= "string" and type(schema) ~= "table") then
      say('gate.schema maps an output to its schema: { ["report.json"] = "schemas/report.json" }')
    end
  end
  return t
end

local probe_spec = { run = "string|list", tcp = "string|number", http = "string", log = "string",
  every = "number|string", timeout = "number|string" }

--- ready = { run | tcp | http | log, every, timeout } of a service.
---@param v table
---@param say orrery.Say
---@return table
function clauses.ready(v, say)
  local t = table_of("ready", v, probe_spec, say)
  local n = 0
  for _, how in ipairs { "run", "tcp", "http", "log" } do n = n + (t[how] ~= nil and 1 or 0) end
  if n ~= 1 then say("ready needs exactly one of run, tcp, http, log") end
  if type(t.log) == "string" and not t.log:find("{{", 1, true) then
    local re, why = require("orrery.core.regex").compile(t.log)
    if not re then say(("ready.log: bad pattern: %s"):format(why.message)) end
  end
  t.every = clauses.duration("ready.every", t.every, say) or 0.5
  t.timeout = clauses.duration("ready.timeout", t.timeout, say) or 60
  return t
end

-- Signals that a program can be asked to end by.
local ends = { TERM = true, INT = true, HUP = true, QUIT = true, KILL = true, USR1 = true,
  USR2 = true, WINCH = true, ABRT = true }

--- stop = { signal, grace } of a service.
---@param v table
---@param say orrery.Say
---@return table
function clauses.stop(v, say)
  local t = table_of("stop", v, { signal = "string", grace = "number|string" }, say)
  t.signal = type(t.signal) == "string" and t.signal:gsub("^SIG", "") or "TERM"
  if not ends[t.signal] then
    say(("stop.signal: '%s' is no signal to end by"):format(t.signal), nearest.hint(t.signal, ends)
      or "it is one of " .. table.concat(sorted.keys(ends), ", "))
  end
  t.grace = clauses.duration("stop.grace", t.grace, say) or 2
  return t
end

clauses.policies = { stop = {}, settled = {}, fail_fast = {}, race = {},
  quorum = { need = "integer|string", rest = "=finish|=cancel" } }

local function quorum(t, say)
  local need = t.need
  if need == nil then return say("quorum needs need", 'write { "quorum", need = 3 } or "80%"') end
  local share = type(need) == "string" and tonumber(need:match("^(%d+%.?%d*)%%$"))
  if type(need) == "string" and not (share and share <= 100)
    or math.type(need) == "integer" and need < 1 then
    say(("quorum need '%s' is neither a number of members nor a share"):format(tostring(need)),
      'write need = 3 or need = "80%"')
  end
end

--- policy = "name" | { "name", options… } | function(g, opt). has(name) tells whether a
--- module of the user exists.
---@param v any
---@param say orrery.Say
---@param has fun(name: string): boolean
---@return orrery.PolicySpec?
function clauses.policy(v, say, has)
  if type(v) == "function" then return { module = "function", options = {}, fn = v } end
  local name, options = v, {}
  if type(v) == "table" then
    name = v[1] or v.name
    for k, item in pairs(v) do
      if k ~= 1 and (k ~= "name" or v[1]) then options[k] = item end
    end
  end
  if type(name) == "function" then return { module = "function", options = options, fn = name } end
  if type(name) ~= "string" then
    return say("a policy is a name, { name, options } or a function",
      'such as "settled" or { "quorum", need = 3 }')
  end
  local spec = clauses.policies[name]
  if spec then
    options = table_of(name, options, spec, say)
    if name == "quorum" then quorum(options, say) end
  elseif not has(name) then
    return say(("policy '%s' is not found"):format(name), nearest.hint(name, clauses.policies)
      or "it is none of " .. table.concat(sorted.keys(clauses.policies), ", ")
      .. ", nor a module in lua/, workflows/ or path")
  end
  return { module = name, options = options }
end

return clauses
