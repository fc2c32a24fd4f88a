-- The longest path first: a node's priority is what it is expected to take and the
-- longest way from its end to the end of the run. Durations are those of earlier runs;
-- what never ran counts as the median of the others.
local priority = {}

local function median(list)
  if #list == 0 then return 1 end
  table.sort(list)
  return list[(#list + 1) // 2]
end

-- The end of a group: what comes after it comes after its last member.
local function ending(node)
  if not node.finish then
    node.finish = { outs = node.outs, afters = node.afters, owner = node.owner, cost = 0 }
  end
  return node.finish
end

-- Calls visit(successor) for everything that comes directly after.
local function successors(node, visit)
  if node.members then
    for _, member in ipairs(node.members) do visit(member) end
    visit(ending(node))
    return
  end
  for _, d in ipairs(node.outs or {}) do visit(d) end
  for _, d in ipairs(node.afters or {}) do visit(d) end
  if node.owner then visit(ending(node.owner)) end
end

-- Depth first with a stack of our own: a chain may be longer than Lua can recurse.
local function settle(root)
  local stack = { root }
  while #stack > 0 do
    local node = stack[#stack]
    if node.prio then
      stack[#stack] = nil
    elseif not node.visiting then
      node.visiting = true
      successors(node, function(s)
        if not s.prio and not s.visiting then stack[#stack + 1] = s end
      end)
    else
      local longest = 0
      successors(node, function(s)
        if s.prio and s.prio > longest then longest = s.prio end
      end)
      node.prio = longest + (node.cost or 0)
      node.visiting = nil
      stack[#stack] = nil
    end
  end
end

--- Gives every node of a scheduler its priority.
---@param sched orrery.Scheduler
function priority.assign(sched)
  local history, known, unknown = sched.run.history, {}, {}
  for _, node in ipairs(sched.linked) do
    if node.kind ~= "group" then
      node.cost = history and history:expected(node.unit)
      if node.cost then known[#known + 1] = node.cost else unknown[#unknown + 1] = node end
    end
  end
  local middle = median(known)
  for _, node in ipairs(unknown) do node.cost = middle end
  for _, node in ipairs(sched.linked) do settle(node) end
  for _, node in pairs(sched.nodes) do
    node.cost, node.finish, node.prio = nil, nil, node.prio or 0
  end
end

return priority
