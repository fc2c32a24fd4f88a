-- Budgets: money, tokens, time and steps of a run. Asked before a launch, with what the
-- step used in earlier runs; what runs already may finish.
local errors = require("orrery.kernel.errors")

local budget = {}
local Budget = {}
Budget.__index = Budget

local UNIT = { usd = "%.2f usd", tokens = "%.0f tokens", time = "%.1f s", steps = "%.0f steps" }

--- The budget of a run; nil limits are none.
---@param limits { usd?: number, tokens?: number, time?: number|string, steps?: integer }?
---@param now fun(): number
---@return orrery.Budget
function budget.new(limits, now)
  local l = {}
  for name in pairs(UNIT) do l[name] = limits and limits[name] or nil end
  if type(l.time) == "string" then l.time = require("orrery.time").parse(l.time) end
  local self = { limits = l, spent = { usd = 0, tokens = 0, steps = 0 }, now = now,
    began = now(), limited = next(l) ~= nil }
  self.left = setmetatable({}, { __index = function(_, name) return budget.left(self, name) end })
  return setmetatable(self, Budget)
end

--- What is left of one limit; math.huge when it has none.
---@param self orrery.Budget
---@param name "usd"|"tokens"|"time"|"steps"
---@return number
function budget.left(self, name)
  local limit = self.limits[name]
  if not limit then return math.huge end
  if name == "time" then return limit - (self.now() - self.began) end
  return limit - (self.spent[name] or 0)
end

-- What a result used, in our words; executors say tokens_in, tokens_out, cost_usd.
local function used(usage)
  return { usd = usage.usd or usage.cost_usd or 0,
    tokens = usage.tokens or (usage.tokens_in or 0) + (usage.tokens_out or 0) }
end

--- Counts what a step used.
---@param usage table?
function Budget:spend(usage)
  if not usage then return end
  local u = used(usage)
  self.spent.usd = self.spent.usd + u.usd
  self.spent.tokens = self.spent.tokens + u.tokens
end

--- Counts a launch; raises code "budget" when the step would pass a limit.
---@param step orrery.Step
---@param expected { usd?: number, tokens?: number, time?: number }? of earlier runs
function Budget:launch(step, expected)
  if not self.limited then
    self.spent.steps = self.spent.steps + 1
    return
  end
  expected = expected or {}
  for _, name in ipairs({ "usd", "tokens", "time", "steps" }) do
    local left = self.left[name]
    local needs = name == "steps" and 1 or expected[name] or 0
    if left <= 0 or needs > left then
      errors.raise("budget", ("%s would pass the budget: %s left%s"):format(step.id,
        UNIT[name]:format(math.max(left, 0)),
        needs > 0 and ", " .. UNIT[name]:format(needs) .. " expected" or ""), { class = "budget" })
    end
  end
  self.spent.steps = self.spent.steps + 1
end

return budget
