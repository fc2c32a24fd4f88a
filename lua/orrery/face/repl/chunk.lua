-- From text to a function: an expression, statements, or statements and a last expression
-- ("d = f(); #d, d[1]"). Locals at the top outlive their line: they become prompt names.
local chunk = {}

-- How the compiler says that the text ends too soon.
local function is_open(why)
  return why:find("<eof>['\"]?$") ~= nil and not why:find("unfinished string", 1, true)
end

local function compile(text, name, env)
  return load(text, name, "t", env)
end

-- "local x = 1" → "x = 1", "local function f" → "function f"; attribs stay local.
local function unlocal(text)
  local fn = text:match("^%s*local%s+(function%s+[%a_].*)$")
  if fn then return fn end
  local names, rest = text:match("^%s*local%s+([%a_][%w_,%s]*)(=[^=].*)$")
  if names then return names .. rest end
  names = text:match("^%s*local%s+([%a_][%w_,%s]*)$")
  return names and names .. " = nil" or text
end

-- Statements, then an expression after the last ";" that splits so.
local function split(text, name, env)
  local at = #text
  while true do
    local before = text:sub(1, at)
    at = before:match("^.*();")
    if not at then return nil end
    local f = compile(text:sub(1, at) .. " return " .. text:sub(at + 1), name, env)
    if f and text:sub(at + 1):find("%S") then return f end
    at = at - 1
  end
end

--- Compiles what was typed.
---@param text string
---@param name string chunk name, "=prompt"
---@param env table
---@return function? f
---@return string? why
---@return boolean? incomplete more lines could make it whole
function chunk.load(text, name, env)
  local f, as_expression = compile("return " .. text, name, env)
  if f then return f end
  local code = unlocal(text)
  local why
  f, why = compile(code, name, env)
  if f then return f end
  f = split(code, name, env)
  if f then return f end
  if is_open(as_expression) then return nil, as_expression, true end
  return nil, why, is_open(why)
end

return chunk
