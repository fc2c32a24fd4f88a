-- The order of an agent workflow: data edges as written, and the edges its authors left
-- out. A rating gate comes before every later step, a publish step after all others, a
-- condition after the artifact it reads, a phase after the one before, a round likewise.
local build = require("orrery.model.build")
local condition = require("orrery.model.agents.condition")
local nearest = require("orrery.kernel.nearest")
local truth = require("orrery.model.agents.truth")

local edges = {}

---@class orrery.agents.Order
---@field wf orrery.Workflow
---@field entries orrery.agents.Entry[]
---@field report orrery.Messages
local Order = {}
Order.__index = Order

local function has(list, id)
  for _, v in ipairs(list) do
    if v == id then return true end
  end
  return false
end

-- Is `id` before `of`, by the edges there are so far?
local function before(self, id, of)
  local stack, seen = { of }, {}
  while #stack > 0 do
    local s = self.wf.by_id[table.remove(stack)]
    for _, list in ipairs { s and s.needs or {}, s and s.after or {} } do
      for _, up in ipairs(list) do
        if up == id then return true end
        if not seen[up] then
          seen[up] = true
          stack[#stack + 1] = up
        end
      end
    end
  end
  return false
end

-- An edge that orders and blocks, but is no part of the key.
local function control(self, s, id)
  if s.id == id or has(s.needs, id) or before(self, s.id, id) then return end
  s.needs[#s.needs + 1] = id
  s.control = s.control or {}
  s.control[id] = true
end

local function together(a, b)
  return a.member and a.member == b.member
end

local function refuse_hard(self, e, other, input)
  if self.sequential then return end
  self.report:error(input.place, ("'%s' reads %s from '%s', which runs beside it in "
    .. "parallel_group %s"):format(e.id, input.name, other.id, e.member),
    ("write (from step %s, optional), take one out of the group, or run with "
    .. "--sequential-fallback"):format(other.id))
end

-- In the native forms what is written is meant: members of a group may need each other.
local function beside(self, e, other, input)
  if self.native or not together(e, other) then return input.beside end
  if not input.optional then
    refuse_hard(self, e, other, input)
    return false
  end
  input.beside = not self.sequential
  return input.beside
end

local function data_edge(self, e, s, input)
  local other = self.by_id[input.from]
  if not other then
    return self.report:error(input.place, ("'%s' reads %s from step '%s', which is not there")
      :format(e.id, input.name, input.from), nearest.hint(input.from, self.by_id))
  end
  if other == e then
    return self.report:error(input.place, ("'%s' reads its own output %s"):format(e.id, input.name))
  end
  if beside(self, e, other, input) then return end
  local list = input.optional and s.after or s.needs
  if not has(list, other.id) then list[#list + 1] = other.id end
  if not input.optional then s.implied[other.id] = input.name end
end

local function data(self)
  for _, e in ipairs(self.entries) do
    local s = self.wf.by_id[e.id]
    for _, input in ipairs(s and e.inputs or {}) do
      if input.from then data_edge(self, e, s, input) end
    end
  end
end

-- The rating gate: never execute an unrated plan. What the gate itself waits for is before it.
local function ratings(self)
  for i, gate in ipairs(self.entries) do
    if gate.rating and self.wf.by_id[gate.id] then
      for j = i + 1, #self.entries do
        local s = self.wf.by_id[self.entries[j].id]
        if s then control(self, s, gate.id) end
      end
    end
  end
end

local function publishers(self)
  for _, e in ipairs(self.entries) do
    local s = e.publish and self.wf.by_id[e.id]
    for _, other in ipairs(s and self.entries or {}) do
      local id = other.id
      if not other.publish and self.wf.by_id[id] and not has(s.needs, id)
        and not before(self, s.id, id) then
        s.needs[#s.needs + 1] = id
      end
    end
  end
end

local function conditions(self)
  local makers = {}
  for _, e in ipairs(self.entries) do
    for _, o in ipairs(e.outputs) do
      local key = truth.fold(o.name)
      makers[key] = makers[key] or {}
      table.insert(makers[key], e.id)
    end
  end
  for _, e in ipairs(self.entries) do
    local s = self.wf.by_id[e.id]
    for _, tree in ipairs(s and e.trees or {}) do
      condition.each(tree, function(path)
        for _, id in ipairs(makers[truth.fold(path[1])] or {}) do
          local maker = self.by_id[id]
          local free = id ~= e.id and not together(e, maker) and not has(s.needs, id)
          if free and not has(s.after, id) and not before(self, e.id, id) then
            s.after[#s.after + 1] = id
          end
        end
      end)
    end
  end
end

-- Each step of a phase after all steps of the phase before.
local function phases_in_turn(self)
  local at, most = {}, 0
  for _, e in ipairs(self.entries) do
    if e.phase and self.wf.by_id[e.id] then
      at[e.phase] = at[e.phase] or {}
      table.insert(at[e.phase], e.id)
      if e.phase > most then most = e.phase end
    end
  end
  local last
  for n = 0, most do
    for _, id in ipairs(at[n] or {}) do
      for _, up in ipairs(last or {}) do control(self, self.wf.by_id[id], up) end
    end
    last = at[n] or last
  end
end

-- Each round after the one before it, and what follows a loop after all its rounds.
local function rounds_in_turn(self)
  for _, e in ipairs(self.entries) do
    local s = self.wf.by_id[e.id]
    for _, f in ipairs(s and e.follows or {}) do
      for _, id in ipairs(f.ids) do
        if self.wf.by_id[id] then control(self, s, id) end
      end
    end
    for _, id in ipairs(s and e.waits or {}) do
      if self.wf.by_id[id] then control(self, s, id) end
    end
  end
end

-- parallel_execution.enabled: false, one after the other as in the file.
local function one_by_one(self)
  local done, last = {}, nil
  local function visit(e)
    local s = self.wf.by_id[e.id]
    if done[e.id] or not s then return end
    done[e.id] = true
    for _, list in ipairs { s.needs, s.after } do
      for _, id in ipairs(table.move(list, 1, #list, 1, {})) do
        if self.by_id[id] then visit(self.by_id[id]) end
      end
    end
    if last and not has(s.needs, last) and not has(s.after, last) then
      s.after[#s.after + 1] = last
    end
    last = e.id
  end
  for _, e in ipairs(self.entries) do visit(e) end
end

-- What a step stands behind, and the later rounds of these.
local function behind(self)
  local of = {}
  for _, e in ipairs(self.entries) do
    if e.copied then
      of[e.first] = of[e.first] or {}
      table.insert(of[e.first], e.id)
    end
  end
  for _, e in ipairs(self.entries) do
    local s = self.wf.by_id[e.id]
    for _, id in ipairs(s and e.behind_ids or {}) do
      control(self, s, id)
      for _, round in ipairs(of[id] or {}) do control(self, s, round) end
    end
  end
end

-- One order of the lists, however the edges came; what is needed need not be waited for.
local function settle(self)
  local rank = {}
  for i, s in ipairs(self.wf.steps) do rank[s.id] = i end
  local function sort(list)
    table.sort(list, function(a, b)
      local x, y = rank[a] or 0, rank[b] or 0
      if x ~= y then return x < y end
      return a < b
    end)
    return list
  end
  for _, e in ipairs(self.entries) do
    local s, after = self.wf.by_id[e.id], {}
    for _, id in ipairs(s and s.after or {}) do
      if not has(s.needs, id) and not has(after, id) then after[#after + 1] = id end
    end
    if s and s.after then s.after = sort(after) end
    if s and s.needs then s.needs = sort(table.move(s.needs, 1, #s.needs, 1, {})) end
  end
end

--- Adds all edges of the dialect to the steps of a workflow; native: what the dialect implies
--- is written there.
---@param wf orrery.Workflow
---@param entries orrery.agents.Entry[]
---@param report orrery.Messages
---@param opts { sequential?: boolean, in_order?: boolean, native?: boolean }
function edges.add(wf, entries, report, opts)
  local self = setmetatable({ wf = wf, entries = entries, report = report, by_id = {},
    sequential = opts.sequential, native = opts.native }, Order)
  for _, e in ipairs(entries) do
    self.by_id[e.id] = self.by_id[e.id] or e
    for _, name in ipairs { "needs", "after", "implied" } do
      if wf.by_id[e.id] then build.own(wf.by_id[e.id], name) end
    end
  end
  data(self)
  if opts.native then behind(self) else phases_in_turn(self) end
  rounds_in_turn(self)
  conditions(self)
  if not opts.native then ratings(self) end
  publishers(self)
  if opts.in_order then one_by_one(self) end
  settle(self)
end

--- The steps before one, by all its edges, as a set.
---@param wf orrery.Workflow
---@param id string
---@return table<string, true>
function edges.upstream(wf, id)
  local stack, seen = { id }, {}
  while #stack > 0 do
    local s = wf.by_id[table.remove(stack)]
    for _, list in ipairs { s and s.needs or {}, s and s.after or {} } do
      for _, up in ipairs(list) do
        if not seen[up] then
          seen[up] = true
          stack[#stack + 1] = up
        end
      end
    end
  end
  return seen
end

return edges
