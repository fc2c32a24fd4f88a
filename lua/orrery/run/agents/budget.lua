-- Budgets: money, tokens, time and steps of a run. Asked before a launch, with what such a
-- call used in earlier runs; that much is set aside until the call has ended and what it
-- really used is known. What runs already may finish.
local errors = require("orrery.kernel.errors")
local usage = require("orrery.run.records.usage")

local budget = {}
local Budget, Loan = {}, {}
Budget.__index, Loan.__index = Budget, Loan

local NAMES = { "usd", "tokens", "time", "steps" }
local UNIT = { usd = "$%.4g", tokens = "%.0f tokens", time = "%.1f s", steps = "%.0f steps" }
local SHORT = { usd = "$%.4g", tokens = "%.0f", time = "%.1f", steps = "%.0f" }

--- Limits by name: those of the first that has one. --budget counts before the workflow, the
--- workflow before orrery.lua.
---@param ... table?
---@return table<string, number>
function budget.limits(...)
  local out = {}
  for i = 1, select("#", ...) do
    local given = select(i, ...) or {}
    for _, name in ipairs(NAMES) do
      if out[name] == nil then out[name] = given[name] end
    end
  end
  return out
end

--- The budget of a run; nil limits are none.
---@param limits { usd?: number, tokens?: number, time?: number|string, steps?: integer }?
---@param now fun(): number
---@param past orrery.Usage? what the runs that this one resumes used
---@return orrery.Budget
function budget.new(limits, now, past)
  local l = budget.limits(limits)
  if type(l.time) == "string" then l.time = require("orrery.time").parse(l.time) end
  local self = setmetatable({ limits = l, spent = { usd = 0, tokens = 0, steps = 0 },
    reserved = { usd = 0, tokens = 0 }, now = now, began = now(), limited = next(l) ~= nil,
    said = {} }, Budget)
  self.left = setmetatable({}, { __index = function(_, name) return budget.left(self, name) end })
  self:spend(past)
  return self
end

--- What is left of one limit, without what running calls are expected to use; math.huge when
--- it has none.
---@param self orrery.Budget
---@param name "usd"|"tokens"|"time"|"steps"
---@return number
function budget.left(self, name)
  local limit = self.limits[name]
  if not limit then return math.huge end
  if name == "time" then return limit - (self.now() - self.began) end
  return limit - (self.spent[name] or 0) - (self.reserved[name] or 0)
end

--- Counts what a call used.
---@param u orrery.Usage?
function Budget:spend(u)
  if not u then return end
  self.spent.usd = self.spent.usd + (u.cost_usd or 0)
  self.spent.tokens = self.spent.tokens + (usage.tokens(u) or 0)
end

-- Commands and functions cost neither money nor tokens, unless they did before.
local function matters(self, name, step, needs)
  if not self.limits[name] then return false end
  return name == "time" or name == "steps" or step.kind == "agent" or needs > 0
end

local function refuse(self, name, needs, runs)
  local left = math.max(self.left[name], 0)
  local expected = needs > 0 and name ~= "steps" and (", %s expected (the median of %d earlier "
    .. "call%s)"):format(UNIT[name]:format(needs), runs or 1, (runs or 1) == 1 and "" or "s") or ""
  if name == "time" then expected = needs > 0 and (", %.1f s expected"):format(needs) or "" end
  errors.raise("budget", ("would pass the budget: %s of %s left%s"):format(
    SHORT[name]:format(left), UNIT[name]:format(self.limits[name]), expected), { class = "budget",
    hint = ("to go on: orrery resume --budget %s=N, with more than %s"):format(name,
      name == "time" and "that" or ("%.6g"):format(self.limits[name])) })
end

--- Counts a launch and sets aside what it is expected to use; raises code "budget" when it
--- would pass a limit. The steps that clean up always may.
---@param step orrery.Step
---@param expected? { usd?: number, tokens?: number, time?: number, calls?: integer } before
---@return table loan to be closed when the call has ended
function Budget:launch(step, expected)
  expected = expected or {}
  for _, name in ipairs(self.limited and not step.final and NAMES or {}) do
    local needs = name == "steps" and 1 or expected[name] or 0
    local left = self.left[name]
    if matters(self, name, step, needs) and (left <= 0 or needs > left) then
      refuse(self, name, needs, expected.calls)
    end
  end
  self.spent.steps = self.spent.steps + 1
  local loan = setmetatable({ of = self, usd = expected.usd or 0, tokens = expected.tokens or 0 },
    Loan)
  self.reserved.usd = self.reserved.usd + loan.usd
  self.reserved.tokens = self.reserved.tokens + loan.tokens
  return loan
end

--- Is there a limit on what only agents use, while nothing is known of this one? Says yes once
--- for each role.
---@param role string
---@param expected { usd?: number, tokens?: number }
---@return boolean
function Budget:in_the_dark(role, expected)
  local limits = self.limits
  if not (limits.usd or limits.tokens) or expected.calls or self.said[role] then return false end
  self.said[role] = true
  return true
end

--- The call has ended: what was set aside is free, what it used is spent.
function Loan:__close()
  local b = self.of
  b.reserved.usd, b.reserved.tokens = b.reserved.usd - self.usd, b.reserved.tokens - self.tokens
  self.usd, self.tokens = 0, 0
  b:spend(self.used)
  self.used = nil
end

return budget
