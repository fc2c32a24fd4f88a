-- The longest path first: a node's priority is what it is expected to take and the
-- longest way from its end to the end of the run. Durations are those of earlier runs;
-- what never ran counts as the median of the others.
local nodes = require("orrery.run.graph.node")

local priority = {}

local function median(list)
  if #list == 0 then return 1 end
  table.sort(list)
  return list[(#list + 1) // 2]
end

-- The end of a group: what comes after it comes after its last member.
local function ending(at, node)
  local finish = at.finish[node]
  if not finish then
    finish = { outs = node.outs, afters = node.afters, owner = node.owner }
    at.finish[node] = finish
  end
  return finish
end

-- Calls visit(at, successor) for everything that comes directly after.
local function successors(at, node, visit)
  if node.members then
    for _, member in ipairs(node.members) do visit(at, member) end
    return visit(at, ending(at, node))
  end
  for _, d in ipairs(node.outs or {}) do visit(at, d) end
  for _, d in ipairs(node.afters or {}) do visit(at, d) end
  if node.owner then visit(at, ending(at, node.owner)) end
end

-- Takes in what is known of a successor, or asks for it.
local function look(at, node)
  local p = at.prio[node]
  if p then
    if p > at.longest then at.longest = p end
  elseif not at.open[node] then -- an open one is on the way here: a circle
    at.stack[#at.stack + 1] = node
  end
end

-- Depth first with a stack of our own: a chain may be longer than Lua can recurse.
local function settle(at, root)
  if at.prio[root] then return end
  local stack = at.stack
  stack[1] = root
  while #stack > 0 do
    local n = #stack
    local node = stack[n]
    if at.prio[node] then
      stack[n] = nil
    else
      at.open[node], at.longest = true, 0
      successors(at, node, look)
      if #stack == n then
        at.prio[node] = at.longest + (at.cost[node] or 0)
        at.open[node], stack[n] = nil, nil
      end
    end
  end
end

-- In steps of a factor √2, so that the noise of measuring does not change the order of
-- runs; below a hundredth of a second all are alike.
local function rounded(seconds)
  return 2 ^ (math.floor(math.log(math.max(seconds, 0.01), 2) * 2 + 0.5) / 2)
end

-- The steps' costs: measured, or the median of what is.
local function costs(sched)
  local history, cost, known = sched.run.history, {}, {}
  for _, node in ipairs(sched.linked) do
    if node.kind ~= "group" then
      local c = history and history:expected(node.unit)
      c = c and rounded(c)
      cost[node] = c or false
      if c then known[#known + 1] = c end
    end
  end
  local middle = median(known)
  for node, c in pairs(cost) do cost[node] = c or middle end
  return cost
end

--- Gives every node of a scheduler its priority.
---@param sched orrery.Scheduler
function priority.assign(sched)
  local at = { prio = {}, open = {}, finish = {}, stack = {}, cost = costs(sched) }
  for i = #sched.linked, 1, -1 do settle(at, sched.linked[i]) end
  for _, node in pairs(sched.nodes) do nodes.rank(node, at.prio[node] or 0) end
end

return priority
