-- Lua source of values and of conditions: what `orrery agents convert` writes with.
local spell = {}

local WIDTH = 96

local reserved = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch("%a+") do reserved[word] = true end

--- Source as it is, among values.
---@param text string
function spell.code(text) return setmetatable({ text = text }, spell) end

local function quoted(s)
  local out = s:gsub('[%c"\\\127]', function(c)
    if c == "\n" then return "\\n" elseif c == '"' then return '\\"' elseif c == "\\" then
      return "\\\\" elseif c == "\t" then return "\\t" end
    return ("\\%03d"):format(c:byte())
  end)
  return '"' .. out .. '"'
end

-- Text of several lines stands as it is; the first line break after [[ is none of it.
local function text_of(s)
  if not s:find("\n") or s:find("[%c]", 1) and s:gsub("\n", ""):find("%c") then
    return quoted(s)
  end
  local level = ""
  while s:find("]" .. level .. "]", 1, true) or s:sub(-1 - #level) == "]" .. level do
    level = level .. "="
  end
  return "[" .. level .. "[\n" .. s .. "]" .. level .. "]"
end

local function key_of(k)
  if type(k) == "string" and k:find("^[%a_][%w_]*$") and not reserved[k] then return k end
  return type(k) == "string" and "[" .. quoted(k) .. "]" or "[" .. tostring(k) .. "]"
end

local value_of

-- The parts of a table: { key, value } pairs and plain values, in order.
local function parts_of(t, indent)
  local parts = {}
  for i, item in ipairs(t) do
    if type(item) == "table" and item.key ~= nil then
      parts[i] = key_of(item.key) .. " = " .. value_of(item.value, indent)
    else
      parts[i] = value_of(item, indent)
    end
  end
  return parts
end

-- One line when it fits, else as many as fill the width.
local function table_of(t, indent)
  local parts = parts_of(t, indent .. "  ")
  if #parts == 0 then return "{}" end
  local one = "{ " .. table.concat(parts, ", ") .. " }"
  if #indent + #one + 20 <= WIDTH and not one:find("\n") then return one end
  local lines, line = {}, indent .. "  "
  for _, part in ipairs(parts) do
    if #line > #indent + 2 and (#line + #part + 1 > WIDTH or part:find("\n")) then
      lines[#lines + 1] = line:gsub("%s+$", "")
      line = indent .. "  "
    end
    line = line .. part .. ", "
  end
  lines[#lines + 1] = line:gsub("%s+$", "")
  return "{\n" .. table.concat(lines, "\n") .. "\n" .. indent .. "}"
end

function value_of(v, indent)
  if getmetatable(v) == spell then return v.text end
  if type(v) == "table" then return table_of(v, indent) end
  if type(v) == "string" then return text_of(v) end
  if v == math.huge or v == -math.huge then return v > 0 and "math.huge" or "-math.huge" end
  if math.type(v) == "float" and v == math.floor(v) and v < 1e15 and v > -1e15 then
    return ("%d"):format(v)
  end
  return tostring(v)
end

--- A value as source. Tables are lists whose entries are values or { key =, value = }.
---@param v any
---@param indent? string
---@return string
---@usage spell.value { { key = "a", value = 1 }, "x" } --> '{ a = 1, "x" }'
function spell.value(v, indent) return value_of(v, indent or "") end

--- The fields of a call over several lines, each on its own; nil values are left out.
---@param fields { key: any, value: any }[]
---@param indent string
---@return string
function spell.fields(fields, indent)
  local lines = {}
  for _, f in ipairs(fields) do
    lines[#lines + 1] = ("%s%s = %s,\n"):format(indent, key_of(f.key), value_of(f.value, indent))
  end
  return table.concat(lines)
end

spell.quoted = quoted

---------------------------------------------------------------------------
-- conditions

local function word(v)
  if type(v) ~= "string" then return v == nil and "null" or value_of(v, "") end
  return v:find("'", 1, true) and '"' .. v .. '"' or "'" .. v .. "'"
end

local function phrase(v)
  for one in (v .. " "):gmatch("(%S*)%s") do
    if not one:find("^[%a_][%w_%-]*$") then return word(v) end
  end
  return v
end

local condition

local function bracketed(node)
  local text = condition(node)
  return (node.op == "value" or node.op == "path" or node.op == "call") and text
    or "(" .. text .. ")"
end

local function listed(node)
  local words = {}
  for i, one in ipairs(node.words) do words[i] = phrase(one) end
  return table.concat(words, ", ")
end

function condition(node)
  local op = node.op
  if op == "value" then
    return node.raw and node.raw:match("^%s*{{%s*([%w_%-]+)%s*}}%s*$") or word(node.value)
  elseif op == "path" then
    return table.concat(node.path, ".")
  elseif op == "call" then
    return ("%s(%s)"):format(node.name, node.path.literal and word(node.path[1])
      or table.concat(node.path, "."))
  elseif op == "not" then
    return "NOT " .. bracketed(node[1])
  elseif op == "or" or op == "and" then
    local function side(n)
      local flat = n.op == op or n.op ~= "or" and n.op ~= "and"
      return flat and condition(n) or "(" .. condition(n) .. ")"
    end
    local right = node[2].op == op and "(" .. condition(node[2]) .. ")" or side(node[2])
    return ("%s %s %s"):format(side(node[1]), op:upper(), right)
  elseif op == "includes" then
    return ("%s includes %s"):format(bracketed(node[1]), phrase(node.words[1]))
  elseif op == "matches" then
    return ("%s matches %s(%s)"):format(bracketed(node[1]), node.label
      and phrase(node.label) .. " " or "", listed(node))
  end
  return ("%s %s %s"):format(bracketed(node[1]), op, bracketed(node[2]))
end

--- The text of a condition; condition.parse makes the same tree of it.
---@param tree table
---@return string
---@usage spell.condition(condition.parse("a or b")) --> "a OR b"
function spell.condition(tree) return condition(tree) end

return spell
