-- Decides a step's `when`: a Lua expression or a function of ctx, with success(),
-- failure(), always(), changed(glob) and exists(path).
local changes = require("orrery.run.changes")
local environ = require("orrery.run.keys.environ")
local expr = require("orrery.model.expr")
local fs = require("orrery.core.fs")
local secrets = require("orrery.run.secrets")

local conditions = {}

local function blocked(r)
  return r ~= nil and not r.ok and not r.allowed
    and (r.status == "failed" or r.status == "cancelled" or r.cause ~= nil)
end

-- Did anything before this step fail? A finally step looks at the whole run.
local function upstream_failed(run, step)
  if step.final then
    for _, r in pairs(run.results) do
      if blocked(r) then return true end
    end
    return false
  end
  for _, list in ipairs({ step.needs, step.after }) do
    for _, id in ipairs(list) do
      if blocked(run.results[id]) then return true end
    end
  end
  return false
end

-- The same doubt about several steps is said for the first of them.
local function warn_once(run, step, text)
  run.doubts = run.doubts or {}
  if run.doubts[text] then return end
  run.doubts[text] = true
  run.journal:emit({ ev = "message", level = "warning", id = step.id, place = step.place,
    text = ("step '%s': %s"):format(step.id, text) })
end

-- Counted from the base of --affected, unless the condition names one.
local function changed(run, glob, base)
  local found = run.opts.affected and not base and run.opts.affected.changes
    or changes.since(run.root, base or run.opts.base)
  return found.all or #found:matching(glob) > 0
end

local function functions(run, step)
  return {
    success = function() return not upstream_failed(run, step) end,
    failure = function() return upstream_failed(run, step) end,
    always = function() return true end,
    exists = function(path) return fs.stat(run.root .. "/" .. path) ~= nil end,
    environ = run.process_env,
    warn = function(text) warn_once(run, step, text) end,
    changed = function(glob, base) return changed(run, glob, base) end,
  }
end

-- The variables a condition reads: the process's, and over them what the step declares.
local function environment(run, step, ctx)
  local view = setmetatable({ secrets = secrets.marks }, { __index = ctx })
  local _, _, vars = environ.of(run, step, view, false)
  return vars
end

--- May the step start, as far as its own condition says? Raises code "expr" when the
--- condition cannot be evaluated.
---@param run orrery.Run
---@param step orrery.Step
---@param ctx table
---@return boolean
function conditions.pass(run, step, ctx)
  local when = step.when
  if when == nil then return true end
  local names = functions(run, step)
  if type(when) == "function" then
    return when(setmetatable(names, { __index = function(_, k)
      if k == "env" then return environment(run, step, ctx) end
      return ctx[k]
    end })) and true or false
  end
  local compiled = run.conditions[when]
  if not compiled then
    compiled = expr.compile(when)
    run.conditions[when] = compiled
  end
  local view = setmetatable(names, { __index = function(_, k)
    if k == "env" then return environment(run, step, ctx) end
    if expr.roots[k] then return ctx[k] end
  end })
  return compiled(view) and true or false
end

return conditions
