-- What an agent answers: one JSON document as the last line of its standard output. All
-- else it prints is the step's log.
local json = require("orrery.core.json")

local answer = {}

local known = { status = true, value = true, usage = true, error = true }

local function document(line)
  if not line:find("^%s*{") then return nil end
  local v = json.decode(line)
  if type(v) ~= "table" then return nil end
  for k in pairs(v) do
    if known[k] then return v end
  end
end

local function split(text)
  local body = text:gsub("%s+$", "")
  local at = body:match("^.*\n()") or 1
  return document(body:sub(at)), body:sub(1, at - 1)
end

local function text_of(v, otherwise) return type(v) == "string" and v ~= "" and v or otherwise end

local function failure(doc)
  local e = type(doc.error) == "table" and doc.error or {}
  local message = text_of(e.message, text_of(doc.error, text_of(doc.value, "the agent failed")))
  return { class = text_of(e.class, "agent"), message = message,
    retry_after = tonumber(e.retry_after), feedback = { message } }
end

--- Reads the answer out of an ended command's output.
---@param came table of steps.run
---@return table came with value, usage, error, asks
---@usage answer.take({ stdout = '{"status":"ok","value":1}', exit = 0 }).value --> 1
function answer.take(came)
  local doc, log = split(came.stdout or "")
  if not doc then return came end
  came.stdout = log
  if type(doc.usage) == "table" then came.usage = doc.usage end
  if doc.status == "failed" or (came.error and type(doc.error) == "table") then
    came.error = failure(doc)
  elseif doc.status == "needs_approval" then
    came.asks = "the agent asks for approval: " .. text_of(doc.value, "see its log")
  elseif doc.status ~= nil and doc.status ~= "ok" then
    came.error = { class = "agent", message = ("the agent answered status '%s'; it is ok, failed "
      .. "or needs_approval"):format(tostring(doc.status)) }
  end
  if doc.value ~= json.null then came.value = doc.value end
  return came
end

return answer
