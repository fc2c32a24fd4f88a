-- Help for tests of HTTP agents: a scripted endpoint (tests/c/chat.c) beside the real binary.
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")
local runs = require("tests.cli.runs")

local chat = {}

local SERVER = cli.binary():gsub("[^/]*$", "tests/chat")

--- An answer of the endpoint: status 200 around a chat completion.
---@param content any text, or a table that becomes JSON
---@param more? { usage?: table|false, finish?: string, message?: table }
---@return string
function chat.says(content, more)
  more = more or {}
  if type(content) == "table" then content = json.encode(content) end
  local usage = more.usage
  if usage == nil then usage = { prompt_tokens = 100, completion_tokens = 20 } end
  local message = more.message or { role = "assistant", content = content }
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" .. json.encode({
    choices = { { message = message, finish_reason = more.finish or "stop" } },
    usage = usage or nil })
end

--- A streamed answer: a piece for each text; "PAUSE" waits for the file go.
---@param pieces string[]
---@param ending? string instead of the usual end
---@return string
function chat.streams(pieces, ending)
  local out = { "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n" }
  for _, text in ipairs(pieces) do
    out[#out + 1] = text == "PAUSE" and "PAUSE\n" or ("data: %s\n\n"):format(json.encode({
      choices = { { delta = { content = text } } } }))
  end
  out[#out + 1] = ending or ('data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    .. 'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n'
    .. "data: [DONE]\n\n")
  return table.concat(out)
end

--- A refusal.
---@param status integer
---@param text string
---@param headers? string lines, each with its end
---@return string
function chat.refuses(status, text, headers)
  return ("HTTP/1.1 %d No\r\n%sContent-Type: application/json\r\n\r\n%s"):format(status,
    headers or "", json.encode({ error = { message = text } }))
end

--- The N-th request the endpoint got: its head, and its body decoded.
---@param dir string
---@param n integer
---@return string head
---@return table body
function chat.request(dir, n)
  local text = assert(cli.read(("%s/srv/requests/%d"):format(dir, n)), "no request " .. n)
  local head, body = text:match("^(.-\r\n\r\n)(.*)$")
  return head, assert(json.decode(body))
end

--- How many requests it got.
function chat.requests(dir)
  local p <close> = assert(io.popen("ls " .. cli.quote(dir) .. "/srv/requests | wc -l"))
  return tonumber(p:read("a"))
end

--- A test as for cli.run, with `answers` by name and `agents`, the text of orrery.lua's table,
--- where URL is the endpoint's base_url. `args` (or `shell`, a script) runs beside it.
---@param t table
---@return fun()
function chat.test(t)
  local files = t.files or {}
  files["srv/requests/.keep"] = ""
  for name, text in pairs(t.answers or {}) do files["srv/answers/" .. name] = text end
  files["orrery.lua.in"] = ("return { agents = { %s }%s }\n"):format(t.agents, t.config or "")
  local lines = { runs.SHELL, ("%s srv & chat=$!"):format(cli.quote(SERVER)),
    "trap 'kill $chat 2>/dev/null' EXIT", "await srv/port",
    'sed "s#URL#http://127.0.0.1:$(cat srv/port)/v1#g" orrery.lua.in > orrery.lua',
    t.shell or ('"$orrery" ' .. t.args) }
  t.env = t.env or { KEY = "sk-very-secret-1" }
  t.files, t.shell, t.args = files, table.concat(lines, "\n"), nil
  return cli.run(t)
end

return chat
