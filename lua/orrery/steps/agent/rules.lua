-- The coding rules an agent is given, when orrery.lua says where they are: those that the
-- files it reads and writes call for, then the best of those the project calls for.
local artifacts = require("orrery.run.keys.artifacts")
local fs = require("orrery.core.fs")
local pack = require("orrery.core.pack")

local rules = {}

-- Of the project's; an agent's attention is dear.
local BEST = 10

-- The index and the project's choice, made once a run.
local function opened(run)
  if not run.rules then
    local knowledge = require("orrery.knowledge.rules")
    local index = knowledge.open(run.config.rules, { root = run.root,
      at = run.root .. "/.orrery/rules" })
    run.rules = { index = index, chosen = index:select(run.root, { limit = BEST }) }
  end
  return run.rules
end

local function paths_of(run, step, ctx)
  local out = {}
  for _, list in ipairs({ ctx.inputs, ctx.outputs }) do
    for _, path in ipairs(list) do out[#out + 1] = path end
  end
  local io = step.agent_io
  for _, list in ipairs(io and { io.inputs, io.outputs } or {}) do
    for _, one in ipairs(list) do
      if one.path then out[#out + 1] = artifacts.here(run.id, one.path) end
    end
  end
  return out
end

--- Rules for one step: their absolute paths, for the request, and their digests by path
--- relative to the root, for the key. Nothing is configured: both are nil.
---@param run orrery.Run
---@param step orrery.Step
---@param ctx table
---@return string[]?
---@return table<string, string>?
function rules.of(run, step, ctx)
  if not (run.config and run.config.rules) then return nil end
  local known, seen, out, digests = opened(run), {}, pack.array({}), {}
  local function add(rule)
    if seen[rule.path] then return end
    seen[rule.path] = true
    local full = fs.at(run.root, rule.path)
    out[#out + 1] = full
    digests[rule.path] = run.index:digest(full) or false
  end
  for _, path in ipairs(paths_of(run, step, ctx)) do
    for _, rule in ipairs(known.index:for_file(path)) do add(rule) end
  end
  for _, one in ipairs(known.chosen) do add(one.rule) end
  return out, digests
end

return rules
