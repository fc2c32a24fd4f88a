-- What a function raised, when that is no text and no error value: a table of its own, a
-- result. People are told what it holds and where it was raised, not its address.
local errors = require("orrery.kernel.errors")
local sorted = require("orrery.kernel.sorted")

local raised = {}

-- Longer texts, more items and deeper tables are cut.
local WIDTH, ITEMS, DEPTH = 60, 8, 3

local function quoted(s)
  if #s > WIDTH then s = s:sub(1, utf8.offset(s, 0, WIDTH) - 1) .. "…" end
  return '"' .. s:gsub("[%c\"\\]", { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n" })
    :gsub("%c", "?") .. '"'
end

local render

local function name_of(k)
  if type(k) == "string" and k:find("^[%a_][%w_]*$") then return k end
  return "[" .. render(k, DEPTH) .. "]"
end

local function table_text(t, depth)
  local mt = debug.getmetatable(t)
  if type(mt) == "table" and mt.__brief then t = mt.__brief(t) end
  if next(t) == nil then return "{}" end
  if depth >= DEPTH then return "{ … }" end
  local out, plain = {}, 0
  for i = 1, math.min(#t, ITEMS) do
    plain = i
    out[i] = render(rawget(t, i), depth + 1)
  end
  local ok, keys = pcall(sorted.keys, t)
  for _, k in ipairs(ok and keys or {}) do
    if math.type(k) ~= "integer" or k < 1 or k > #t then
      if #out - plain == ITEMS then break end
      out[#out + 1] = name_of(k) .. " = " .. render(rawget(t, k), depth + 1)
    end
  end
  local left = (ok and #keys or #t) - #out
  if left > 0 then out[#out + 1] = ("%d more"):format(left) end
  return "{ " .. table.concat(out, ", ") .. " }"
end

function render(v, depth)
  local kind = type(v)
  if kind == "string" then return quoted(v) end
  if kind == "number" or kind == "boolean" or kind == "nil" then return tostring(v) end
  if kind == "table" then return table_text(v, depth) end
  return "a " .. kind
end

--- A value in one line, its inner tables down to the third. What a metatable's __brief gives
--- stands for a table of many fields.
--- raised.text({ a = 1, { "x" } }) --> '{ { "x" }, a = 1 }'
---@param v any
---@return string
function raised.text(v) return render(v, 0) end

-- Does it say itself what it is?
local function speaks(v)
  if type(v) ~= "table" then return type(v) == "string" or type(v) == "number" end
  local mt = debug.getmetatable(v)
  return errors.is(v) or rawget(v, "message") ~= nil
    or type(mt) == "table" and rawget(mt, "__tostring") ~= nil
end

local own = debug.getinfo(1, "S").source:match("^(.*)kernel[%./]raised")

-- "file:line: " of the nearest function above the handler that is none of ours.
local function where()
  for level = 3, 30 do
    local info = debug.getinfo(level, "Sl")
    if not info then return "" end
    if info.what ~= "C" and info.currentline > 0 and info.source:sub(1, #own) ~= own then
      return ("%s:%d: "):format(info.source:gsub("^[@=]", ""), info.currentline)
    end
  end
  return ""
end

--- A handler for xpcall: what says nothing by itself becomes an error value that does.
---@param err any
---@return any
function raised.explained(err)
  if speaks(err) then return err end
  local what = err == nil and "nil, which says nothing" or raised.text(err)
  return errors.new("raised", where() .. "raised " .. what, { value = err })
end

return raised
