-- Order over a workflow. Nodes are the steps, and two for each group: where it starts and
-- where it has ended, so that an edge to a group of a thousand members is one edge.
--
--    needs ──▶ start(G) ──▶ member ──▶ core(G) ──▶ finally 1 ──▶ finally 2 ──▶ end(G)
--
-- A step is its own node, and edges are kept at their ends: of a step that needs nothing none,
-- for there may be a hundred thousand.
local graph = {}

---@class orrery.Graph
---@field order orrery.Step[]
---@field loops table[]          what goes in circles; see graph.describe
local Graph = {}
Graph.__index = Graph

local NONE = {}

local function node(what, item) return { what = what, item = item, before = {} } end

local function item_of(n) return n.what and n.item or n end

-- What comes directly before a node.
local function before(self, n)
  return n.what and n.before or self.edges[n] or self.alone[n.group] or NONE
end

local function edge(self, from, to)
  local list = to.what and to.before or self.edges[to]
  if not list then
    list = {}
    self.edges[to] = list
  end
  list[#list + 1] = from
end

-- The node that is done when the id is done.
local function done_of(self, id)
  local item = self.by_id[id]
  return item and (self.end_node[item] or (not item.members and item) or nil)
end

local function link(self, to, ids)
  for _, id in ipairs(ids) do
    local from = done_of(self, id)
    if from then edge(self, from, to) end
  end
end

local function make_group_nodes(self, g)
  local start = node("start", g)
  self.start_node[g], self.core_node[g] = start, node("core", g)
  self.alone[g] = { start }
  self.end_node[g] = #g.finally > 0 and node("end", g) or self.core_node[g]
end

-- Its group's start is before each step; where that is all, the group has it.
local function link_step(self, s)
  link(self, s, s.needs)
  link(self, s, s.after)
  if self.edges[s] and not s.final then edge(self, self.start_node[s.group], s) end
end

local function link_group(self, g)
  local start, last = self.start_node[g], self.core_node[g]
  edge(self, start, last)
  if g.parent then edge(self, self.start_node[g.parent], start) end
  link(self, start, g.needs)
  link(self, start, g.after)
  for _, member in ipairs(g.members) do
    edge(self, self.end_node[member] or member, self.core_node[g])
  end
  for _, s in ipairs(g.finally) do
    edge(self, last, self.start_node[s] or s)
    last = self.end_node[s] or s
  end
  if #g.finally > 0 then edge(self, last, self.end_node[g]) end
end

local GREY, BLACK = 1, 2

local function cycle_at(stack, from)
  local at = #stack
  while stack[at].node ~= from do at = at - 1 end
  local found = {}
  for i = at, #stack do found[#found + 1] = stack[i].node end
  return found
end

local function all_black(self, list)
  for _, n in ipairs(list) do
    if self.color[n] ~= BLACK then return false end
  end
  return true
end

-- Depth first with a stack of our own, members in file order: what must come before is
-- visited before, so the order of leaving is a topological one.
local function visit(self, root)
  if not root.what and all_black(self, before(self, root)) then
    self.color[root] = BLACK
    self.order[#self.order + 1] = root
    return
  end
  local stack = { { node = root, at = 0 } }
  self.color[root] = GREY
  while #stack > 0 do
    local top = stack[#stack]
    top.at = top.at + 1
    local earlier = before(self, top.node)[top.at]
    if not earlier then
      self.color[top.node] = BLACK
      stack[#stack] = nil
      if not top.node.what then self.order[#self.order + 1] = top.node end
    elseif not self.color[earlier] then
      self.color[earlier] = GREY
      stack[#stack + 1] = { node = earlier, at = 0 }
    elseif self.color[earlier] == GREY then
      self.loops[#self.loops + 1] = cycle_at(stack, earlier)
    end
  end
end

--- The graph of a workflow whose edges are complete. With cycles, `loops` is not empty and
--- `order` leaves edges of them out.
---@param wf orrery.Workflow
---@param groups orrery.Group[] all of them, the top first
---@return orrery.Graph
function graph.new(wf, groups)
  local self = setmetatable({ by_id = wf.by_id, edges = {}, alone = {}, start_node = {},
    core_node = {}, end_node = {}, color = {}, order = {}, loops = {} }, Graph)
  for _, g in ipairs(groups) do make_group_nodes(self, g) end
  for _, s in ipairs(wf.steps) do link_step(self, s) end
  for _, g in ipairs(groups) do link_group(self, g) end
  for _, s in ipairs(wf.steps) do
    if not self.color[s] then visit(self, s) end
  end
  for _, g in ipairs(groups) do
    if not self.color[self.end_node[g]] then visit(self, self.end_node[g]) end
  end
  self.color = nil
  return self
end

--- The graph of a workflow that was checked, made when it is asked something: most runs never
--- do, and it takes memory for each step.
---@param wf orrery.Workflow
---@return orrery.Graph
function graph.later(wf)
  return setmetatable({}, { __index = function(self, name)
    setmetatable(self, { __index = graph.new(wf, wf.groups) })
    return self[name]
  end })
end

local function reach(self, id)
  local item = self.by_id[id]
  if not item then return NONE end
  return item.members and { self.start_node[item], self.end_node[item] } or { item }
end

-- All nodes before the given ones, or nil as soon as `wanted` is met.
local function sweep(self, starts, wanted)
  local seen, queue = {}, {}
  for _, n in ipairs(starts) do queue[#queue + 1] = n end
  while #queue > 0 do
    local n = table.remove(queue)
    for _, b in ipairs(before(self, n)) do
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
    local id = n.what ~= "start" and item_of(n).id or ""
    if id ~= except and id ~= "" then out[id] = true end
  end
  return out
end

--- All ids before a step or group.
---@param id string
---@return table<string, true>
function Graph:upstream(id)
  return ids_of(sweep(self, reach(self, id)), id)
end

--- Is `id` before `of`: must it have ended when `of` starts? Early exit, no table of ids.
---@param id string
---@param of string
---@return boolean
function Graph:is_before(id, of)
  local wanted, item = done_of(self, id), self.by_id[of]
  local start = item and (self.start_node[item] or not item.members and item)
  if not wanted or not start then return false end
  return sweep(self, { start }, wanted) == nil
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

--- The step or group of each node of a loop.
---@param loop table one of graph.loops
---@return (orrery.Step|orrery.Group)[]
function graph.items(loop)
  local out = {}
  for i, n in ipairs(loop) do out[i] = item_of(n) end
  return out
end

--- A loop as text: "a → b → a" where an arrow means "waits for", and why for each edge.
---@param loop table one of graph.loops
---@param where fun(place: orrery.Place): string
---@return string path, string whys, orrery.Step|orrery.Group first
function graph.describe(loop, where)
  local items = {}
  for _, n in ipairs(loop) do
    local item = item_of(n)
    if items[#items] ~= item then items[#items + 1] = item end
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
