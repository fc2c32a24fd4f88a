-- Fan-out: from a list, a map or a matrix to the members of a step, while a file loads when
-- the items are known then, and by the same functions while it runs.
local errors = require("orrery.kernel.errors")
local sorted = require("orrery.kernel.sorted")
local template = require("orrery.model.template")

local fan = {}

local MOST = 100000

-- Tables that were looked at are in 'seen': what is shared is looked at once.
local function only_params(v, seen)
  if type(v) == "string" then
    if not v:find("{{", 1, true) then return true end
    for _, path in ipairs(template.roots(v)) do
      if path[1] ~= "params" then return false end
    end
  elseif type(v) == "table" and not seen[v] then
    seen[v] = true
    for _, item in next, v do
      if not only_params(item, seen) then return false end
    end
  end
  return type(v) ~= "function"
end

--- The items of a fan when params are all they depend on, else nil.
---@param f orrery.Fan
---@param values table<string, any> final params
---@return any?
function fan.static(f, values)
  local items = f.items
  if f.kind == "matrix" then items = f.matrix end
  local seen = {}
  if not only_params(items, seen) or not only_params(f.exclude or {}, seen) then return nil end
  return template.deep(items, { params = values })
end

local function is_list(v) return type(v) == "table" and (#v > 0 or next(v) == nil) end

local function scalar_text(v, i)
  local kind = type(v)
  if kind == "string" or kind == "number" or kind == "boolean" then return tostring(v) end
  return tostring(i)
end

local function excluded(combo, list)
  for _, pattern in ipairs(list or {}) do
    local all = next(pattern) ~= nil
    for k, v in pairs(pattern) do
      if combo[k] ~= v then all = false end
    end
    if all then return true end
  end
  return false
end

-- All combinations, the last name in sorted order turning fastest.
local function product(matrix, exclude)
  local combos = { {} }
  for name, values in sorted.pairs(matrix) do
    if not is_list(values) then
      errors.raise("fan", ("matrix '%s' must be a list, not a %s"):format(name, type(values)))
    end
    if #combos * #values > MOST then
      errors.raise("fan", ("the matrix has more than %d combinations"):format(MOST))
    end
    local more = {}
    for _, combo in ipairs(combos) do
      for _, v in ipairs(values) do
        local extended = { [name] = v }
        for k, other in pairs(combo) do extended[k] = other end
        more[#more + 1] = extended
      end
    end
    combos = more
  end
  if next(matrix) == nil then return {} end
  local out = {}
  for _, combo in ipairs(combos) do
    if not excluded(combo, exclude) then out[#out + 1] = combo end
  end
  return out
end

local function matrix_entries(f, matrix)
  local out = {}
  for i, combo in ipairs(product(matrix, f.exclude)) do
    local words = {}
    for _, v in sorted.pairs(combo) do words[#words + 1] = scalar_text(v, i) end
    out[i] = { matrix = combo, label = table.concat(words, ",") }
  end
  return out
end

local function item_entries(items)
  local out = {}
  if type(items) ~= "table" then
    errors.raise("fan", ("for_each needs a list or a map, not %s"):format(
      items == nil and "nothing" or "a " .. type(items)))
  end
  if is_list(items) then
    for i, item in ipairs(items) do out[i] = { item = item, label = scalar_text(item, i) } end
  else
    for k, v in sorted.pairs(items) do
      out[#out + 1] = { item = { key = k, value = v }, label = tostring(k) }
    end
  end
  return out
end

-- Labels become part of ids: no blanks, no brackets, no two alike.
local function settle_labels(f, entries, ctx)
  local seen = {}
  for i, e in ipairs(entries) do
    if f.label then
      e.label = template.render(f.label, setmetatable({ item = e.item, matrix = e.matrix },
        { __index = ctx }))
    end
    local label = e.label:gsub("[%s%c%[%]]", "_")
    if label == "" then label = tostring(i) end
    local n, first = 1, label
    while seen[label] do
      n = n + 1
      label = first .. "#" .. n
    end
    seen[label] = true
    e.label = label
  end
end

--- The entries for items, each { label, item | matrix }. Raises code "fan" when the items
--- are none, or more than `max`; code "template" from a label.
---@param f orrery.Fan
---@param items any list, map or matrix, rendered
---@param ctx table for label: { params = … }
---@return { label: string, item?: any, matrix?: table }[]
function fan.entries(f, items, ctx)
  local entries
  if f.kind == "matrix" then
    entries = matrix_entries(f, items)
  else
    entries = item_entries(items)
  end
  local most = f.max or MOST
  if #entries > most then
    errors.raise("fan", ("%s has %d members, at most %d are allowed%s"):format(f.kind, #entries,
      most, f.max and " (max)" or "; say more with max = …"))
  end
  settle_labels(f, entries, ctx)
  return entries
end

local function copy(t)
  local out = {}
  for k, v in next, t do out[k] = v end
  return out
end

--- The group and the member steps that a fanned step becomes. Members are new steps.
---@param step orrery.Step
---@param entries { label: string, item?: any, matrix?: table }[]
---@return orrery.Group, orrery.Step[]
function fan.expand(step, entries)
  local group = { id = step.id, place = step.place, doc = step.doc, parent = step.group,
    members = {}, limit = step.fan.limit, policy = step.fan.policy, needs = {}, after = {},
    finally = {}, fan = step.fan, template = step }
  for i, e in ipairs(entries) do
    local member = setmetatable({}, getmetatable(step))
    for k, v in next, step do member[k] = v end
    member.id = ("%s[%s]"):format(step.id, e.label)
    member.item, member.matrix = e.item, e.matrix
    member.fan, member.member_of, member.group = nil, step.id, group
    for _, name in ipairs { "needs", "after", "implied" } do
      local own = rawget(step, name)
      if own then member[name] = copy(own) end
    end
    group.members[i] = member
  end
  return group, group.members
end

return fan
