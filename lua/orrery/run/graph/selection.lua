-- Which steps are part of a run: targets by id or glob with what they need, --only,
-- --from.
local errors = require("orrery.kernel.errors")
local lazy = require("orrery.kernel.lazy")
local nearest = lazy("orrery.kernel.nearest")

local selection = {}

--- A glob over ids: * and ?.
---@param glob string
---@return string pattern
function selection.pattern(glob)
  local p = glob:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".")
  return "^" .. p .. "$"
end

local function add_members(unit, into)
  if not unit.members then
    into[unit.id] = true
    return
  end
  for _, member in ipairs(unit.members) do add_members(member, into) end
end

local function its_steps(wf)
  local ids = {}
  for i = 1, math.min(#wf.steps, 12) do ids[i] = wf.steps[i].id end
  if #ids == 0 then return "it has a body, which is run as a whole" end
  return "its steps are: " .. table.concat(ids, ", ") .. (#wf.steps > 12 and " …" or "")
end

local function matching(wf, name, into)
  local unit = wf.by_id[name]
  if unit then
    add_members(unit, into)
    return true
  end
  -- A member of a fan-out that is not expanded yet: the whole step.
  local fanned = wf.by_id[name:match("^(.-)%[.*%]$") or ""]
  if fanned then
    add_members(fanned, into)
    return true
  end
  local pattern, found = selection.pattern(name), false
  for _, step in ipairs(wf.steps) do
    if step.id:find(pattern) then
      into[step.id] = true
      found = true
    end
  end
  return found
end

local function named(wf, names)
  local into = {}
  for _, name in ipairs(names) do
    if not matching(wf, name, into) then
      errors.raise("usage", ("there is no step '%s' in %s"):format(name, wf.name),
        { exit = 2, hint = nearest.hint(name, wf.by_id) or its_steps(wf) })
    end
  end
  return into
end

--- May steps come up while it runs, with ids that nobody knows before?
---@param wf orrery.Workflow
---@return boolean
function selection.makes_steps(wf)
  if wf.body then return true end
  for _, step in ipairs(wf.steps) do
    if step.kind == "body" or step.kind == "workflow" then return true end
  end
  return false
end

--- Raises for the first of the names, those of --force and -y, that no step of a workflow can
--- have.
---@param wf orrery.Workflow
---@param names string[]|true?
function selection.known(wf, names)
  if type(names) == "table" and not selection.makes_steps(wf) then named(wf, names) end
end

-- The steps an id stands for.
local function steps_of(wf, id)
  local into = {}
  if wf.by_id[id] then add_members(wf.by_id[id], into) end
  return into
end

local function needs_of(step)
  local out = {}
  table.move(step.needs, 1, #step.needs, 1, out)
  local g = step.group
  while g do
    table.move(g.needs or {}, 1, #(g.needs or {}), #out + 1, out)
    g = g.parent
  end
  return out
end

local function with_needs(wf, chosen)
  local stack = {}
  for id in pairs(chosen) do stack[#stack + 1] = id end
  while #stack > 0 do
    local step = wf.by_id[table.remove(stack)]
    for _, id in ipairs(step and needs_of(step) or {}) do
      for up in pairs(steps_of(wf, id)) do
        if not chosen[up] then
          chosen[up] = true
          stack[#stack + 1] = up
        end
      end
    end
  end
  return chosen
end

local function with_dependants(wf, chosen)
  local down = {}
  for _, step in ipairs(wf.steps) do
    for _, id in ipairs(needs_of(step)) do
      for up in pairs(steps_of(wf, id)) do
        down[up] = down[up] or {}
        table.insert(down[up], step.id)
      end
    end
  end
  local stack = {}
  for id in pairs(chosen) do stack[#stack + 1] = id end
  while #stack > 0 do
    for _, id in ipairs(down[table.remove(stack)] or {}) do
      if not chosen[id] then
        chosen[id] = true
        stack[#stack + 1] = id
      end
    end
  end
  return chosen
end

-- The affected steps among those chosen so far, with what they need.
local function only_affected(wf, opts, chosen)
  local out = {}
  for _, one in ipairs(opts.affected.steps) do
    if not chosen or chosen[one.id] then out[one.id] = true end
  end
  return opts.only and out or with_needs(wf, out)
end

-- With the services that the chosen ones use, whatever else was left out: they are no work
-- of their own.
local function with_services(wf, chosen)
  local uses = require("orrery.run.graph.uses")
  if not chosen or not uses.any(wf) then return chosen end
  local more = true
  while more do
    more = false
    for _, step in ipairs(wf.steps) do
      for _, id in ipairs(chosen[step.id] and uses.of(step, wf.by_id) or {}) do
        more = more or not chosen[id]
        chosen[id] = true
      end
    end
  end
  return chosen
end

--- The ids of the steps to run; nil for all. Raises code "usage" for an unknown name.
---@param wf orrery.Workflow
---@param opts orrery.RunOptions
---@return table<string, true>?
function selection.of(wf, opts)
  local chosen
  if opts.targets and #opts.targets > 0 then
    chosen = named(wf, opts.targets)
    if not opts.only then chosen = with_needs(wf, chosen) end
  end
  if opts.from then
    local after = with_dependants(wf, named(wf, { opts.from }))
    chosen = chosen or after
    for id in pairs(chosen) do
      if not after[id] then chosen[id] = nil end
    end
  end
  if opts.affected then chosen = only_affected(wf, opts, chosen) end
  return with_services(wf, chosen)
end

return selection
