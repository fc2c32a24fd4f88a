-- What curl --include prints, as it comes: the heads of the response, then its body; a body of
-- events (SSE) in pieces. Lines may end anywhere, a chunk too.
local json = require("orrery.core.json")

local stream = {}
local Stream = {}
Stream.__index = Stream

--- A reader that has seen nothing. `on_text` gets each piece of an answer's text as it comes.
---@param on_text? fun(text: string)
---@return table
function stream.new(on_text)
  return setmetatable({ rest = "", headers = {}, body = {}, pieces = {}, on_text = on_text,
    where = "status" }, Stream)
end

local function head(self, line)
  local status = line:match("^HTTP/%S+ (%d%d%d)")
  if status then
    self.status, self.headers = tonumber(status), {}
  elseif line ~= "" then
    local name, value = line:match("^([^:]+):%s*(.-)%s*$")
    if name then self.headers[name:lower()] = value end
  elseif self.status and self.status >= 200 then
    self.where = "body"
    self.events = self.status == 200
      and (self.headers["content-type"] or ""):find("text/event-stream", 1, true) ~= nil
  end
end

local function take_choice(self, choice)
  local delta = type(choice.delta) == "table" and choice.delta or {}
  if type(delta.content) == "string" and delta.content ~= "" then
    self.pieces[#self.pieces + 1] = delta.content
    if self.on_text then self.on_text(delta.content) end
  end
  if type(delta.refusal) == "string" then self.refusal = (self.refusal or "") .. delta.refusal end
  if type(choice.finish_reason) == "string" then self.finish = choice.finish_reason end
end

local function event(self, data)
  if data == "[DONE]" then
    self.done = true
    return
  end
  local v = json.decode(data, { last_wins = true })
  if type(v) ~= "table" then
    self.malformed = self.malformed or data
    return
  end
  if type(v.error) == "table" then self.error = v.error end
  if type(v.usage) == "table" then self.usage = v.usage end
  local choice = type(v.choices) == "table" and v.choices[1]
  if type(choice) == "table" then take_choice(self, choice) end
end

local function body(self, line)
  local data = line:match("^data: ?(.*)$")
  if data then
    self.data = self.data and self.data .. "\n" .. data or data
  elseif line == "" and self.data then
    local whole = self.data
    self.data = nil
    event(self, whole)
  end
end

local function take_lines(self)
  local at = 1
  while self.where == "status" or self.events do
    local stop = self.rest:find("\n", at, true)
    if not stop then break end
    local line = self.rest:sub(at, stop - 1):gsub("\r$", "")
    at = stop + 1
    if self.where == "status" then head(self, line) else body(self, line) end
  end
  self.rest = self.rest:sub(at)
end

--- Takes a chunk.
---@param chunk string
function Stream:take(chunk)
  if self.where == "status" or self.events then
    self.rest = self.rest .. chunk
    take_lines(self)
    if self.where == "status" or self.events then return end
    chunk, self.rest = self.rest, ""
  end
  self.body[#self.body + 1] = chunk
end

--- Nothing more comes.
function Stream:close()
  if self.events and self.data then body(self, "") end
  self.text = self.events and table.concat(self.pieces) or table.concat(self.body)
end

return stream
