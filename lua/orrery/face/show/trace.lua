-- A run as a Chrome trace: a lane for each step that ran beside others.
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")

local trace = {}

-- The first lane that is free at that time.
local function lane_of(free, begun, ended)
  for i, at in ipairs(free) do
    if at <= begun then
      free[i] = ended
      return i
    end
  end
  free[#free + 1] = ended
  return #free
end

--- The trace.
---@param s table a tally of a finished run
---@return string
function trace.text(s)
  local spans, free, events = {}, {}, pack.array({})
  for _, step in pairs(s.steps) do
    if step.begun and step.ended then spans[#spans + 1] = step end
  end
  table.sort(spans, function(a, b)
    if a.begun ~= b.begun then return a.begun < b.begun end
    return a.id < b.id
  end)
  for i, step in ipairs(spans) do
    events[i] = { name = step.id, cat = step.kind or "step", ph = "X", pid = 1,
      tid = lane_of(free, step.begun, step.ended), ts = math.floor(step.begun * 1e6),
      dur = math.floor((step.ended - step.begun) * 1e6),
      args = { status = step.status, reason = step.reason, cpu = step.cpu, rss = step.rss,
        attempts = step.attempts } }
  end
  return assert(json.encode({ traceEvents = events, displayTimeUnit = "ms",
    otherData = { workflow = s.run and s.run.workflow, run = s.run and s.run.run } },
    { lossy = true })) .. "\n"
end

return trace
