-- The conditions of agent steps as functions that the run calls, and what can be said of
-- them before it.
local condition = require("orrery.model.agents.condition")
local edges = require("orrery.model.agents.edges")
local truth = require("orrery.model.agents.truth")

local conditions = {}

-- The artifacts of the steps before one, the latest first; and those steps.
local function upstream(wf, s, entries)
  local up, artifacts, before = edges.upstream(wf, s.id), {}, {}
  for _, e in ipairs(entries) do
    if up[e.id] then before[#before + 1] = e.id end
  end
  for i = #before, 1, -1 do
    local agent_io = wf.by_id[before[i]].agent_io
    for _, o in ipairs(agent_io and agent_io.outputs or {}) do
      if o.kind ~= "reasoning" and o.kind ~= "directory" then
        artifacts[#artifacts + 1] = { key = o.key or truth.fold(o.name), path = o.path }
      end
    end
  end
  return artifacts, before
end

local function all_of(trees)
  local out
  for _, tree in ipairs(trees) do out = out and { op = "and", out, tree } or tree end
  return out
end

-- A round follows only on one that ran.
local function round_before_ran(entries, round, results)
  for _, e in ipairs(entries) do
    local r = e.round == round and results[e.id]
    if r and r.status ~= "skipped" then return true end
  end
  return false
end

local function when(wf, s, e, entries, strict)
  local tree = all_of(e.trees)
  local artifacts, before = upstream(wf, s, entries)
  local round = e.round and e.round > 1 and e.round - 1 or 1
  return function(ctx)
    if (e.round or 1) > 1 and not round_before_ran(entries, e.round - 1, ctx.results) then
      return false
    end
    local params = setmetatable({ iteration_count = round }, { __index = ctx.params })
    return truth.decide(tree, truth.view({ root = wf.root, run_id = ctx.run.id or "next",
      params = params, artifacts = artifacts, results = ctx.results, before = before,
      environ = ctx.environ or {}, strict = strict,
      warn = function(text)
        if ctx.warn then ctx.warn("condition: " .. text) end
      end }))
  end
end

local function known(wf, path, artifacts)
  if wf.values[path[1]] ~= nil or path[1] == "validation_status"
    or path[1] == "iteration_count" then
    return true
  end
  for _, a in ipairs(artifacts) do
    if a.key == truth.fold(path[1]) then return true end
  end
  return false
end

local function check_names(wf, e, artifacts, report, strict, said)
  if (e.round or 1) > 1 then return end
  for _, tree in ipairs(e.trees) do
    condition.each(tree, function(path)
      local name = table.concat(path, ".")
      if said[name] or known(wf, path, artifacts) then return end
      said[name] = true
      local add = strict and report.error or report.warning
      add(report, e.place, ("step '%s': nothing here defines '%s'; unless an artifact has it, it "
        .. "counts as false"):format(e.id, name), ("give it: -p %s=VALUE"):format(path[1]))
    end)
  end
end

--- Gives the steps their conditions.
---@param wf orrery.Workflow
---@param entries orrery.agents.Entry[]
---@param report orrery.Messages
---@param opts { strict: boolean, inspect: boolean }
function conditions.attach(wf, entries, report, opts)
  local said = {}
  for _, e in ipairs(entries) do
    local s = wf.by_id[e.id]
    if s and s.kind and #e.trees > 0 then
      s.when = when(wf, s, e, entries, opts.strict)
      check_names(wf, e, (upstream(wf, s, entries)), report, opts.strict and not opts.inspect,
        said)
    end
  end
end

return conditions
