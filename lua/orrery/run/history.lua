-- What steps took in earlier runs, kept in the checkout's index: for the order of
-- starts, for estimates, for admission by memory.
local pack = require("orrery.core.pack")

local history = {}
local History = {}
History.__index = History

-- A step that used less than this is not worth weighing.
local MEMORY_FLOOR = 64 * 1024 * 1024
-- A duration is written again only when it moved by this share.
local DRIFT = 0.2

--- The history of a workflow.
---@param index core.Index?
---@param workflow string its name
---@return orrery.History
function history.open(index, workflow)
  return setmetatable({ index = index, prefix = "took:" .. workflow .. "\0", seen = {} }, History)
end

-- Members of one fan-out share a record only by id, as other steps do.
local function record(self, step)
  local id = step.id
  local r = self.seen[id]
  if r == nil then
    local bytes = self.index and self.index:get(self.prefix .. id)
    r = bytes and pack.decode(bytes) or false
    self.seen[id] = r
  end
  return r
end

--- Seconds a step is expected to take; nil when it never ran.
---@param step orrery.Step
---@return number?
function History:expected(step)
  local r = record(self, step)
  return r and r[1] or nil
end

--- Bytes of memory a step is expected to need, when that is much.
---@param step orrery.Step
---@return integer?
function History:memory(step)
  local r = record(self, step)
  return r and r[2] and r[2] >= MEMORY_FLOOR and r[2] or nil
end

--- What a step is expected to use of a budget.
---@param step orrery.Step
---@return { time?: number, usd?: number, tokens?: number }
function History:expects(step)
  local r = record(self, step)
  return r and { time = r[1], usd = r[3], tokens = r[4] } or {}
end

local function usage_of(result, old)
  local u = result.usage
  if not u then return old and old[3], old and old[4] end
  return u.usd or u.cost_usd, u.tokens or (u.tokens_in or 0) + (u.tokens_out or 0)
end

--- Takes in what a step took: the mean leans towards the newest.
---@param step orrery.Step
---@param result orrery.Result
function History:note(step, result)
  if not self.index or not result.seconds then return end
  local old = record(self, step)
  local mean = old and (old[1] + result.seconds) / 2 or result.seconds
  local rss = result.rss and math.max(result.rss, old and old[2] and old[2] // 2 or 0)
    or old and old[2] or nil
  if old and math.abs(mean - old[1]) <= DRIFT * old[1] and (rss or 0) == old[2]
    and not result.usage then return end
  local usd, tokens = usage_of(result, old)
  local new = { mean, rss or 0, usd, tokens }
  self.seen[step.id] = new
  self.index:put(self.prefix .. step.id, pack.encode(new))
end

return history
