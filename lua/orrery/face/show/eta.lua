-- How long a run will still take, from what its steps took before: at least the longest
-- chain of what is left, at least all that is left over the places there are.
local eta = {}

-- Seconds from the start of each step to the end of the longest chain behind it.
local function tails(s)
  local behind, tail = {}, {}
  for _, p in ipairs(s.plan) do
    for _, need in ipairs(p.needs or {}) do
      behind[need] = behind[need] or {}
      table.insert(behind[need], p.id)
    end
  end
  -- Plans come in an order where what is needed comes first, so one way back is enough.
  for i = #s.plan, 1, -1 do
    local p, best = s.plan[i], 0
    for _, id in ipairs(behind[p.id] or {}) do best = math.max(best, tail[id] or 0) end
    tail[p.id] = best + (p.expected or 0)
  end
  return tail
end

--- An estimator over a tally, which must have its plan.
---@param s table
---@return fun(now: number): number? seconds left; nil when too little is known
function eta.new(s)
  local tail, known = tails(s), 0
  for _, p in ipairs(s.plan) do known = known + (p.expected and 1 or 0) end
  if known == 0 or known * 2 < #s.plan then return function() end end
  local clean, taken = {}, 0
  return function(now)
    while taken < #s.clean do
      taken = taken + 1
      for _, id in ipairs(s.clean[taken]) do clean[id] = true end
    end
    local work, longest = 0, 0
    for _, p in ipairs(s.plan) do
      local step = s.steps[p.id]
      if not clean[p.id] and not (step and step.status) then
        local gone = step and step.begun and now - step.begun or 0
        work = work + math.max(0, (p.expected or 0) - gone)
        longest = math.max(longest, tail[p.id] - math.min(gone, p.expected or 0))
      end
    end
    return math.max(longest, work / math.max(1, s.run and s.run.jobs or 1))
  end
end

return eta
