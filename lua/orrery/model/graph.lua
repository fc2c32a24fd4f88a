-- Order over a workflow. Nodes are the steps, and two for each group: where it starts and
-- where it has ended, so that an edge to a group of a thousand members is one edge.
--
--    needs ──▶ start(G) ──▶ member ──▶ core(G) ──▶ finally 1 ──▶ finally 2 ──▶ end(G)
local graph = {}

---@class orrery.Graph
---@field order orrery.Step[]
---@field loops table[]          what goes in circles; see graph.describe
local Graph = {}
Graph.__index = Graph

local function node(self, what, item)
  local n = { what = what, item = item, before = {} }
  self.nodes[#self.nodes + 1] = n
  return n
end

local function edge(from, to)
  to.before[#to.before + 1] = from
end

-- The node that is done when the id is done.
local function done_of(self, id)
  local item = self.by_id[id]
  return item and (self.step_node[item] or self.end_node[item])
end

local function link(self, to, ids)
  for _, id in ipairs(ids) do
    local from = done_of(self, id)
    if from then edge(from, to) end
  end
end

local function make_group_nodes(self, g)
  self.start_node[g] = node(self, "start", g)
  self.core_node[g] = node(self, "core", g)
  self.end_node[g] = #g.finally > 0 and node(self, "end", g) or self.core_node[g]
end

local function link_group(self, g)
  local start, last = self.start_node[g], self.core_node[g]
  edge(start, last)
  if g.parent then edge(self.start_node[g.parent], start) end
  link(self, start, g.needs)
  link(self, start, g.after)
  for _, member in ipairs(g.members) do
    local first = self.step_node[member] or self.start_node[member]
    if first then
      if self.step_node[member] then edge(start, first) end
      edge(self.step_node[member] or self.end_node[member], self.core_node[g])
    end
  end
  for _, s in ipairs(g.finally) do
    local n = self.step_node[s] or self.start_node[s]
    if n then
      edge(last, n)
      last = self.step_node[s] or self.end_node[s]
    end
  end
  if #g.finally > 0 then edge(last, self.end_node[g]) end
end

local GREY, BLACK = 1, 2

local function cycle_at(stack, from)
  local at = #stack
  while stack[at].node ~= from do at = at - 1 end
  local found = {}
  for i = at, #stack do found[#found + 1] = stack[i].node end
  return found
end

-- Depth first with a stack of our own, members in file order: what must come before is
-- visited before, so the order of leaving is a topological one.
local function visit(self, root)
  local stack = { { node = root, at = 0 } }
  self.color[root] = GREY
  while #stack > 0 do
    local top = stack[#stack]
    top.at = top.at + 1
    local before = top.node.before[top.at]
    if not before then
      self.color[top.node] = BLACK
      stack[#stack] = nil
      if top.node.what == "step" then self.order[#self.order + 1] = top.node.item end
    elseif not self.color[before] then
      self.color[before] = GREY
      stack[#stack + 1] = { node = before, at = 0 }
    elseif self.color[before] == GREY then
      self.loops[#self.loops + 1] = cycle_at(stack, before)
    end
  end
end

--- The graph of a workflow whose edges are complete. With cycles, `loops` is not empty and
--- `order` leaves edges of them out.
---@param wf orrery.Workflow
---@param groups orrery.Group[] all of them, the top first
---@return orrery.Graph
function graph.new(wf, groups)
  local self = setmetatable({ by_id = wf.by_id, nodes = {}, step_node = {}, start_node = {},
    core_node = {}, end_node = {}, color = {}, order = {}, loops = {}, groups = groups }, Graph)
  for _, s in ipairs(wf.steps) do self.step_node[s] = node(self, "step", s) end
  for _, g in ipairs(groups) do make_group_nodes(self, g) end
  for _, s in ipairs(wf.steps) do
    link(self, self.step_node[s], s.needs)
    link(self, self.step_node[s], s.after)
  end
  for _, g in ipairs(groups) do link_group(self, g) end
  for _, n in ipairs(self.nodes) do
    if not self.color[n] then visit(self, n) end
  end
  self.color = nil
  return self
end

local function reach(self, id)
  local from = self.by_id[id]
  local start = from and (self.step_node[from] or self.start_node[from])
  return start and { start, from and self.end_node[from] } or {}
end

-- All nodes before the given ones, or nil as soon as `wanted` is met.
local function sweep(starts, wanted)
  local seen, queue = {}, {}
  for _, n in ipairs(starts) do queue[#queue + 1] = n end
  while #queue > 0 do
    local n = table.remove(queue)
    for _, b in ipairs(n.before) do
      if b == wanted then return nil end
      if not seen[b] then
        seen[b] = true
        queue[#queue + 1] = b
      end
    end
  end
  return seen
end

local function ids_of(seen, except)
  local out = {}
  for n in pairs(seen) do
    if n.what == "step" or n.what == "core" or n.what == "end" then
      if n.item.id ~= except and n.item.id ~= "" then out[n.item.id] = true end
    end
  end
  return out
end

--- All ids before a step or group.
---@param id string
---@return table<string, true>
function Graph:upstream(id)
  return ids_of(sweep(reach(self, id)), id)
end

--- Is `id` before `of`: must it have ended when `of` starts? Early exit, no table of ids.
---@param id string
---@param of string
---@return boolean
function Graph:is_before(id, of)
  local wanted, item = done_of(self, id), self.by_id[of]
  local start = item and (self.step_node[item] or self.start_node[item])
  if not wanted or not start then return false end
  return sweep({ start }, wanted) == nil
end

-- Why `later` waits for `earlier`, in words.
local function reason(later, earlier)
  local id = earlier.id
  if later.implied and later.implied[id] then
    return ("%s reads %s, an output of %s"):format(later.id, later.implied[id], id)
  end
  for _, need in ipairs(later.needs or {}) do
    if need == id then return ("%s needs %s"):format(later.id, id) end
  end
  for _, one in ipairs(later.after or {}) do
    if one == id then return ("%s is after %s"):format(later.id, id) end
  end
  if later.finally then return ("%s holds %s"):format(later.id, id) end
  return ("%s is in %s"):format(later.id, id)
end

local function name(item) return item.id == "" and "the workflow" or item.id end

--- A loop as text: "a → b → a" where an arrow means "waits for", and why for each edge.
---@param loop table one of graph.loops
---@param where fun(place: orrery.Place): string
---@return string path, string whys, orrery.Step|orrery.Group first
function graph.describe(loop, where)
  local items = {}
  for _, n in ipairs(loop) do
    if items[#items] ~= n.item then items[#items + 1] = n.item end
  end
  if #items > 1 and items[1] == items[#items] then items[#items] = nil end
  local words, whys = {}, {}
  for i, item in ipairs(items) do
    local next_item = items[i % #items + 1]
    words[i] = name(item)
    whys[i] = ("%s (%s)"):format(reason(item, next_item), where(item.place))
  end
  words[#words + 1] = words[1]
  return table.concat(words, " → "), table.concat(whys, "; "), items[1]
end

return graph
