-- An agent behind an OpenAI-compatible endpoint: its request becomes one chat completion, made
-- by curl as a child of the loop. The key goes to curl on its standard input, in a config, so
-- that it is on no command line and in no file; in all that is said or kept it is masked.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local json = require("orrery.core.json")
local loop = require("orrery.kernel.loop")
local messages = require("orrery.steps.agent.http.messages")
local reply = require("orrery.steps.agent.http.reply")
local shape = require("orrery.steps.agent.http.shape")
local sorted = require("orrery.kernel.sorted")
local stream = require("orrery.steps.agent.http.stream")

local http = {}

-- More is no answer.
local MOST = 16 * 1024 * 1024
local CONNECT = 30

-- What curl may need to get out.
local PASSED = { "PATH", "HOME", "TMPDIR", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
  "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE",
  "ASAN_OPTIONS" }

local function failure(class, message, hint)
  return { exit = 1, stdout = "", stderr = "", error = { class = class, message = message,
    hint = hint, final = true, keep_feedback = true } }
end

---------------------------------------------------------------------------
-- the call

local function body_of(step, doc, form, conf)
  return json.encode({ model = step.model or conf.model, temperature = conf.temperature,
    max_tokens = conf.max_tokens, messages = messages.of(doc, form, conf),
    response_format = shape.format(form), stream = conf.stream or nil,
    stream_options = conf.stream and { include_usage = true } or nil }, { lossy = true })
end

local function quoted(text)
  return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
end

-- The value of a variable that must be there; it is hidden from now on.
local function secret(run, name)
  local value = run.process_env[name]
  value = value and value:gsub("%s+$", "")
  if not value or value == "" then
    return nil, failure("auth", ("the environment variable %s, which holds the key, is not set")
      :format(name), ("export %s=…"):format(name))
  end
  if value:find("%c") then
    return nil, failure("auth", ("the environment variable %s holds more than a key"):format(name))
  end
  if run.secrets then run.secrets:hide(run, value) end
  return value
end

local function headers_of(run, conf)
  local out = { "Content-Type: application/json", "Expect:" }
  if conf.key then
    local key, bad = secret(run, conf.key)
    if bad then return nil, bad end
    out[#out + 1] = "Authorization: Bearer " .. key
  end
  for name, v in sorted.pairs(conf.headers) do
    local bad
    if type(v) == "table" then v, bad = secret(run, v.env) end
    if bad then return nil, bad end
    out[#out + 1] = name .. ": " .. v
  end
  return out
end

-- What curl reads on its standard input.
local function config_of(conf, headers, file)
  local lines = { "url = " .. quoted(conf.base_url .. "/chat/completions"),
    "data-binary = " .. quoted("@" .. file), "include", "silent", "show-error", "globoff",
    "suppress-connect-headers", "connect-timeout = " .. CONNECT, 'proto = "=http,https"' }
  if conf.stream then lines[#lines + 1] = "no-buffer" end
  for _, h in ipairs(headers) do lines[#lines + 1] = "header = " .. quoted(h) end
  return table.concat(lines, "\n") .. "\n"
end

local function env_of(run)
  local list = {}
  for _, name in ipairs(PASSED) do
    local v = run.process_env[name]
    if v then list[#list + 1] = name .. "=" .. v end
  end
  return list
end

-- Live text goes on as it comes; what the answer was is read again from the whole.
local function listener(run, step, conf)
  if not (conf.stream and run.live) then return nil end
  local s = stream.new(function(text) run.live((run.prefix or "") .. step.id, 1, text) end)
  return function(which, data)
    if which == 1 then s:take(data) end
  end
end

local function call(run, step, conf, headers, file, job)
  local listen = listener(run, step, conf)
  local timeout = math.min(conf.timeout, job.timeout or math.huge)
  local event, why = loop.child({ argv = { "curl", "-q", "-K", "-" }, env = env_of(run),
    cwd = run.root, timeout = timeout, stdin = config_of(conf, headers, file), limit = MOST,
    output = "capture", live = listen ~= nil or nil,
    tag = ("%s/%s/%d"):format(run.id, step.id, job.attempt) }, listen)
  if not event then
    if not errors.is(why) then error(why, 0) end
    return nil, failure("error", "curl, which makes the calls of HTTP agents, does not start: "
      .. why.message, "install curl")
  end
  if event.timed_out then
    return nil, { exit = event.code, stdout = "", stderr = "", error = { class = "timeout",
      keep_feedback = true, message = ("no answer within %g s"):format(timeout) } }
  end
  if event.killed then
    return nil, { exit = event.code, stdout = "", stderr = "", error = { class = "cancelled",
      message = "cancelled" } }
  end
  return event
end

--- The endpoint in words.
---@param conf table the executor's http
---@return string
function http.shown(conf) return ("%s at %s"):format(conf.model, conf.base_url) end

--- The parts of the key that belong to the endpoint; of secret headers the names of variables.
---@param conf table the executor's http
---@return string
function http.keyed(conf)
  local headers = {}
  for name, v in sorted.pairs(conf.headers) do
    headers[#headers + 1] = name .. "=" .. (type(v) == "table" and "$" .. v.env or v)
  end
  return http.shown(conf) .. " " .. json.encode({ system = conf.system,
    temperature = conf.temperature, max_tokens = conf.max_tokens, max_input = conf.max_input,
    headers = #headers > 0 and headers or nil })
end

--- Plays a step; suspends until the endpoint has answered.
---@param run orrery.Run
---@param step orrery.Step
---@param prepared { executor: orrery.Executor, request: table }
---@param job table
---@return table came
function http.perform(run, step, prepared, job)
  local conf, doc = prepared.executor.http, prepared.request
  local headers, bad = headers_of(run, conf)
  if bad then return bad end
  local form = shape.of(step, doc)
  local file = ("%s/ask-%s"):format(run.dir, hash.sha256((run.prefix or "") .. step.id):sub(1, 24))
  local _ <close> = setmetatable({}, { __close = function() fs.remove(file) end })
  local ok, why = fs.write_atomic(file, body_of(step, doc, form, conf), { mode = 384 })
  if not ok then return failure("error", why.message) end
  local event, none = call(run, step, conf, headers, file, job)
  if none then return none end
  local text, used, err = reply.read(event, conf)
  local came = { exit = err and 1 or 0, stdout = text and text .. "\n" or "", stderr = "",
    usage = used, error = err, cpu = event.cpu, rss = event.rss }
  if err then return came end
  came.value, came.error = shape.take(run.root, doc, form, text)
  return came
end

return http
