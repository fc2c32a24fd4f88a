-- The nodes of a scheduler: what a run knows of one unit (a step, a group, a step that fans
-- out). There may be a hundred thousand, so that what neighbours have in common is kept once,
-- behind their metatable, and a field is there from when it is first needed.
local node = {}

-- What the nodes of one sort in one place have in common.
local function common(sched, kind, owner, home)
  local c = sched.common
  if not c or c.kind ~= kind or c.owner ~= owner or c.home ~= home then
    c = { kind = kind, owner = owner, home = home, sched = sched, waits = 0 }
    c.__index = c
    sched.common = c
  end
  return c
end

--- A node of a scheduler, known by the id of its unit.
---@param sched orrery.Scheduler
---@param unit orrery.Step|orrery.Group
---@param kind "step"|"group"|"fan"
---@param owner? orrery.Node of the group it is in
---@param home? orrery.G the group that hands it out
---@return orrery.Node
function node.new(sched, unit, kind, owner, home)
  -- With the fields that nearly every node gets, so that the table is made in its final size.
  local n = setmetatable({ id = unit.id, unit = unit, state = nil, result = nil },
    common(sched, kind, owner, home))
  if kind ~= "step" or unit.kind == "workflow" then n.counted = false end
  sched.nodes[unit.id] = n
  if unit.id ~= "" then sched.order[#sched.order + 1] = n end
  return n
end

--- Gives a node its priority; mostly its neighbours have the same one.
---@param n orrery.Node
---@param prio number
function node.rank(n, prio)
  local c = getmetatable(n)
  if c.prio == nil then
    c.prio = prio
  elseif c.prio ~= prio then
    n.prio = prio
  end
end

--- Does anything wait for the end of a unit, or for that of a group around it?
---@param n orrery.Node?
---@return boolean
function node.is_needed(n)
  while n do
    if n.outs or n.afters then return true end
    n = n.owner
  end
  return false
end

return node
