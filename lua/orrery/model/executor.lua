-- What executes an agent, as orrery.lua says it: agents = { NAME = { run = … | http = … } }.
-- Everything is checked when the file is read; durations come out in seconds, sizes in bytes.
local clauses = require("orrery.model.clauses")
local lazy = require("orrery.kernel.lazy")
local sorted = require("orrery.kernel.sorted")
local units = lazy("orrery.model.units")

local executor = {}

local spec = { run = "string|list", http = "table", reads = "string", env = "table",
  price = "table", circuit = "table|boolean", resources = "table", fallback = "string|list" }

local http_spec = { base_url = "string", model = "string", key = "string", headers = "table",
  temperature = "number", max_tokens = "integer", stream = "boolean", system = "string",
  timeout = "number|string", max_input = "number|string", retry = "table" }

-- What an endpoint that is there for others may do now and then.
local RETRY = { attempts = 4, delay = 1, backoff = 2, max_delay = 60, jitter = true,
  on = { "rate_limit", "network" } }

local function variable(what, name, say)
  if type(name) == "string" and name:find("^[%a_][%w_]*$") then return name end
  say(("%s is the name of an environment variable, not '%s'"):format(what, type(name) == "string"
    and #name > 12 and name:sub(1, 3) .. "…" or tostring(name)),
    "write the name, such as key = \"OPENAI_API_KEY\"; the value stays in the environment")
end

-- Texts, or { env = NAME } for what nobody is to read here.
local function headers_of(what, list, say)
  local out = {}
  for name, v in sorted.pairs(list) do
    if type(name) ~= "string" or not name:find("^[%w%-_]+$") then
      say(("%s.headers: '%s' is no name of a header"):format(what, tostring(name)))
    elseif type(v) == "table" then
      local t = clauses.fields(what .. ".headers." .. name, v, { env = "string" }, say)
      out[name] = { env = variable(what .. ".headers." .. name .. ".env", t.env, say) }
    elseif type(v) ~= "string" or v:find("%c") then
      say(("%s.headers.%s is one line of text, or { env = \"NAME\" }"):format(what, name))
    else
      out[name] = v
    end
  end
  return out
end

local function url_of(what, url, say)
  if not url then
    return say(what .. " has no base_url", 'write base_url = "https://host/v1"')
  end
  if not url:find("^https?://[^/%s%c]+[^%s%c]*$") then
    say(("%s.base_url '%s' is no address"):format(what, url), 'write "https://host/v1"')
  elseif url:find("^https?://[^/]*@") then
    say(what .. ".base_url has a password in it", "name a variable instead: key = \"NAME\"")
  end
  return (url:gsub("/+$", ""))
end

local function http_of(what, v, say)
  local t = clauses.fields(what, v, http_spec, say)
  t.base_url = url_of(what, t.base_url, say)
  if not t.model then say(what .. " has no model") end
  if t.key then t.key = variable(what .. ".key", t.key, say) end
  t.headers = headers_of(what, t.headers or {}, say)
  t.timeout = clauses.duration(what .. ".timeout", t.timeout, say) or 600
  if t.max_input ~= nil then
    local bytes = units.bytes(t.max_input)
    if not bytes then say(("%s.max_input '%s' is no size"):format(what, tostring(t.max_input))) end
    t.max_input = bytes
  end
  t.max_input = t.max_input or 256 * 1024
  t.retry = t.retry and clauses.retry(t.retry, say) or RETRY
  return t
end

local function circuit_of(what, v, say)
  if v == nil or v == true then return nil end
  if v == false then return false end
  local t = clauses.fields(what, v, { failures = "integer", open = "number|string",
    wait = "boolean" }, say)
  if t.failures and t.failures < 1 then say(what .. ".failures is at least 1") end
  t.open = clauses.duration(what .. ".open", t.open, say)
  return t
end

-- A list of texts, or one; what else is in it is refused.
local function words_of(what, v, say)
  local list = type(v) == "string" and { v } or v
  for i, word in ipairs(list or {}) do
    if type(word) ~= "string" or word == "" then
      say(("%s: word %d is %s, not a text"):format(what, i, word == "" and "empty"
        or "a " .. type(word)))
    end
  end
  return list
end

local function one(role, v, say)
  local what = ("agents['%s']"):format(role)
  if type(v) == "string" then return { run = v } end
  if type(v) ~= "table" then
    return say(what .. " is no executor", "write { run = { \"cmd\" } } or { http = { … } }")
  end
  local t = clauses.fields(what, v, spec, say)
  if (t.run == nil) == (t.http == nil) then
    say(what .. " needs one of run and http", "write { run = { \"cmd\" } } or { http = { … } }")
  elseif t.run and (t.run == "" or #t.run == 0) then
    say(what .. ".run is empty", "write { run = { \"cmd\" } }")
  end
  if t.reads and t.reads ~= "request" then
    say(("%s.reads is \"request\", not '%s'"):format(what, t.reads))
  end
  if t.http then t.http = http_of(what .. ".http", t.http, say) end
  if t.price then
    t.price = clauses.fields(what .. ".price", t.price, { input = "number", output = "number" },
      say)
  end
  t.circuit = circuit_of(what .. ".circuit", t.circuit, say)
  if t.resources then t.resources = clauses.resources(t.resources, say) end
  t.fallback = words_of(what .. ".fallback", t.fallback, say)
  if type(t.run) == "table" then words_of(what .. ".run", t.run, say) end
  return t
end

--- Checks and completes `agents` of orrery.lua.
---@param agents table<string, any>
---@param say orrery.Say
---@return table<string, table>
function executor.all(agents, say)
  local out = {}
  for role, v in sorted.pairs(agents) do
    if type(role) ~= "string" then
      say("agents are named: agents = { [\"*\"] = { run = { \"cmd\" } } }")
    else
      out[role] = one(role, v, say)
    end
  end
  return out
end

return executor
