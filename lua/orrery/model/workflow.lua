-- From the node of a file to the checked orrery.Workflow: params first, then the steps they
-- build, then edges, order and checks. All that is wrong is said at once.
local build = require("orrery.model.build")
local checks = require("orrery.model.check")
local lazy = require("orrery.kernel.lazy")
local clauses = lazy("orrery.model.clauses")
local edges = require("orrery.model.edges")
local errors = require("orrery.kernel.errors")
local fields = require("orrery.model.fields")
local graph = require("orrery.model.graph")
local group = require("orrery.model.group")
local native = lazy("orrery.model.agents.native")
local params = lazy("orrery.model.params")
local sorted = require("orrery.kernel.sorted")
local shape = require("orrery.model.shape")
local step = require("orrery.model.step")

local workflow = {}

local param_types = { string = true, number = true, integer = true, boolean = true, list = true,
  map = true }

local function spec_of(name, f, at)
  local kind = f.type
  if not kind and f.default ~= nil then kind = params.type_of(f.default) end
  if not kind and type(f.choices) == "table" and f.choices[1] ~= nil then
    kind = params.type_of(f.choices[1])
  end
  return { name = name, type = kind or "string", required = f.required or false,
    default = f.default, choices = f.choices, pattern = f.pattern, help = f.help, place = at }
end

local function check_param(spec, f, say)
  if f.type and not param_types[f.type] then
    say(("param '%s': type '%s' is none of %s"):format(spec.name, tostring(f.type),
      table.concat(sorted.keys(param_types), ", ")))
    spec.type = "string"
  end
  if spec.required and spec.default ~= nil then
    say(("param '%s' is required and has a default; one of the two"):format(spec.name))
  end
  if spec.default ~= nil then
    for _, m in ipairs(select(2, params.parse({ [spec.name] = spec },
      { [spec.name] = spec.default }))) do
      say("the default of " .. m.text)
    end
  end
end

local function bad_param_name(name)
  return type(name) ~= "string" or not name:find("^[%a_][%w_%-]*$")
end

--- The params of a workflow as specs.
---@param node orrery.Node
---@param into table
---@return table<string, orrery.Param>
local function param_specs(node, into)
  local specs = {}
  local listed = node.fields.params
  for name, v in sorted.pairs(type(listed) == "table" and listed or {}) do
    local at = into.report:at(node, type(name) == "string" and name or "params")
    local function say(text, hint) into.report:error(at, text, hint) end
    if bad_param_name(name) then
      say(("'%s' is not a name for a param"):format(tostring(name)),
        "write params = { name = default }")
    elseif build.is(v, "param") then
      step.check_fields(v, "param", into)
      specs[name] = spec_of(name, v.fields, at)
      check_param(specs[name], v.fields, say)
    elseif type(v) == "function" or build.is(v) then
      say(("param '%s' has %s as its default"):format(name, fields.kind_of(v)))
    else
      specs[name] = spec_of(name, { default = v }, at)
    end
  end
  return specs
end

-- Missing ones are a matter of the command line (exit 2), all of them in one go.
local function parse_params(specs, opts, into)
  if next(specs) == nil and next(opts.params or {}) == nil then return {} end
  local values, messages = params.parse(specs, opts.params or {})
  local usage = {}
  for _, m in ipairs(messages) do
    if not (opts.inspect and m.missing) then usage[#usage + 1] = m end
  end
  if #usage > 0 and not into.report.failed then
    local lines = {}
    for i, m in ipairs(usage) do
      m.place = m.place or into.place
      lines[i] = m.hint and m.text .. "; " .. m.hint or m.text
    end
    errors.raise("usage", table.concat(lines, "\n"), { messages = usage, params = specs })
  end
  return values
end

-- The params as steps = function(p) sees them: a name that is no param is an error.
local function view_of(values, specs)
  return setmetatable({}, {
    __index = function(_, name)
      if specs[name] then return values[name] end
      local nearest = require("orrery.kernel.nearest")
      local hint = type(name) == "string" and nearest.hint(name, specs)
      error(("there is no param '%s'%s"):format(tostring(name), hint and "; " .. hint or ""), 2)
    end,
    __newindex = function() error("params are read-only", 2) end,
    __pairs = function() return sorted.pairs(values) end,
  })
end

local function steps_of(node, into, specs)
  local steps = node.fields.steps
  if type(steps) ~= "function" then return steps end
  if into.report.failed then return {} end
  local made = into.box:call(steps, view_of(into.values, specs))
  if made ~= nil and type(made) ~= "table" then
    into.report:error(into.report:at(node, "steps"),
      ("steps = function(p) must return a list of steps, not %s"):format(fields.kind_of(made)))
    return nil
  end
  return made
end

local function paths_of(v)
  local out = {}
  build.flatten(type(v) == "table" and v or { v }, function(p) out[#out + 1] = p end)
  return out
end

local function base_of(node, info, into, specs)
  local f = node.fields
  local function say(name)
    return function(text, hint) into.report:error(into.report:at(node, name), text, hint) end
  end
  local wf = { name = node.id or info.name, doc = f.doc, file = info.file, root = info.root,
    place = node.place, form = info.form, params = specs, values = into.values,
    steps = into.steps, by_id = into.by_id, body = f.body, result = f.result,
    env = into.env, dotenv = paths_of(f.dotenv), secrets = {}, meta = node.meta or {},
    box = into.box, node = node, warnings = {} }
  if type(f.secrets) == "table" or type(f.secrets) == "string" then
    wf.secrets = clauses.secrets(f.secrets, say("secrets"))
  end
  if type(f.budget) == "table" then wf.budget = clauses.budget(f.budget, say("budget")) end
  if type(f.cache) == "table" or type(f.cache) == "boolean" then
    wf.cache = clauses.cache(f.cache, say("cache"))
  end
  return wf
end

local function cycles(wf, report)
  local said = {}
  for _, loop in ipairs(wf.graph.loops) do
    local fresh, items = true, graph.items(loop)
    for _, item in ipairs(items) do fresh = fresh and not said[item] end
    if fresh then
      local path, whys, first = graph.describe(loop, group.where)
      report:error(first.place, "cycle: " .. path, whys)
      for _, item in ipairs(items) do said[item] = true end
    end
  end
end

local function known_names(wf, report)
  for _, list in ipairs { wf.declared, wf.groups } do
    for _, item in ipairs(list) do checks.names(item, wf, report) end
  end
end

local function env_of(node, into)
  local f = node.fields
  if f.env == nil and f.pass_env == nil then return { set = {}, take = {}, pass = {} } end
  return clauses.env(type(f.env) == "table" and f.env or nil, f.pass_env,
    function(text, hint) into.report:error(into.report:at(node, "env"), text, hint) end)
end

local function new_into(report, box)
  return { report = report, box = box, steps = {}, by_id = {}, groups = {}, declared = {},
    has = function(name) return box:has(name) end }
end

--- Makes the Workflow of a node. Raises code "invalid" or "usage" with all messages.
---@param node orrery.Node
---@param info { name: string, file: string, root: string, form: string, config?: table,
---  find?: fun(name: string): string?, string[], complete?: fun(wf: orrery.Workflow, report:
---  orrery.Messages) }  complete: a form's own edges and paths, before they are checked
---@param opts { params?: table, inspect?: boolean }
---@param box orrery.Box
---@param report orrery.Messages
---@return orrery.Workflow
function workflow.make(node, info, opts, box, report)
  local into = new_into(report, box)
  into.place = node.place
  local specs = param_specs(node, into)
  into.values = parse_params(specs, opts, into)
  into.env = env_of(node, into)
  local steps = steps_of(node, into, specs)
  if type(node.fields.loops) == "table" and not report.failed then
    node, steps = native.unrolled(node, steps, into)
  end
  local wf = base_of(node, info, into, specs)
  wf.top = group.top(node, into, steps)
  wf.groups, wf.declared = into.groups, into.declared
  if info.complete and not report.failed then info.complete(wf, report) end
  if into.artifactual and not info.complete and not report.failed then
    native.complete(wf, report, { strict = opts.strict, inspect = opts.inspect, box = box })
  end
  known_names(wf, report)
  edges.complete(wf, report)
  wf.graph = graph.new(wf, into.groups)
  cycles(wf, report)
  checks.all(wf, report, info)
  report:settle()
  wf.warnings = report:sorted()
  wf.reads = box.reads
  shape.settle(wf)
  wf.graph = graph.later(wf)
  return wf
end

return workflow
