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

function Flat:skip(t, to, at, tree)
  self.skips[#self.skips + 1] = { from = at.phase, to = to:match("^phase_(%d+)$") or to,
    after = #self.out, tree = tree, t = t, key = "skip_to" }
end

-- Words of a branch that change nothing: what follows is what comes next anyway.
local idle = { continue = true, skip = true, ["end"] = true }

-- One item of a branch: a step, more decisions, or where to go.
function Flat:branch_item(list, i, at, tree)
  local item = list[i]
  if type(item) == "string" and idle[item] then return end
  if not source.is_map(item) then
    return self.src:error(list, i, ("'%s' is not understood in a decision"):format(tostring(item)),
      "write steps, { skip_to: phase_N }, { loop_back: STEP } or { continue: true }")
  end
  local inner = { phase = at.phase, optional = at.optional, when = join(at.when, tree) }
  if item.step ~= nil or item.agent ~= nil then return self:step(list, i, inner) end
  if item.decision ~= nil then return self:decision(self.src:map(item, "decision"), inner) end
  local to, back = self.src:text(item, "skip_to"), self.src:text(item, "loop_back")
  if to then self:skip(item, to, at, tree) end
  if back then self:loop(item, back, tree) end
  if item.steps ~= nil then self:items(item, "steps", inner) end
  for key in sorted.pairs(item) do
    if not (key == "steps" or key == "skip_to" or key == "loop_back" or idle[key]) then
      self.src:error(item, key, ("'%s' is not understood in a decision"):format(key),
        "a branch has steps, skip_to, loop_back and continue")
    end
  end
end

-- A branch is a list of items, or one of them.
function Flat:branch(t, key, at, tree)
  local branch = self.src:get(t, key)
  if branch == nil then return end
  if type(branch) ~= "table" or source.is_map(branch) then
    return self:branch_item(t, key, at, tree)
  end
  for i = 1, #branch do self:branch_item(branch, i, at, tree) end
end

local branches = { if_yes = true, if_pass = true, if_no = false, if_fail = false }

function Flat:decision(t, at)
  local tree = t and atom(self, t, self.src:text(t, "condition") and "condition"
    or self.src:text(t, "type") and "type" or "id")
  if not tree then return end
  for _, key in ipairs { "if_yes", "if_pass", "if_no", "if_fail" } do
    self:branch(t, key, at, branches[key] and tree or { op = "not", tree })
  end
  local to = self.src:text(t, "skip_to")
  if to then self:skip(t, to, at, tree) end
  for key in sorted.pairs(t) do
    if type(key) == "string" and key:find("^if_") and branches[key] == nil then
      self.src:error(t, key, ("a decision has no '%s'"):format(key),
        "it has if_yes, if_no, if_pass and if_fail")
    end
  end
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

-- skip_to: what stands between runs only when the decision did not ask to leave it out.
local function apply_skips(self)
  for _, skip in ipairs(self.skips) do
    local to = self.numbers[skip.to]
    if not to then
      self.src:error(skip.t, skip.key, ("skip_to names no phase: '%s'"):format(skip.to))
    else
      for i, e in ipairs(self.out) do
        if i > skip.after and e.phase < to then
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
