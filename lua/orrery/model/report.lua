-- Collects what is wrong with a workflow, all of it, so that one load says everything.
local errors = require("orrery.kernel.errors")
local place = require("orrery.model.place")

local report = {}

---@class orrery.Messages
---@field messages orrery.Message[]
---@field sources table<string, string> file → text, for the lines of fields
local Report = {}
Report.__index = Report

--- A report; `sources` maps the files that were read to their text.
---@param sources? table<string, string>
---@return orrery.Messages
function report.new(sources)
  return setmetatable({ messages = {}, sources = sources or {}, failed = false }, Report)
end

-- What is said twice in a row is said once: the same value may be met a million times.
local function keep(self, m)
  local last = self.messages[#self.messages]
  if last and last.text == m.text and last.level == m.level and last.place == m.place
    and last.hint == m.hint then return end
  self.messages[#self.messages + 1] = m
end

local function add(self, level, at, text, hint)
  keep(self, { place = at or {}, level = level, text = text, hint = hint })
end

--- Adds an error: what was loaded is refused.
---@param at? orrery.Place
---@param text string without the place
---@param hint? string what to do
function Report:error(at, text, hint)
  self.failed = true
  add(self, "error", at, text, hint)
end

--- Adds a warning: like error, and nothing is refused.
---@param at? orrery.Place
---@param text string
---@param hint? string
function Report:warning(at, text, hint) add(self, "warning", at, text, hint) end

--- Adds a message made elsewhere; a place it lacks is given.
---@param m orrery.Message
---@param at orrery.Place
function Report:add(m, at)
  m.place = m.place or at
  m.level = m.level or "error"
  self.failed = self.failed or m.level == "error"
  keep(self, m)
end

--- Adds what evaluating a file raised: messages, an error value, or a text whose own place
--- ("file:line: text") counts before `at`.
---@param err any
---@param at orrery.Place
function Report:caught(err, at)
  if type(err) == "table" and err.messages then
    for _, m in ipairs(err.messages) do self:add(m, at) end
    return
  end
  local text = errors.text(err)
  local file, line, rest = text:match("^([^\n]-):(%d+): (.*)$")
  if file and self.sources[file] then
    return self:error({ file = file, line = tonumber(line) }, rest)
  end
  self:error(at, text)
end

--- Where a field of a node is written.
---@param node table
---@param name string
---@return orrery.Place
function Report:at(node, name)
  local known = node.places and node.places[name]
  if known then return known end
  if node.places then return node.place end
  return place.field(self.sources[node.place.file], node.place, name)
end

--- The messages by file and line, in the order found where these are equal.
---@return orrery.Message[]
function Report:sorted()
  local order = {}
  for i, m in ipairs(self.messages) do order[m] = i end
  table.sort(self.messages, function(a, b)
    local fa, fb = a.place.file or "", b.place.file or ""
    if fa ~= fb then return fa < fb end
    local la, lb = a.place.line or 0, b.place.line or 0
    if la ~= lb then return la < lb end
    return order[a] < order[b]
  end)
  return self.messages
end

--- Raises code "invalid" when there is an error among the messages.
function Report:settle()
  if self.failed then errors.invalid(self:sorted()) end
end

return report
