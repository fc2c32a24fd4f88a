-- A workflow inside a run: its own graph, params and results; the outer run's loop,
-- places, cache and journal, where its ids begin with the step's.
local errors = require("orrery.kernel.errors")
local history = require("orrery.run.agents.history")
local load = require("orrery.model.load")
local loop = require("orrery.kernel.loop")
local scheduler = require("orrery.run.scheduler")
local services = require("orrery.run.services")

local nested = {}

-- How deep workflows may nest.
nested.DEPTH = 16

-- Options that mean the outer workflow's steps.
local function inner_opts(opts)
  local out = {}
  for k, v in pairs(opts) do out[k] = v end
  out.targets, out.only, out.from, out.affected = nil, nil, nil, nil
  return out
end

--- The workflow a step names. Raises what loading raises.
---@param run orrery.Run
---@param step orrery.Step
---@param params table
---@return orrery.Workflow
function nested.load(run, step, params)
  local path, names = load.find(step.action, run.root, run.config)
  if not path then
    local hint = require("orrery.kernel.nearest").hint(step.action, names)
    errors.raise("workflow", ("there is no workflow '%s'; %s"):format(step.action,
      hint or "the workflows are: " .. table.concat(names, ", ")))
  end
  return load.file(path, { root = run.root, params = params, config = run.config })
end

--- The run that a workflow inside another is.
---@param run orrery.Run
---@param step orrery.Step
---@param wf orrery.Workflow
---@param lent? orrery.Service[] services its steps use
---@return orrery.Run
function nested.derive(run, step, wf, lent)
  local depth = (run.depth or 0) + 1
  if depth > nested.DEPTH then
    errors.raise("workflow", ("%s: workflows nest deeper than %d; does one contain itself?")
      :format(step.id, nested.DEPTH))
  end
  return setmetatable({ workflow = wf, values = wf.values, results = {}, conditions = {},
    why = {}, moved = {}, outermost = run.outermost or run.workflow.name,
    owners = false, opts = inner_opts(run.opts), depth = depth, modules = false,
    body_done = false, temps = false, lent = lent or false,
    prefix = run.prefix .. step.id .. "/", journal = run.journal:under(step.id .. "/"),
    history = history.open(run.index, wf.name), dotenv = run.dotenv_of(wf) }, { __index = run })
end

local function announce(sub)
  for _, node in ipairs(sub.scheduler.order) do
    if node.kind ~= "group" then
      sub.journal:emit({ ev = "step_added", id = node.id, kind = node.unit.kind,
        fan = node.kind == "fan" or nil,
        group = node.owner and node.owner.id ~= "" and node.owner.id or nil,
        needs = table.move(node.unit.needs, 1, #node.unit.needs, 1, {}) })
    end
  end
end

-- The first failure decides the class of the whole.
local function failure(sub, top)
  if sub.workflow.body and top.error then return top.error end
  local failed, class = {}, nil
  for _, node in ipairs(sub.scheduler.order) do
    local r = node.result
    if not node.members and r and r.status == "failed" and not r.allowed then
      failed[#failed + 1] = node.id
      class = class or (r.error and r.error.class)
    end
  end
  if #failed == 0 then
    return top.error or { class = "cancelled", message = "cancelled" }
  end
  return { class = class or "failed", message = ("%s failed in %s"):format(
    table.concat(failed, ", "), sub.workflow.name) }
end

--- Runs a workflow as a step of another. In the step's task; when that is cancelled, the
--- inner steps are, and its finally steps run, before this returns.
---@param run orrery.Run
---@param step orrery.Step
---@param wf orrery.Workflow
---@param lent? orrery.Service[] services its steps use
---@return table came { value, error }; raises code "waiting" when one of its steps waits
function nested.run(run, step, wf, lent)
  local sub = nested.derive(run, step, wf, lent)
  sub.inside = loop.current("workflow").node or {}
  sub.scheduler = scheduler.new(sub)
  announce(sub)
  local task = run.loop:task(step.id, sub.scheduler.run_all, sub.scheduler)
  local _ <close> = setmetatable({}, { __close = function()
    if task.done then return end
    sub.scheduler.top.g:close("cancelled")
    loop.shielded(task.wait, task)
    services.close(sub)
  end })
  local ok, top = task:wait()
  services.close(sub)
  if not ok then error(top, 0) end
  if top.ok then return { value = run.result_of(sub) } end
  if top.waiting then
    errors.raise("waiting", step.id .. " waits for an approval", { class = "waiting" })
  end
  return { error = failure(sub, top) }
end

return nested
