-- The checks of a list of features that was made from a longer text.
local sorted = require("orrery.kernel.sorted")

local features = {}

local function is_text(v) return type(v) == "string" and v:find("%S") ~= nil end

-- The artifact that has features, and they; a complaint when none does.
local function of(it)
  for _, artifact in ipairs(it.artifacts) do
    local value = artifact.value
    if type(value) == "table" and type(value.features) == "table" then
      if #value.features == 0 then return nil, { artifact.name .. "#/features: there are none" } end
      return artifact, value.features
    end
  end
  return nil, { "no artifact has a list of features" }
end

local function each(it, f)
  local list = {}
  local artifact, all = of(it)
  if not artifact then return all end
  for i, one in ipairs(all) do
    local function say(text)
      list[#list + 1] = ("%s#/features/%d: %s"):format(artifact.name, i - 1, text)
    end
    if type(one) == "table" then f(one, say, all) else say("expected an object") end
  end
  return list, artifact, all
end

-- Ids and names of what a list of features has.
local function known(all)
  local out = {}
  for _, one in ipairs(all) do
    if type(one) == "table" then
      if is_text(one.id) then out[one.id] = true end
      if is_text(one.name) then out[one.name] = true end
    end
  end
  return out
end

local function lost(it, all, list)
  local there = known(all)
  for _, input in ipairs(it.inputs) do
    local before = type(input.value) == "table" and input.value.features
    for _, one in ipairs(type(before) == "table" and before or {}) do
      if type(one) == "table" and one.priority == "critical" and not there[one.id or ""]
        and not there[one.name or ""] then
        list[#list + 1] = ("the critical feature '%s' of %s is missing"):format(
          tostring(one.name or one.id), input.name)
      end
    end
  end
end

--- Each feature has id, name, description and priority, no id is there twice, the count is
--- right, and no critical feature of a JSON input is missing.
---@param it orrery.CheckInput
---@return string[]
function features.all_critical_features_preserved(it)
  local seen = {}
  local list, artifact, all = each(it, function(one, say)
    for _, field in ipairs({ "id", "name", "description", "priority" }) do
      if not is_text(one[field]) then say(field .. " is missing") end
    end
    if one.id ~= nil and seen[one.id] then say(("the id '%s' is there twice"):format(one.id)) end
    if one.id ~= nil then seen[one.id] = true end
  end)
  if not artifact then return list end
  local value = artifact.value
  if type(value.total_features) == "number" and value.total_features ~= #all then
    list[#list + 1] = ("%s#/total_features: %s, but there are %d"):format(artifact.name,
      value.total_features, #all)
  end
  lost(it, all, list)
  return list
end

--- Each feature has at least one acceptance criterion, none of them empty.
---@param it orrery.CheckInput
---@return string[]
function features.acceptance_criteria_included(it)
  return (each(it, function(one, say)
    local criteria = one.acceptance_criteria
    if type(criteria) ~= "table" or #criteria == 0 then return say("no acceptance_criteria") end
    for i, c in ipairs(criteria) do
      if not is_text(c) and type(c) ~= "table" then
        say(("acceptance_criteria/%d is empty"):format(i - 1))
      end
    end
  end))
end

-- A way from a feature back to itself, as text.
local function circle(all)
  local needs, state = {}, {}
  for _, one in ipairs(all) do
    if type(one) == "table" and is_text(one.id) then
      needs[one.id] = type(one.dependencies) == "table" and one.dependencies or {}
    end
  end
  local function visit(id, way)
    if state[id] == "done" or not needs[id] then return nil end
    way[#way + 1] = id
    if state[id] == "open" then return table.concat(way, " → ") end
    state[id] = "open"
    for _, other in ipairs(needs[id]) do
      local found = visit(other, way)
      if found then return found end
    end
    state[id], way[#way] = "done", nil
  end
  for id in sorted.pairs(needs) do
    local found = visit(id, {})
    if found then return found end
  end
end

--- Each feature lists its dependencies (none is an empty list), all of which are features of
--- the list, and following them never comes back.
---@param it orrery.CheckInput
---@return string[]
function features.dependencies_mapped(it)
  local list, artifact, all = each(it, function(one, say, every)
    if type(one.dependencies) ~= "table" then return say("no dependencies; none is []") end
    local there = known(every)
    for _, id in ipairs(one.dependencies) do
      if not there[id] then say(("it depends on '%s', which is not there"):format(tostring(id))) end
    end
  end)
  local round = artifact and circle(all)
  if round then
    list[#list + 1] = ("%s#/features: they go round: %s"):format(artifact.name, round)
  end
  return list
end

return features
