-- Dep files as gcc and clang write them, and make reads: "out.o: a.c \" and so on. What is
-- right of a colon becomes an input; a rule without prerequisites (-MP) adds nothing.
local depfile = {}

-- The words of a text, with what stands between them undone: a backslash before a blank or
-- '#' stands for it, pairs of backslashes before one for one, "$$" for "$"; any other
-- backslash is itself, as in the paths of a cross compiler.
local function unescaped(text, i)
  local word, n = {}, #text
  while i <= n do
    local c = text:sub(i, i)
    if c == "\\" then
      local run = text:match("^\\+", i)
      local after = text:sub(i + #run, i + #run)
      if after:find("^[%s#]") and after ~= "\n" then
        word[#word + 1] = ("\\"):rep(#run // 2)
        i = i + #run
        if #run % 2 == 1 then
          word[#word + 1] = after
          i = i + 1
        elseif after ~= "#" then
          break
        end
      else
        word[#word + 1] = run
        i = i + #run
      end
    elseif c == "$" and text:sub(i + 1, i + 1) == "$" then
      word[#word + 1] = "$"
      i = i + 2
    elseif c:find("%s") then
      break
    else
      word[#word + 1] = c
      i = i + 1
    end
  end
  return table.concat(word), i
end

-- A colon ends the targets only when a blank or the end follows: "C:x" is a path.
local function after_targets(line)
  local from = 1
  while true do
    local at = line:find(":", from, true)
    if not at then return nil end
    if line:find("^[%s]", at + 1) or at == #line then return at + 1 end
    from = at + 1
  end
end

--- The prerequisites named by a dep file's text, in order, without repeats.
---@param text string
---@return string[] paths as written, unescaped
---@usage depfile.parse("a.o: a.c \\\n b\\ c.h") --> { "a.c", "b c.h" }
function depfile.parse(text)
  local out, seen = {}, {}
  text = text:gsub("\r\n", "\n"):gsub("\\\n", " ")
  for line in text:gmatch("[^\n]+") do
    local i = not line:find("^%s*#") and after_targets(line)
    while i and i <= #line do
      i = line:match("^%s*()", i)
      local path, after = unescaped(line, i)
      if after == i then break end
      i = after
      if path ~= "" and not seen[path] then
        seen[path] = true
        out[#out + 1] = path
      end
    end
  end
  return out
end

return depfile
