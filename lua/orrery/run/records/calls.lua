-- The calls of a run by key and occurrence: which how-manieth call of its key each is,
-- and what the run that is being resumed finished under the same. So `resume` repeats
-- no finished call, in whatever order a changed script makes them.
local calls = {}
local Calls = {}
Calls.__index = Calls

--- The calls of a run; `past` are those of the runs it resumes.
---@param past? table<string, table<integer, function>> key → occurrence → reads the result
---@param questions? orrery.Questions what these asked people, and what was decided
---@param used? orrery.Usage what their agents used
---@return orrery.Calls
function calls.new(past, questions, used)
  return setmetatable({ past = past or {}, seen = {}, any = past ~= nil,
    questions = questions, used = used }, Calls)
end

--- Counts a call of this key.
---@param key string
---@return integer occurrence from 1
function Calls:enter(key)
  local n = (self.seen[key] or 0) + 1
  self.seen[key] = n
  return n
end

--- What the resumed run finished under key and occurrence; nil when nothing.
---@param key string
---@param occurrence integer
---@return orrery.Result?
function Calls:recall(key, occurrence)
  local found = self.past[key]
  local read = found and found[occurrence]
  return read and read() or nil
end

return calls
