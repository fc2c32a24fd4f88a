-- Lua source as tokens with lines: enough to see what stands before an error.
local lexer = {}

local keywords = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat "
  .. "return then true until while"):gmatch("%a+") do
  keywords[word] = true
end

-- The end of a long bracket that opens at i, or nil.
local function long_bracket(text, i)
  local level = text:match("^%[(=*)%[", i)
  if not level then return nil end
  local _, e = text:find("]" .. level .. "]", i, true)
  return e or #text
end

local function quoted(text, i)
  local quote, j = text:sub(i, i), i + 1
  while j <= #text do
    local c = text:sub(j, j)
    if c == quote or c == "\n" then return j end
    j = j + (c == "\\" and 2 or 1)
  end
  return #text
end

local function comment(text, i)
  local e = long_bracket(text, i + 2)
  if e then return e end
  return (text:find("\n", i, true) or #text + 1) - 1
end

-- Kind and end of what begins at i.
local function scan(text, i)
  local c = text:sub(i, i)
  local e = text:match("^[%a_][%w_]*()", i)
  if e then return keywords[text:sub(i, e - 1)] and "keyword" or "name", e - 1 end
  if c == '"' or c == "'" then return "string", quoted(text, i) end
  if c == "[" then
    e = long_bracket(text, i)
    if e then return "string", e end
  end
  e = text:match("^%.?%d[%w%.]*()", i)
  if e then return "number", e - 1 end
  e = text:match("^%.%.%.?()", i) or text:match("^[=~<>]=()", i) or text:match("^::()", i)
  return "op", (e or i + 1) - 1
end

--- All tokens of a text.
---@param text string
---@return { kind: string, text: string, first: integer, last: integer }[] kind is name,
---  keyword, string, number or op; first and last are the lines it begins and ends on
function lexer.tokens(text)
  local out, i, line = {}, 1, 1
  while true do
    local start = text:find("%S", i)
    if not start then return out end
    local _, skipped = text:sub(i, start - 1):gsub("\n", "")
    line = line + skipped
    local kind, stop
    if text:sub(start, start + 1) == "--" then
      stop = comment(text, start)
    else
      kind, stop = scan(text, start)
    end
    local word = text:sub(start, stop)
    local _, inside = word:gsub("\n", "")
    if kind then
      out[#out + 1] = { kind = kind, text = word, first = line, last = line + inside }
    end
    line = line + inside
    i = stop + 1
  end
end

return lexer
