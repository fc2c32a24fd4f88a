-- What remains of a step's result once it has ended and what waits for it was told. All of it,
-- unless nobody can ask for more in this run: then of each step of a large workflow no more
-- than what conditions, keys and globs of later steps look at. The journal has the rest.
local node = require("orrery.run.graph.node")
local policies = require("orrery.run.graph.policies")

local remains = {}

local NONE = {}
-- Of a step that went well and that nothing comes after.
local WELL = { ok = true, status = "ok", outputs = NONE }

-- Deeper values are not looked through.
local DEEP = 8

-- May a value of a workflow file read results: is it a function, or does it name them?
local function reads(v, depth)
  local kind = type(v)
  if kind == "string" then return v:find("results", 1, true) ~= nil end
  if kind == "function" then return true end
  if kind ~= "table" then return false end
  if depth == DEEP then return true end
  for k, one in next, v do
    if reads(k, depth + 1) or reads(one, depth + 1) then return true end
  end
  return false
end

local function step_reads(step)
  if step.kind ~= "run" or not step.fields then return true end
  for name, v in next, step.fields do
    if name ~= "needs" and name ~= "after" and reads(v, 1) then return true end
  end
  return false
end

--- May results of a run be cut? Only where the caller wants no record of them, and all steps
--- are commands without functions or templates over results.
---@param run orrery.Run
---@return boolean
function remains.are_few(run)
  local wf, opts = run.workflow, run.opts
  if not opts.brief or opts.partial or wf.body or wf.result ~= nil or wf.form == "agents"
    or wf.artifactual or run.prefix ~= "" or reads(wf.env, 1) then return false end
  for _, g in ipairs(wf.groups or NONE) do
    local spec = g.policy
    if reads(g.when, 1) then return false end
    if spec and not policies.is_built_in(spec) then return false end
  end
  for _, step in ipairs(wf.steps) do
    if step_reads(step) then return false end
  end
  return true
end

--- What is kept of the result of a node that has ended.
---@param n orrery.Node
---@param result orrery.Result
---@return orrery.Result? nil: nothing but that it went well
function remains.of(n, result)
  if result.status ~= "ok" or n.kind ~= "step" then return result end
  if not node.is_needed(n) then return nil end
  local outputs = result.outputs
  return { ok = true, status = "ok", digest = result.digest,
    outputs = outputs and outputs[1] and outputs or NONE }
end

--- Cuts the result of a node that has ended, in a run whose results may be.
---@param run orrery.Run
---@param n orrery.Node
function remains.cut(run, n)
  local left = remains.of(n, n.result)
  n.result, run.results[n.id] = left or WELL, left
end

return remains
