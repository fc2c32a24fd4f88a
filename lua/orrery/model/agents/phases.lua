-- From `steps`, or `phases` with decisions and loops, to one list of entries in file order.
--
-- Phases come one after the other. A decision's branches are steps with a condition; a
-- loop over epics and stories is one round of its steps.
local condition = require("orrery.model.agents.condition")
local errors = require("orrery.kernel.errors")
local sorted = require("orrery.kernel.sorted")
local source = require("orrery.model.agents.source")

local phases = {}

---@class orrery.agents.Entry
---@field id string
---@field t table              the step as YAML
---@field place orrery.Place
---@field phase? integer       counted from 1
---@field when table[]         conditions beside its own

local function join(list, tree)
  if not tree then return list end
  local out = table.move(list, 1, #list, 1, {})
  out[#out + 1] = tree
  return out
end

---@class orrery.agents.Flat
local Flat = {}
Flat.__index = Flat

function Flat:step(list, i, at)
  local t = list[i]
  local id = self.src:text(t, "step") or self.src:text(t, "id")
  if not id or id == "" then
    return self.src:error(list, i, "the step has no id", "write step: 1")
  end
  self.out[#self.out + 1] = { id = id, t = t, place = self.src:place(list, i),
    phase = at.phase, when = at.when, optional = at.optional }
end

local function atom(self, t, key)
  local name = self.src:text(t, key)
  if not name then return nil end
  local ok, tree = pcall(condition.parse, name)
  if ok then return tree end
  self.src:error(t, key, errors.text(tree), tree.hint)
end

-- What a branch does besides holding steps.
local function jumps(self, branch, at, tree)
  for i = 1, #branch do
    local item = branch[i]
    local to = source.is_map(item) and self.src:text(item, "skip_to")
    if to then
      local number = to:match("^phase_(%d+)$")
      self.skips[#self.skips + 1] = { from = at.phase, to = number or to, tree = tree,
        t = item, key = "skip_to" }
    end
  end
end

-- Only what is known to ask for it goes back: an undefined NOT does not.
function Flat:loop(t, back, tree)
  local last = self.out[#self.out]
  if not last then return self.src:error(t, "loop_back", "there is no step to go back to") end
  if tree.op == "not" then tree = { op = "==", tree[1], { op = "value", value = false } } end
  local name = tree.path and tree.path[1] or ""
  self.loops[#self.loops + 1] = { back = back, last = last, tree = tree, t = t,
    key = "loop_back", counter = name:find("stor", 1, true) and "story_id"
      or name:find("epic", 1, true) and "epic_id" or "iteration_count" }
end

function Flat:branch(t, key, at, tree)
  local branch = self.src:get(t, key)
  if type(branch) ~= "table" then return end
  if source.is_map(branch) then
    local back = self.src:text(branch, "loop_back")
    if back then self:loop(branch, back, tree) end
    return
  end
  local inner = { phase = at.phase, optional = at.optional, when = join(at.when, tree) }
  for i = 1, #branch do
    if source.is_map(branch[i]) and branch[i].step ~= nil then self:step(branch, i, inner) end
  end
  jumps(self, branch, at, tree)
end

function Flat:decision(t, at)
  local tree = atom(self, t, self.src:text(t, "type") and "type" or "id")
  if not tree then return end
  self:branch(t, "if_yes", at, tree)
  self:branch(t, "if_pass", at, tree)
  self:branch(t, "if_no", at, { op = "not", tree })
  self:branch(t, "if_fail", at, { op = "not", tree })
end

function Flat:items(t, key, at)
  local list = self.src:list(t, key)
  for i = 1, #list do
    local item = list[i]
    if not source.is_map(item) then
      self.src:error(list, i, "a step is a map with step: and agent:")
    elseif item.decision ~= nil then
      local d = self.src:map(item, "decision")
      if d then self:decision(d, at) end
    else
      self:step(list, i, at)
    end
  end
end

-- The phases as they stand: a list, or a map from names to phases, in the order of the file.
function Flat:phases(value)
  local map = self.src:get(value, "phases")
  if not source.is_map(map) or next(map) == nil then
    local list = self.src:list(value, "phases")
    for i = 1, #list do self:phase(list, i, i) end
    return
  end
  local names = sorted.keys(map)
  table.sort(names, function(a, b)
    local x, y = self.src:place(map, a), self.src:place(map, b)
    if x.line ~= y.line then return (x.line or 0) < (y.line or 0) end
    return (x.column or 0) < (y.column or 0)
  end)
  for i, name in ipairs(names) do self:phase(map, name, i) end
end

function Flat:phase(holder, key, i)
  local t = holder[key]
  if not source.is_map(t) then
    return self.src:error(holder, key, "a phase is a map with its steps")
  end
  local at = { phase = i, when = {}, optional = false }
  self.numbers[self.src:text(t, "phase") or tostring(key)] = i
  self:items(t, "steps", at)
  local decision = t.decision ~= nil and self.src:map(t, "decision")
  if decision then self:decision(decision, at) end
  local epic = t.epic_loop ~= nil and self.src:map(t, "epic_loop")
  if epic then
    self:items(epic, "steps", at)
    self:items(epic, "story_loop", at)
    self:items(epic, "after_stories", at)
  end
  self:items(t, "story_loop", at)
  self:items(t, "after_stories", at)
end

-- skip_to: the phases between run only when the decision did not ask to leave them out.
local function apply_skips(self)
  for _, skip in ipairs(self.skips) do
    local to = self.numbers[skip.to]
    if not to then
      self.src:error(skip.t, skip.key, ("skip_to names no phase: '%s'"):format(skip.to))
    else
      for _, e in ipairs(self.out) do
        if e.phase > skip.from and e.phase < to then
          e.when = join(e.when, { op = "not", skip.tree })
        end
      end
    end
  end
end

--- The steps of a workflow, flat and in file order.
---@param src orrery.agents.Source
---@param value table
---@return orrery.agents.Entry[]
---@return table[] loops what asks to go back: { back, t, key }
function phases.flatten(src, value)
  local self = setmetatable({ src = src, out = {}, loops = {}, skips = {}, numbers = {} }, Flat)
  if value.phases ~= nil then
    self:phases(value)
    apply_skips(self)
  end
  if value.steps ~= nil then
    self:items(value, "steps", { when = {}, phase = value.phases and 0 or nil })
  end
  return self.out, self.loops
end

return phases
