-- What steps took in earlier runs, kept in the checkout's index: for the order of
-- starts, for estimates, for admission by memory.
local pack = require("orrery.core.pack")
local usage = require("orrery.run.records.usage")

local history = {}
local History = {}
History.__index = History

-- A step that used less than this is not worth weighing.
local MEMORY_FLOOR = 64 * 1024 * 1024
-- A duration is written again only when it moved by this share.
local DRIFT = 0.2
-- How many of the last calls of an agent are remembered.
local CALLS = 9

--- The history of a workflow.
---@param index core.Index?
---@param workflow string its name
---@return orrery.History
function history.open(index, workflow)
  return setmetatable({ index = index, prefix = "took:" .. workflow .. "\0" }, History)
end

local function read(self, name)
  local bytes = self.index and self.index:get(name)
  return bytes and pack.decode(bytes) or nil
end

-- Members of one fan-out share a record only by id, as other steps do. There may be many
-- steps, so what the index holds is not held here, too.
local function record(self, step) return read(self, self.prefix .. step.id) end

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

-- Of a step in this workflow, and of a role in any.
local function names(self, step, role)
  local out = { self.prefix .. step.id .. "\0used" }
  if role then out[2] = "used:" .. role end
  return out
end

local function median(list, at)
  local sorted = {}
  for i, one in ipairs(list) do sorted[i] = one[at] or 0 end
  table.sort(sorted)
  local mid = (#sorted + 1) // 2
  return #sorted % 2 == 1 and sorted[mid] or (sorted[mid] + sorted[mid + 1]) / 2
end

--- What a step is expected to use of a budget: the median of its last calls, else of the last
--- calls of its role. Without any, `calls` is nil.
---@param step orrery.Step
---@param role? string
---@return { time?: number, usd?: number, tokens?: number, calls?: integer }
function History:expects(step, role)
  local r, list = record(self, step), nil
  for _, name in ipairs(role and names(self, step, role) or {}) do
    list = list or read(self, name)
  end
  return { time = r and r[1] or nil, usd = list and median(list, 1), calls = list and #list,
    tokens = list and median(list, 2) }
end

--- Takes in what a call of an agent used.
---@param step orrery.Step
---@param role string
---@param u orrery.Usage
function History:used(step, role, u)
  if not self.index then return end
  for _, name in ipairs(names(self, step, role)) do
    local list = table.move(read(self, name) or {}, 1, CALLS - 1, 2, {})
    list[1] = { u.cost_usd or 0, usage.tokens(u) or 0 }
    self.index:put(name, pack.encode(list))
  end
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
    then return end
  self.index:put(self.prefix .. step.id, pack.encode({ mean, rss or 0 }))
end

return history
