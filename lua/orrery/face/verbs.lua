-- Commands whose first word says what they do: orrery cache prune.
local errors = require("orrery.kernel.errors")
local nearest = require("orrery.kernel.nearest")

local verbs = {}

--- Does what the first word of an invocation says. Raises code "usage" when there is none, or
--- it is not known.
---@param c table the invocation
---@param name string of the command, as it is named in messages
---@param usage string
---@param known table<string, fun(c: table): integer> by word
---@param usual? string the word that is meant where none is given
---@return integer
function verbs.go(c, name, usage, known, usual)
  local word = c.words[1] or usual
  if not word then
    errors.raise("usage", ("say what %s is to do"):format(name), { hint = usage })
  end
  if known[word] then return known[word](c) end
  errors.raise("usage", ("%s cannot '%s'"):format(name, word),
    { hint = nearest.hint(word, known) or usage })
end

return verbs
