-- What executes an agent role: --agent NAME=CMD, or `agents` of orrery.lua; "*" for all.
-- What the command line says counts before the file, a name before "*".
local errors = require("orrery.kernel.errors")
local endpoint = require("orrery.kernel.lazy")("orrery.steps.agent.http")
local load = require("orrery.kernel.lazy")("orrery.model.load")
local proc = require("orrery.core.proc")
local sorted = require("orrery.kernel.sorted")

local executors = {}

---@class orrery.Executor
---@field argv? string[]
---@field http? table         an endpoint, as model.executor completes it
---@field shown string
---@field keyed? string       what of it is in the key; else shown
---@field mock? boolean       made up in this process
---@field reads? "request"    it reads nothing but its request
---@field env? table<string, string>
---@field price? { input?: number, output?: number }   usd for a million tokens
---@field circuit? { failures: integer, open: number, wait: boolean }|false
---@field resources? table<string, any>   what each of its calls takes
---@field fallback? string[]  roles that take over, in order

local function from_text(text)
  if text == "mock" then return { mock = true, shown = "mock", reads = "request" } end
  local argv = proc.split(text)
  if argv and #argv > 0 then return { argv = argv, shown = text } end
  return { argv = { "/bin/sh", "-c", text }, shown = text }
end

local function quoted(argv)
  local out = {}
  for i, word in ipairs(argv) do out[i] = proc.quote(word) end
  return table.concat(out, " ")
end

-- From orrery.lua, where model.executor has checked it.
local function from_config(v)
  local out
  if v.http then
    out = { http = v.http, reads = "request", keyed = endpoint.keyed(v.http),
      shown = endpoint.shown(v.http) }
  elseif type(v.run) == "string" then
    out = from_text(v.run)
  else
    out = { argv = v.run, shown = quoted(v.run) }
  end
  out.reads, out.env, out.price = v.reads or out.reads, v.env, v.price
  out.circuit, out.resources, out.fallback = v.circuit, v.resources, v.fallback
  return out
end

--- The executor of a role, or nil.
---@param run orrery.Run
---@param role string
---@return orrery.Executor?
function executors.find(run, role)
  run.executors = run.executors or {}
  local known = run.executors[role]
  if known ~= nil then return known or nil end
  local given, config = run.opts.agents or {}, run.config and run.config.agents or {}
  local found
  for _, name in ipairs { role, "*" } do
    if not found and given[name] then found = from_text(given[name]) end
  end
  for _, name in ipairs { role, "*" } do
    if not found and config[name] ~= nil then found = from_config(config[name]) end
  end
  run.executors[role] = found or false
  return found
end

-- As many as a line takes.
local function named(roles)
  if #roles <= 5 then return table.concat(roles, ", ") end
  return ("%s and %d more"):format(table.concat(roles, ", ", 1, 4), #roles - 4)
end

--- Raises the error that says how to configure executors for roles.
---@param roles string[]
function executors.refuse(roles)
  errors.raise("usage", ("no executor is configured for the agent%s %s\n"
    .. "  to try it without one:  --agent mock\n"
    .. "  to have a command do it: --agent '*=CMD', or in orrery.lua: agents = { [%q] = { run = "
    .. "{ \"CMD\" } } }\n"
    .. "  to ask an endpoint:      agents = { [%q] = { http = { base_url = \"https://…/v1\", "
    .. "model = \"…\", key = \"VARIABLE\" } } }"):format(#roles == 1 and "" or "s", named(roles),
    #roles == 1 and roles[1] or "*", #roles == 1 and roles[1] or "*"), { exit = 2 })
end

-- The workflow that a step is, looked at; nil when it cannot be, which its step will say.
local function inner(run, name, seen)
  local root = run.workflow.root
  local found, path = pcall(load.find, name, root, run.config)
  if not found or not path or seen[path] then return nil end
  seen[path] = true
  local ok, wf = pcall(load.file, path, { root = root, config = run.config, inspect = true })
  return ok and wf or nil
end

-- Adds the roles without an executor of a workflow and of those within it.
local function unmanned(run, wf, chosen, missing, seen)
  for _, step in ipairs(wf.steps) do
    local kind, name = step.kind, step.action
    local known = (kind == "agent" or kind == "workflow") and not name:find("{{", 1, true)
    known = known and (not chosen or chosen[step.id])
    if known and kind == "workflow" then
      local within = inner(run, name, seen)
      if within then unmanned(run, within, nil, missing, seen) end
    elseif known and not executors.find(run, name) then
      missing[name] = true
    end
  end
end

--- Before a run: every role of its steps, and of the workflows within it, must have an executor.
---@param run orrery.Run
---@param chosen table<string, true>?
function executors.check(run, chosen)
  local missing = {}
  unmanned(run, run.workflow, chosen, missing, {})
  if next(missing) then executors.refuse(sorted.keys(missing)) end
end

return executors
