-- What a plan says of services: one starts when a step that uses it will run.
local jobs = require("orrery.run.keys.job")
local services = require("orrery.run.services")

local foresee = {}

--- Takes a service for offered: its key is its result. Raises what preparing it raises.
---@param run orrery.Run
---@param step orrery.Step
---@return orrery.Result
function foresee.offer(run, step)
  local job = jobs.prepare(run, step, 1, {})
  jobs.key(run, step, job)
  services.expect(run, step, job)
  return { id = step.id, ok = true, status = "ok", outputs = {}, seconds = 0, key = job.base,
    digest = job.base }
end

-- The verdict of a unit: of a fan-out the most lively one of its members.
local function verdict_of(entries, id)
  local found, by
  for _, e in ipairs(entries) do
    if e.id == id or e.id:sub(1, #id + 1) == id .. "[" then
      if e.verdict == "run" then return "run", e.id end
      if e.verdict == "maybe" then found, by = "maybe", e.id end
    end
  end
  return found, by
end

--- Settles the verdicts of services, now that those of all others are there; the last first,
--- for services use services.
---@param run orrery.Run
---@param waiting { id: string, entry: orrery.PlanEntry }[]
---@param entries orrery.PlanEntry[]
function foresee.settle(run, waiting, entries)
  for i = #waiting, 1, -1 do
    local s = waiting[i]
    local users = run.scheduler.book.users[s.id] or run.scheduler.book.users[s.of or ""] or {}
    for _, user in ipairs(require("orrery.kernel.sorted").keys(users)) do
      local verdict, by = verdict_of(entries, run.prefix .. user)
      if verdict == "run" then
        s.entry.verdict, s.entry.after, s.entry.reason = "run", nil, by .. " needs it"
        break
      elseif verdict == "maybe" then
        s.entry.verdict, s.entry.after = "maybe", by
      end
    end
  end
end

return foresee
