-- The conditions of agent steps as functions that the run calls, and what can be said of
-- them before it.
local condition = require("orrery.model.agents.condition")
local edges = require("orrery.model.agents.edges")
local truth = require("orrery.model.agents.truth")

local conditions = {}

-- The artifacts of a set of steps, the latest first; and those steps.
local function made_by(wf, set, entries)
  local artifacts, before = {}, {}
  for _, e in ipairs(entries) do
    if set[e.id] then before[#before + 1] = e.id end
  end
  for i = #before, 1, -1 do
    local agent_io = wf.by_id[before[i]].agent_io
    for _, o in ipairs(agent_io and agent_io.outputs or {}) do
      if o.kind ~= "reasoning" and o.kind ~= "directory" then
        artifacts[#artifacts + 1] = { key = o.key, path = o.path }
      end
    end
  end
  return artifacts, before
end

local function upstream(wf, s, entries)
  return made_by(wf, edges.upstream(wf, s.id), entries)
end

-- All that was there when these steps had ended.
local function up_to(wf, ids, entries)
  local set = {}
  for _, id in ipairs(ids) do
    if wf.by_id[id] then
      set[id] = true
      for up in pairs(edges.upstream(wf, id)) do set[up] = true end
    end
  end
  return made_by(wf, set, entries)
end

local function all_of(trees)
  local out
  for _, tree in ipairs(trees) do out = out and { op = "and", out, tree } or tree end
  return out
end

local function decide(scope, tree, ctx, count)
  return truth.decide(tree, truth.view({ root = scope.root, run_id = ctx.run.id or "next",
    params = setmetatable({ iteration_count = count }, { __index = ctx.params }),
    artifacts = scope.artifacts, results = ctx.results, before = scope.before,
    environ = ctx.environ or {}, changed = ctx.changed, strict = scope.strict, warn = function(text)
      if ctx.warn then ctx.warn("condition: " .. text) end
    end }))
end

-- A round follows only on one that ran, and that ended with the loop's condition.
local function goes_on(f, ctx)
  for _, id in ipairs(f.ids) do
    local r = ctx.results[id]
    if r and r.status ~= "skipped" then return decide(f.scope, f.tree, ctx, f.count) end
  end
  return false
end

local function scope_of(wf, strict, artifacts, before)
  return { root = wf.root, strict = strict, artifacts = artifacts, before = before }
end

local function when(wf, s, e, entries, strict)
  local tree, follows = all_of(e.trees), {}
  local scope = scope_of(wf, strict, upstream(wf, s, entries))
  for i, f in ipairs(e.follows or {}) do
    follows[i] = { ids = f.ids, tree = f.tree, count = f.count,
      scope = scope_of(wf, strict, up_to(wf, f.ids, entries)) }
  end
  return function(ctx)
    for _, f in ipairs(follows) do
      if not goes_on(f, ctx) then return false end
    end
    return tree == nil or decide(scope, tree, ctx, e.vars and e.vars.iteration_count or 1)
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
  if e.copied then return end
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
    if s and s.kind and (#e.trees > 0 or e.follows) then
      s.when = when(wf, s, e, entries, opts.strict)
      check_names(wf, e, (upstream(wf, s, entries)), report, opts.strict and not opts.inspect,
        said)
    end
  end
end

return conditions
