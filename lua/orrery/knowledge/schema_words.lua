-- What a validation says, for people and for agents that try again: what was expected and
-- what was there, short enough for one line.
local json = require("orrery.core.json")
local nearest = require("orrery.kernel.nearest")
local shapes = require("orrery.knowledge.schema_shapes")

local words = {}

local LONGEST = 60

--- A value in few characters.
---@param v any
---@return string
function words.show(v)
  local kind = type(v)
  if kind == "function" or kind == "userdata" or kind == "thread" then return "a " .. kind end
  if v ~= v then return "nan" end
  local s = json.encode(v, { lossy = true }) or (kind == "number" and tostring(v)) or kind
  if #s <= LONGEST then return s end
  local cut = utf8.offset(s, 0, LONGEST - 2) or LONGEST - 2
  return s:sub(1, cut - 1) .. " …"
end

local show = words.show

local function counted(n, what)
  return n == 1 and "1 " .. what or ("%s %ss"):format(show(n), what)
end

function words.type(v, expected)
  local names = type(expected) == "table" and table.concat(expected, " or ") or expected
  local got = shapes.name(v)
  if got == "number" and not names:find("number") then got = "number " .. show(v) end
  return ("expected %s, got %s"):format(names, got)
end

function words.enum(v, list)
  local out, strings = {}, {}
  for i, choice in ipairs(list) do
    if i <= 12 then out[i] = show(choice) end
    if type(choice) == "string" then strings[#strings + 1] = choice end
  end
  if #list > 12 then out[13] = ("%d more"):format(#list - 12) end
  local hint = type(v) == "string" and nearest.hint(v, strings)
  return ("expected %s%s, got %s%s"):format(#list > 1 and "one of " or "",
    table.concat(out, ", "), show(v), hint and "; " .. hint or "")
end

function words.const(v, value) return ("expected %s, got %s"):format(show(value), show(v)) end

function words.multipleOf(v, m)
  return ("expected a multiple of %s, got %s"):format(show(m), show(v))
end

local function bound(sign)
  return function(v, limit) return ("expected %s %s, got %s"):format(sign, show(limit), show(v)) end
end

words.maximum, words.exclusiveMaximum = bound("at most"), bound("less than")
words.minimum, words.exclusiveMinimum = bound("at least"), bound("more than")

local function size(sign, what)
  return function(n, limit)
    return ("expected %s %s, got %d"):format(sign, counted(limit, what), n)
  end
end

words.maxLength, words.minLength = size("at most", "character"), size("at least", "character")
words.maxItems, words.minItems = size("at most", "item"), size("at least", "item")
words.maxProperties = size("at most", "key")
words.minProperties = size("at least", "key")

function words.pattern(v, pattern)
  return ("%s does not match %s"):format(show(v), pattern)
end

function words.endless(_, pattern)
  return ("the pattern %s takes too long on this text"):format(pattern)
end

function words.format(v, format) return ("%s is no %s"):format(show(v), format) end

function words.required(name, v)
  local hint = nearest.find(name, v)
  return ("'%s' is missing%s"):format(name, hint and ("; there is '%s'"):format(hint) or "")
end

function words.dependent(name, because)
  return ("'%s' is missing; '%s' needs it"):format(name, because)
end

function words.extra(name, properties)
  local hint = properties and nearest.hint(name, properties)
  return ("there is no key '%s'%s"):format(name, hint and "; " .. hint or "")
end

function words.never() return "nothing is allowed here" end

function words.extra_item(n)
  return ("expected at most %s"):format(counted(n, "item"))
end

function words.unique(first, second)
  return ("items %d and %d are the same"):format(first, second)
end

function words.contains(found, least)
  if least == 1 then return "expected an item that fits 'contains', there is none" end
  return ("expected at least %s items that fit 'contains', got %d"):format(show(least), found)
end

function words.too_many(found, most)
  return ("expected at most %s items that fit 'contains', got %d"):format(show(most), found)
end

words["not"] = function() return "is what 'not' refuses" end

function words.no_branch(branches)
  return ("fits none of %d alternatives: %s"):format(#branches, table.concat(branches, "; "))
end

function words.branches(first, second)
  return ("fits alternatives %d and %d; only one may fit"):format(first, second)
end

function words.depth(levels)
  return ("goes deeper than %d levels, or contains itself"):format(levels)
end

return words
