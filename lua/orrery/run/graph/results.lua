-- Result records of steps and groups, and the rules by which others read them.
local errors = require("orrery.kernel.errors")
local hash = require("orrery.core.hash")
local pack = require("orrery.core.pack")

local results = {}

--- A step that did not run: why is "when", "failed", "stopped", "filtered" or "waiting";
--- cause is the id of the failure at the root.
---@param why string
---@param cause? string
---@return orrery.Result
function results.skipped(why, cause)
  return { ok = false, status = "skipped", why = why, cause = cause, outputs = {},
    seconds = 0, attempts = 0, waiting = why == "waiting" or nil }
end

--- A step whose execution raised instead of returning.
---@param err any
---@param class? string
---@param allowed? boolean the step has allow_failure
---@return orrery.Result
function results.failure(err, class, allowed)
  local is = errors.is(err)
  if is and (err.code == "cancelled" or err.code == "ECANCELLED") then
    return { ok = false, status = "cancelled", outputs = {}, seconds = 0, attempts = 1,
      error = { class = "cancelled", message = errors.text(err) } }
  end
  return { ok = false, status = "failed", outputs = {}, seconds = 0, attempts = 1,
    allowed = allowed or nil, error = { class = class or (is and err.code) or "internal",
      message = errors.text(err), traceback = is and err.traceback or nil } }
end

--- Does a result keep its dependants from running? Then the id of the failure they are
--- told, else nil. A step skipped by its own condition does not.
---@param id string
---@param result orrery.Result
---@return string? cause
---@return "failed"|"waiting"|nil why
function results.blocks(id, result)
  if result.ok or result.allowed then return nil end
  if result.waiting then return result.cause or id, "waiting" end
  if result.status ~= "skipped" then return result.cause or id, "failed" end
  if result.why and result.why ~= "when" then return result.cause or id, "failed" end
end

local LIST_OF = { ok = "passed", failed = "failed", cancelled = "skipped", skipped = "skipped" }

-- The first failure of members, and whether one waits.
local function trouble_of(members)
  local r = {}
  for _, node in ipairs(members) do
    local one = node.result or results.skipped("stopped")
    r.waiting = r.waiting or one.waiting
    if not r.error and one.status == "failed" and not one.allowed then
      r.error, r.cause = one.error, node.id
    end
  end
  return r
end

-- The lists of a group record, in member order. Of a workflow whose results are cut nobody
-- reads them.
local function collect(owner)
  local members, r = owner.members, trouble_of(owner.members)
  r.passed, r.failed, r.skipped = pack.array({}), pack.array({}), pack.array({})
  r.values, r.results, r.outputs = pack.array({}), {}, {}
  if owner.id == "" and owner.sched.few then return r end
  local digests = {}
  for i, node in ipairs(members) do
    local one = node.result or results.skipped("stopped")
    local list = r[LIST_OF[one.status]]
    list[#list + 1] = node.id
    r.results[i] = one
    if one.ok and one.value ~= nil then r.values[#r.values + 1] = one.value end
    for _, path in ipairs(one.outputs or {}) do r.outputs[#r.outputs + 1] = path end
    digests[i] = node.id .. " " .. (one.digest or one.status)
  end
  if #digests > 0 then r.digest = hash.sha256(table.concat(digests, "\n")) end
  return r
end

local function blocked_member(members)
  for _, node in ipairs(members) do
    local one = node.result
    if one and one.status ~= "ok" then
      local cause = results.blocks(node.id, one)
      if cause then return cause end
    end
  end
end

--- The record of a group without a policy of its own: ok when no member kept it from it.
---@param node orrery.Node
---@return orrery.Result
function results.of_members(node)
  local members = node.members
  local r = collect(node)
  if node.unit.fan then r.value = r.values end
  local cause = blocked_member(members)
  r.ok = cause == nil
  r.status = r.ok and "ok" or (r.error and "failed") or "skipped"
  if r.status == "skipped" then r.why = r.waiting and "waiting" or "failed" end
  r.cause = not r.ok and (r.cause or cause) or nil
  if r.status == "failed" then r.waiting = nil end
  r.seconds, r.attempts = 0, 1
  return r
end

local function status_of(g, r, outcome)
  if g.closed and g.closed ~= "policy" and not (g.outcome and outcome.ok) then
    return "cancelled"
  elseif g.outcome then
    return outcome.ok and "ok" or "failed"
  elseif not outcome.ok then
    return "failed"
  end
  return r.waiting and "skipped" or "ok"
end

--- The record of a group that ran by a policy.
---@param g orrery.G
---@param outcome { ok: boolean, value?: any, text?: string }
---@return orrery.Result
function results.group(g, outcome)
  local r = collect(g.node)
  r.status = status_of(g, r, outcome)
  r.ok = r.status == "ok"
  if r.ok then
    r.error, r.cause, r.waiting = nil, nil, nil
  elseif outcome.text then
    r.error = { class = outcome.class or "policy", message = outcome.text,
      traceback = outcome.traceback, step = outcome.step, place = outcome.place }
  end
  if r.status ~= "skipped" then r.waiting = nil else r.why = "waiting" end
  r.winner = g.outcome and r.ok and g.winner and g.winner.id or nil
  r.value = outcome.value
  if r.value == nil and (g.node.kind == "fan" or g.node.unit.fan) then r.value = r.values end
  r.seconds, r.attempts = 0, 1
  return r
end

--- Reads a result for a ctx. Raises when there is no such step, or it has not ended.
---@param run orrery.Run
---@param id string
---@return orrery.Result
function results.read(run, id)
  local r = run.results[id]
  if r then return r end
  local known = run.workflow.by_id[id] or run.scheduler.nodes[id]
  if known then
    errors.raise("results", ("results['%s']: it has not ended; add needs = \"%s\""):format(id, id))
  end
  local near = require("orrery.kernel.nearest").hint(id, run.workflow.by_id)
  errors.raise("results", ("results['%s']: there is no such step%s"):format(id,
    near and "; " .. near or ""))
end

return results
