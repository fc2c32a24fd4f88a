-- What a body called the last time: it is known only from there what it may call.
local journal = require("orrery.run.records.journal")
local runs = require("orrery.run.records.runs")

local called = {}

local function calls_in(events, prefix, out)
  local groups, n = {}, 0
  for _, ev in ipairs(events) do
    if ev.ev == "group_finished" then groups[ev.id] = true end
  end
  for _, ev in ipairs(events) do
    if ev.ev == "step_added" and ev.kind ~= "body" and not groups[ev.id]
      and ev.id:sub(1, #prefix) == prefix then
      out[#out + 1] = { id = ev.id, verdict = "maybe", reason = "called last time" }
      n = n + 1
    end
  end
  return n
end

--- Adds the calls of the last run of this workflow that made any to a plan.
---@param run orrery.Run
---@param out orrery.PlanEntry[]
---@param prefix string of their ids: "" or "review/"
function called.last_time(run, out, prefix)
  local root_name = run.outermost or run.workflow.name
  for _, id in ipairs(runs.ids(run.root)) do
    local events = journal.read(runs.dir(run.root) .. "/" .. id .. "/journal.jsonl")
    local first = events and events[1]
    if first and first.workflow == root_name and calls_in(events, prefix, out) > 0 then return end
  end
end

return called
