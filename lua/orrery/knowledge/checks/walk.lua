-- Walks what a step made: the strings of a JSON value with their pointers, the lines of a
-- text with their numbers.
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")

local walk = {}

local function escape(key)
  return (tostring(key):gsub("~", "~0"):gsub("/", "~1"))
end

--- Calls f(value, key, pointer) for each string of a JSON value, in order. Strings of a list
--- have the list's key.
---@param value any
---@param f fun(text: string, key: string?, at: string)
---@param key? string
---@param at? string
function walk.strings(value, f, key, at)
  at = at or ""
  if type(value) == "string" then return f(value, key, at) end
  if type(value) ~= "table" or value == pack.null then return end
  if #value > 0 then
    for i, v in ipairs(value) do walk.strings(v, f, key, ("%s/%d"):format(at, i - 1)) end
    return
  end
  for k, v in sorted.pairs(value) do
    walk.strings(v, f, tostring(k), ("%s/%s"):format(at, escape(k)))
  end
end

--- Calls f(table, key, pointer) for each object under a key of that name, wherever it is.
---@param value any
---@param name string
---@param f fun(found: any, at: string)
---@param at? string
function walk.named(value, name, f, at)
  at = at or ""
  if type(value) ~= "table" then return end
  for k, v in sorted.pairs(value) do
    local here = ("%s/%s"):format(at, type(k) == "number" and k - 1 or escape(k))
    if k == name then f(v, here) else walk.named(v, name, f, here) end
  end
end

--- Calls f(line, number) for each line of a text.
---@param text string
---@param f fun(line: string, number: integer)
function walk.lines(text, f)
  local n = 0
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    n = n + 1
    f(line, n)
  end
end

return walk
