-- What agents use: tokens and money, of one answer, a step or a run.
local usage = {}

---@class orrery.Usage
---@field tokens_in? integer
---@field tokens_out? integer
---@field cost_usd? number

local function number(v)
  local n = tonumber(v)
  return n and n == n and n >= 0 and n < math.huge and n or nil
end

local function whole(v)
  local n = number(v)
  return n and math.floor(n + 0.5) or nil
end

--- What an executor said it used, in our words, with the cost by its price when it named none.
--- nil: it said nothing that counts.
---
---     usage.of({ tokens_in = 1000 }, { input = 3, output = 15 }).cost_usd --> 0.003
---@param said any
---@param price? { input?: number, output?: number } usd for a million tokens
---@return orrery.Usage?
function usage.of(said, price)
  if type(said) ~= "table" then return nil end
  local u = { tokens_in = whole(said.tokens_in), tokens_out = whole(said.tokens_out),
    cost_usd = number(said.cost_usd) or number(said.usd) }
  if not u.tokens_in and not u.tokens_out then u.tokens_in = whole(said.tokens) end
  if not u.cost_usd and price and (u.tokens_in or u.tokens_out) then
    u.cost_usd = ((u.tokens_in or 0) * (price.input or 0)
      + (u.tokens_out or 0) * (price.output or 0)) / 1e6
  end
  return next(u) and u or nil
end

--- Both together; either may be nil.
---@param a orrery.Usage?
---@param b orrery.Usage?
---@return orrery.Usage?
function usage.sum(a, b)
  if not a or not b then return a or b end
  local out = {}
  for _, name in ipairs({ "tokens_in", "tokens_out", "cost_usd" }) do
    if a[name] or b[name] then out[name] = (a[name] or 0) + (b[name] or 0) end
  end
  return out
end

--- All tokens; nil when none are known.
---@param u orrery.Usage?
---@return integer?
function usage.tokens(u)
  if not u or not (u.tokens_in or u.tokens_out) then return nil end
  return (u.tokens_in or 0) + (u.tokens_out or 0)
end

-- Adds to one side of a total.
local function add(total, u, calls)
  local sum = usage.sum(total, u) or {}
  sum.calls = total.calls + calls
  return sum
end

--- The total of a run's events: calls and what they used; under `saved` the same of the
--- answers that were there already. nil until there is something to count.
---@param total table?
---@param ev orrery.JournalEvent
---@return table?
function usage.take(total, ev)
  if ev.ev == "agent_call" then
    local saved = total and total.saved
    total = add(total or { calls = 0 }, ev.usage, 1)
    total.saved = saved
    return total
  end
  local kept = ev.ev == "hits" and ev.usage or ev.ev == "step_finished" and ev.saved_usage
    and { ev.saved_usage }
  for _, u in pairs(kept or {}) do
    total = total or { calls = 0 }
    total.saved = add(total.saved or { calls = 0 }, u, 1)
  end
  return total
end

return usage
