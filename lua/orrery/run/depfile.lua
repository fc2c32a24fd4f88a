-- Dep files as gcc and clang write them: "out.o: a.c \" and so on; headers become inputs.
local depfile = {}

--- The prerequisites named by a dep file's text, in order, without repeats.
---@param text string
---@return string[] paths as written, unescaped
---@usage depfile.parse("a.o: a.c \\\n b\\ c.h") --> { "a.c", "b c.h" }
function depfile.parse(text)
  local out, seen = {}, {}
  text = text:gsub("\\\r?\n", " ")
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    -- a colon ends the targets only when a blank or the end follows: "C:x" is a path
    local rest = line:match("^.-:%s(.*)$") or line:match("^.-:$") and ""
    rest = rest and rest:gsub("\\ ", "\1"):gsub("%$%$", "$"):gsub("\\#", "#")
    for word in (rest or ""):gmatch("%S+") do
      local path = word:gsub("\1", " ")
      if not seen[path] then
        seen[path] = true
        out[#out + 1] = path
      end
    end
  end
  return out
end

return depfile
