-- Everything about a workflow that can be known before it runs and that a single step does
-- not show: names of other steps, what templates and conditions read, functions, modules.
local lazy = require("orrery.kernel.lazy")
local functions = lazy("orrery.model.functions")
local nearest = lazy("orrery.kernel.nearest")
local params = lazy("orrery.model.params")
local scope = lazy("orrery.model.scope")
local sorted = require("orrery.kernel.sorted")
local template = require("orrery.model.template")

local check = {}

local function node_of(item) return item.node or (item.template and item.template.node) end

-- Schemas, ids and conditions hold no templates, or other ones.
local untemplated = { needs = true, after = true, when = true, returns = true, gate = true,
  finally = true, steps = true, params = true, policy = true, doc = true }

local EDGES = { "needs", "after" }

--- needs and after of a step or group name steps and groups that exist.
---@param item orrery.Step|orrery.Group
---@param wf orrery.Workflow
---@param report orrery.Messages
function check.names(item, wf, report)
  for _, field in ipairs(EDGES) do
    for _, id in ipairs(item[field]) do
      if not wf.by_id[id] then
        local at = node_of(item) and report:at(node_of(item), field) or item.place
        report:error(at, ("'%s' %s '%s', which is no step or group"):format(item.id,
          field == "needs" and "needs" or "is after", id), nearest.hint(id, wf.by_id))
      end
    end
  end
end

local function scope_of(item, wf, report, field, secrets)
  local node = node_of(item)
  local function at() return node and report:at(node, field) or item.place end
  return { wf = wf, item = item.id ~= "" and item or nil, field = field,
    known_secrets = secrets,
    say = function(text, hint) report:error(at(), text, hint) end,
    warn = function(text, hint) report:warning(at(), text, hint) end }
end

local function has_template(v)
  if type(v) == "string" then return v:find("{{", 1, true) ~= nil end
  if type(v) ~= "table" then return false end
  for _, item in next, v do
    if has_template(item) then return true end
  end
  return false
end

local function check_templates(item, fields, wf, report, secrets)
  for name, v in next, fields do
    if type(name) == "string" and not untemplated[name] and has_template(v) then
      scope.value(scope_of(item, wf, report, name, secrets), v)
    end
  end
end

local function check_when(item, wf, report, secrets)
  if type(item.when) == "string" then
    scope.condition(scope_of(item, wf, report, "when", secrets), item.when)
  end
end

local function check_shell(s, report)
  if s.kind ~= "run" and s.kind ~= "service" then return end
  if type(s.action) ~= "string" or not s.action:find("{{", 1, true) then return end
  local ok, why = pcall(template.check_shell, s.action)
  if not ok and not why.message:find("is not a path", 1, true) then
    report:error(report:at(s.node, s.kind), why.message)
  end
end

-- A function, or "module:function".
local function check_function(fn, what, s, wf, report, checked)
  if type(fn) == "function" then
    if checked[fn] then return end
    checked[fn] = true
    functions.check(fn, what, wf.box, report)
  elseif type(fn) == "string" and not fn:find("{{", 1, true) then
    local ok, found, why = pcall(wf.box.resolve, wf.box, fn)
    if not ok then
      report:caught(found, report:at(s.node, what))
    elseif not found then
      report:error(report:at(s.node, what), why)
    end
  end
end

-- What a step gives as the params of a workflow; values of templates are known later.
local function check_with(s, specs, report)
  local wanted, given = {}, {}
  for name, spec in next, specs do wanted[name] = spec end
  for name, v in next, s.with or {} do
    if wanted[name] and has_template(v) then
      wanted[name] = { name = name, type = wanted[name].type }
    else
      given[name] = v
    end
  end
  local _, messages = params.parse(wanted, given)
  for _, m in ipairs(messages) do
    report:error(report:at(s.node, s.with and "with" or "workflow"),
      ("%s: %s"):format(s.action, m.text),
      m.missing and ("give it: with = { %s = … }"):format(m.missing) or m.hint)
  end
end

local function check_nested(s, report, info)
  local find = info.find
  if s.kind ~= "workflow" or not find or s.action:find("{{", 1, true) then return end
  local path, names = find(s.action)
  if not path then
    return report:error(report:at(s.node, "workflow"),
      ("there is no workflow '%s'"):format(s.action), nearest.hint(s.action, names)
        or (#names > 0 and "the workflows are: " .. table.concat(names, ", ") or nil))
  end
  if not info.inner then return end
  local ok, specs = pcall(info.inner, path)
  if not ok then return report:caught(specs, report:at(s.node, "workflow")) end
  if specs then check_with(s, specs, report) end
end

local function check_step(s, wf, report, info, secrets, checked)
  check_templates(s, s.fields, wf, report, secrets)
  check_when(s, wf, report, secrets)
  check_shell(s, report)
  if s.kind == "call" then check_function(s.action, "call", s, wf, report, checked) end
  if s.gate and s.gate.check then
    check_function(s.gate.check, "gate", s, wf, report, checked)
  end
  if type(s.normalize) == "string" then
    check_function(s.normalize, "normalize", s, wf, report, checked)
  end
  check_nested(s, report, info)
end

local function check_shape(wf, report)
  local f = wf.node.fields
  if wf.body and (#wf.top.members > 0 or f.steps ~= nil) then
    report:error(report:at(wf.node, "body"), "a workflow has a body or steps, not both",
      "start the steps inside the body: w:step(id, fields)")
  elseif not wf.body and f.steps == nil and f[1] == nil and #wf.groups == 1
    and #wf.steps == 0 then
    report:error(wf.place, "the workflow has no steps", 'add o.step "id" { run = … }')
  end
end

--- Runs all checks over a workflow whose edges and graph are there.
---@param wf orrery.Workflow
---@param report orrery.Messages
---@param info { config?: orrery.Config, find?: function, inner?: function } inner: the
---  params of the workflow in a file; nil while that file is being loaded around this one
function check.all(wf, report, info)
  local secrets, checked = {}, {}
  for _, from in ipairs { wf.secrets, info.config and info.config.secrets or {} } do
    for name in sorted.pairs(from) do secrets[name] = true end
  end
  check_shape(wf, report)
  for _, s in ipairs(wf.declared) do check_step(s, wf, report, info, secrets, checked) end
  for _, g in ipairs(wf.groups) do
    if g.id ~= "" then check_when(g, wf, report, secrets) end
  end
  check_templates(wf.top, wf.node.fields, wf, report, secrets)
end

return check
