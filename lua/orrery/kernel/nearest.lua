-- "Did you mean": the candidate nearest to a word by edit distance, where a swap of
-- neighbours counts as one edit and at most a third of the word may differ.
local sorted = require("orrery.kernel.sorted")

local nearest = {}

--- Edit distance (insert, delete, replace, swap neighbours); over `limit` it gives up.
---@param a string
---@param b string
---@param limit? integer
---@return integer
function nearest.distance(a, b, limit)
  limit = limit or math.huge
  if math.abs(#a - #b) > limit then return limit + 1 end
  local before, above, row = {}, {}, {}
  for j = 0, #b do above[j] = j end
  for i = 1, #a do
    row[0] = i
    local best, ca, pa = i, a:byte(i), a:byte(i - 1)
    for j = 1, #b do
      local cb = b:byte(j)
      local d = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (ca == cb and 0 or 1))
      if i > 1 and j > 1 and ca == b:byte(j - 1) and pa == cb then
        d = math.min(d, before[j - 2] + 1)
      end
      row[j] = d
      if d < best then best = d end
    end
    if best > limit then return limit + 1 end
    before, above, row = above, row, before
  end
  return above[#b]
end

--- The nearest candidate that is near enough, or nil. Ties go to the first in order.
--- nearest.find("neds", { "needs", "env" }) --> "needs"
---@param word string
---@param candidates string[]|table<string, any> a list, or a table whose keys count
---@return string?
function nearest.find(word, candidates)
  local list = rawget(candidates, 1) ~= nil and candidates or sorted.keys(candidates)
  local limit = math.max(1, #word // 3)
  local best, at
  for _, c in ipairs(list) do
    if type(c) == "string" and c ~= word then
      local d = nearest.distance(word, c, limit)
      if c:lower() == word:lower() then d = 0 end
      if d <= limit and d < #c and (not at or d < at) then best, at = c, d end
    end
  end
  return best
end

--- As a hint: "did you mean 'needs'?", or nil.
---@param word string
---@param candidates string[]|table<string, any>
---@return string?
function nearest.hint(word, candidates)
  local c = nearest.find(word, candidates)
  return c and ("did you mean '%s'?"):format(c) or nil
end

return nearest
