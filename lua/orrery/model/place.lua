-- Where something stands in a workflow file: the line that called a constructor, and,
-- once there is something to say about it, the line of one of its fields.
local sys = require("orrery.core.sys")

local place = {}

-- Our own modules are no place: "@orrery." when embedded, "@DIR/orrery/" from a tree.
local own = debug.getinfo(1, "S").source:match("^(.*)model[%./]place")

--- The nearest caller outside our own modules. A tail call (`return o.workflow …`) has
--- lost its line; then there is none, and what stands above the C call that runs a file is
--- not asked.
---@param last? orrery.Place what it was the last time; given back when it still is
---@return orrery.Place
function place.caller(last)
  local file, line = sys.caller(3, own) -- 2 is the function of ours that asks
  if not file then return {} end
  if last and last.line == line and last.file == file then return last end
  return { file = file, line = line }
end

--- The line that called what asks, when it is none of ours and not C.
---@return orrery.Place?
function place.reader()
  local info = debug.getinfo(3, "Sl")
  if not info or info.what == "C" or info.source:sub(1, #own) == own then return nil end
  return { file = (info.source:gsub("^[@=]", "")), line = info.currentline }
end

local function escape(name) return (name:gsub("%p", "%%%0")) end

local function lines_from(text, first)
  local n, at = 1, 1
  while n < first do
    at = text:find("\n", at, true)
    if not at then return function() end end
    at, n = at + 1, n + 1
  end
  n = n - 1
  local next_line = text:sub(at):gmatch("([^\n]*)\n?")
  return function()
    n = n + 1
    local line = next_line()
    if line then return n, line end
  end
end

--- The line where the field `name` of a constructor called on `from.line` is written;
--- `from` itself when it cannot be seen (the fields came out of a function).
---@param text string? source of the file
---@param from orrery.Place
---@param name string
---@return orrery.Place
function place.field(text, from, name)
  if not text or not from.line or type(name) ~= "string" then return from end
  local wanted = "%f[%w_%-]" .. escape(name) .. "['\"]?%]?%s*=[^=]"
  for n, line in lines_from(text, from.line) do
    local found, other = line:find(wanted), line:find("%f[%w]step%s*%(?%s*[\"']")
    if n > from.line and other and (not found or other < found) then break end
    if found then return { file = from.file, line = n } end
  end
  return from
end

--- The first line whose text matches a pattern.
---@param text string?
---@param pattern string
---@return integer?
function place.find(text, pattern)
  if not text then return nil end
  for n, line in lines_from(text, 1) do
    if line:find(pattern) then return n end
    if n > 100000 then return nil end
  end
end

--- One line of a text.
---@param text string?
---@param wanted integer?
---@return string
function place.line(text, wanted)
  if not text or not wanted then return "" end
  local _, line = lines_from(text, wanted)()
  return line or ""
end

return place
