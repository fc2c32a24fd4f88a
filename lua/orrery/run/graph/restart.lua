-- Ending a run because what it reads has changed under it, so that the next may begin: steps
-- that the change concerns are ended, with their trees; others of which something would be
-- remembered go on to their end; nothing new starts.
local restart = {}

local REMEMBERED = { run = true, call = true, skill = true, agent = true }

--- Begins to end a run.
---@param run orrery.Run
---@param what { concerned?: table<string, true> } ids of steps whose inputs changed; without
---  them every step is concerned
function restart.begin(run, what)
  if run.interrupted then return end
  run.interrupted, run.restarting = 130, what
  if run.scheduler.top.g then run.scheduler.top.g:close("changed") end
end

--- The whole is to end now, whatever changed.
---@param run orrery.Run
---@param code integer
function restart.overrule(run, code)
  run.interrupted, run.restarting = code, nil
  for _, node in ipairs(run.scheduler.order) do
    if run.scheduler.tasks[node] and not node.members then
      run.scheduler:cancel(node, "interrupted")
    end
  end
end

--- Does this step go on?
---@param run orrery.Run
---@param step orrery.Step
---@return boolean
function restart.spares(run, step)
  local concerned = run.restarting and run.restarting.concerned
  if not concerned or run.prefix ~= "" or not REMEMBERED[step.kind] or not step.inputs then
    return false
  end
  local id = step.member_of or step.id
  if concerned[step.id] or concerned[id] then return false end
  for other in pairs(concerned) do
    local first = other:match("^[^/%[]+") or other
    if run.workflow.graph and run.workflow.graph:is_before(first, id) then return false end
  end
  return true
end

return restart
