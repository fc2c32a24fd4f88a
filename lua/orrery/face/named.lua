-- Names in flags that must mean something in the workflow at hand: --force=STEP, -y=STEP,
-- --agent NAME=CMD, --resources NAME=N. A misspelt one would silently change nothing.
local errors = require("orrery.kernel.errors")
local lazy = require("orrery.kernel.lazy")
local nearest = lazy("orrery.kernel.nearest")
local selection = lazy("orrery.run.graph.selection")
local sorted = require("orrery.kernel.sorted")

local named = {}

-- Adds a name; false when it is only known while the workflow runs.
local function note(into, name)
  if type(name) ~= "string" or name:find("{{", 1, true) then return false end
  into[name] = true
  return true
end

-- Adds the keys of a table as names, or says that they cannot be known.
local function note_keys(into, t)
  if type(t) == "function" then return false end
  for name in pairs(type(t) == "table" and t or {}) do into[name] = true end
  return true
end

local function fallbacks_of(step)
  local list = step.agent_io and step.agent_io.fallback
  return type(list) == "table" and list or { list }
end

-- The roles of a workflow's agents and of orrery.lua; nil: not all of them can be known.
local function roles(wf, config)
  local out, all = {}, true
  for _, step in ipairs(wf.steps) do
    if step.kind == "agent" then
      all = note(out, step.action) and all
      for _, role in ipairs(fallbacks_of(step)) do all = note(out, role) and all end
    end
  end
  for name, one in pairs(config.agents or {}) do
    out[name] = true
    for _, role in ipairs(type(one) == "table" and one.fallback or {}) do note(out, role) end
  end
  return all and out or nil
end

-- The resources that steps and agents ask for, that orrery.lua has, that any machine has.
local function resources(wf, config)
  local out, all = { cpu = true, mem = true }, true
  for _, step in ipairs(wf.steps) do all = note_keys(out, step.resources) and all end
  for _, one in pairs(config.agents or {}) do
    note_keys(out, type(one) == "table" and one.resources or nil)
  end
  note_keys(out, config.resources)
  return all and out or nil
end

local function refuse(flag, what, name, wf, known)
  local names = sorted.keys(known)
  local hint = nearest.hint(name, known)
    or #names > 0 and "known are: " .. table.concat(names, ", ") or nil
  errors.raise("usage", ("%s: there is no %s '%s' in %s"):format(flag, what, name, wf.name),
    { exit = 2, hint = hint })
end

local function check(flag, what, given, wf, known)
  for name in sorted.pairs(known and given or {}) do
    if name ~= "*" and not known[name] then refuse(flag, what, name, wf, known) end
  end
end

--- Raises code "usage" for the first name in a flag that the workflow does not know. Where
--- steps come up while it runs, names of theirs are not known before and pass.
---@param wf orrery.Workflow
---@param options orrery.RunOptions as the flags gave them
---@param config orrery.Config
function named.check(wf, options, config)
  for _, steps in ipairs({ options.force or false, options.yes or false }) do
    if steps then selection.known(wf, steps) end
  end
  local agents, amounts = options.agents or {}, options.resources or {}
  if next(agents) == nil and next(amounts) == nil or selection.makes_steps(wf) then return end
  check("--agent", "agent", agents, wf, roles(wf, config))
  check("--resources", "resource", amounts, wf, resources(wf, config))
end

return named
