-- What a chat endpoint answered, or why it did not: text and usage, or an error whose class
-- says whether another try may help. rate_limit, network and timeout may; auth, quota and
-- request are final.
local json = require("orrery.core.json")
local stream = require("orrery.steps.agent.http.stream")
local sys = require("orrery.core.sys")
local time = require("orrery.time")

local reply = {}

-- Of a text that is no answer, what people are shown.
local SHOWN = 300

local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9,
  Oct = 10, Nov = 11, Dec = 12 }

-- Seconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT".
local function date(text)
  local day, month, year, clock = (text or ""):match("(%d%d?) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d)")
  if not months[month] then return nil end
  local ok, t = pcall(time.parse_iso, ("%s-%02d-%02dT%sZ"):format(year, months[month],
    tonumber(day), clock))
  return ok and t or nil
end

--- Seconds that Retry-After asks for: a number, or a date counted from the server's own.
---@param headers table<string, string> names in lower case
---@return number?
function reply.retry_after(headers)
  local text = headers["retry-after"]
  if not text then return nil end
  local seconds = tonumber(text)
  if seconds then return seconds >= 0 and seconds or nil end
  local at = date(text)
  return at and math.max(0, at - (date(headers.date) or sys.wall())) or nil
end

local function failure(class, message, more)
  local err = { class = class, message = message, keep_feedback = true }
  local wait = more and more.retry_after
  if wait then err.hint = "the service asks to wait " .. time.format(wait) end
  for k, v in pairs(more or {}) do err[k] = v end
  return err
end

local function brief(text)
  text = text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  return #text > SHOWN and text:sub(1, utf8.offset(text, 0, SHOWN + 1) - 1) .. "…" or text
end

-- What an error body says, whichever way it is built.
local function said(body)
  local v = json.decode(body, { last_wins = true })
  local e = type(v) == "table" and (v.error or v.message or v.detail) or nil
  if type(e) == "table" then return e.message or e.type or brief(body), e.code or e.type end
  return type(e) == "string" and e or brief(body)
end

-- Gateways send errors under status 200 too, once an upstream has failed them; the code in it is
-- the upstream's status.
local function inner_status(e)
  local code = type(e) == "table" and math.tointeger(tonumber(e.code)) or nil
  return code and code >= 400 and code < 600 and code or 502
end

local function refused_key(http, status, text)
  if not http.key then
    return ("the service wants a key (%d): %s"):format(status, text),
      'name the variable that holds it: http = { key = "NAME" }'
  end
  return ("the service refused the key in %s (%d): %s"):format(http.key, status, text)
end

local function of_status(s, http, status)
  local text, code = said(s.text)
  text = tostring(text)
  local wait = reply.retry_after(s.headers)
  if status == 401 or status == 403 then
    local message, hint = refused_key(http, status, text)
    return failure("auth", message, { final = true, hint = hint })
  end
  if status == 429 and code == "insufficient_quota" then
    return failure("quota", "the account has nothing left (429): " .. text, { final = true })
  end
  local message = ("the service answered %d: %s"):format(status, text)
  if status == 429 then return failure("rate_limit", message, { retry_after = wait }) end
  if status == 408 then return failure("timeout", message, { retry_after = wait }) end
  if status >= 500 then return failure("network", message, { retry_after = wait }) end
  if status < 400 and s.headers.location then
    message = ("the service has moved (%d) to %s; is base_url right?"):format(status,
      s.headers.location)
  end
  return failure("request", message, { final = true })
end

-- Exit codes of curl that another try will not change.
local hopeless = { [1] = true, [2] = true, [3] = true, [4] = true, [26] = true, [60] = true,
  [77] = true }

local function of_curl(event, http)
  -- After its first sentence curl tells what a certificate is.
  local text = brief((event.stderr or ""):gsub("^curl: %(%d+%) ", ""):gsub("\nMore details.*", ""))
  local message = ("%s: %s (curl %d)"):format(http.base_url,
    text ~= "" and text or "no connection", event.code)
  if event.code == 28 then return failure("timeout", message) end
  return failure("network", message, { final = hopeless[event.code],
    hint = event.code == 60 and "for a certificate of your own: export CURL_CA_BUNDLE=FILE.pem"
      or nil })
end

local function usage_of(u)
  if type(u) ~= "table" then return nil end
  return { tokens_in = u.prompt_tokens or u.input_tokens, cost_usd = u.cost_usd or u.cost,
    tokens_out = u.completion_tokens or u.output_tokens }
end

local function text_of(content)
  if type(content) ~= "table" then return type(content) == "string" and content or nil end
  local out = {}
  for _, part in ipairs(content) do
    if type(part) == "table" and type(part.text) == "string" then out[#out + 1] = part.text end
  end
  return #out > 0 and table.concat(out) or nil
end

-- What a stream came to, as answer_in.
local function streamed(s)
  if s.error then
    return nil, failure("network", "the stream broke off: " .. tostring(s.error.message))
  end
  -- A piece that nobody could read is missing in the text, however well the rest ended.
  if s.malformed then
    return nil, failure("network", "the stream is damaged: " .. brief(s.malformed))
  end
  if not s.done and not s.finish then
    return nil, failure("network", "the stream was cut off before its end")
  end
  return { text = s.text, finish = s.finish, refusal = s.refusal, usage = s.usage }
end

-- Of a whole answer, or of what a stream came to: { text, finish, refusal, usage } or an error.
local function answer_in(s, http)
  if s.events then return streamed(s) end
  local v, why = json.decode(s.text, { last_wins = true })
  local e = type(v) == "table" and type(v.choices) ~= "table" and v.error
  if type(e) == "table" then return nil, of_status(s, http, inner_status(e)) end
  local choice = type(v) == "table" and type(v.choices) == "table" and v.choices[1]
  local message = type(choice) == "table" and choice.message
  if type(message) ~= "table" then
    return nil, failure("network", v == nil and why and ("the answer is not JSON: %s: %s"):format(
      why.message, brief(s.text)) or "the answer has no choices[1].message: " .. brief(s.text))
  end
  return { text = text_of(message.content), finish = choice.finish_reason, usage = v.usage,
    refusal = type(message.refusal) == "string" and message.refusal or nil }
end

local function unusable(a)
  if a.refusal then
    return { class = "agent", message = "the model refused: " .. brief(a.refusal) }
  end
  if a.finish == "length" then
    return failure("agent", "the answer was cut off at the limit of its tokens",
      { final = true, hint = "raise max_tokens, or ask for less" })
  end
  if a.finish == "content_filter" then
    return failure("agent", "the answer was withheld by a content filter", { final = true })
  end
  if not a.text or a.text == "" then
    return failure("network", "the answer is empty")
  end
end

--- Reads what a finished curl printed.
---@param event core.Event its exit
---@param http table the executor's http
---@return string? text
---@return table? usage as usage.of takes it
---@return table? err
function reply.read(event, http)
  local s = stream.new()
  s:take(event.stdout or "")
  s:close()
  if event.truncated then
    return nil, nil, failure("agent", "the answer is too large to be one", { final = true })
  end
  if s.status and s.status >= 300 then return nil, nil, of_status(s, http, s.status) end
  if event.code ~= 0 then return nil, usage_of(s.usage), of_curl(event, http) end
  if not s.status then return nil, nil, failure("network", "the service answered nothing") end
  local a, err = answer_in(s, http)
  if not a then return nil, usage_of(s.usage), err end
  return a.text, usage_of(a.usage), unusable(a)
end

return reply
