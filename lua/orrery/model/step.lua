-- From what was written in o.step "x" { … } to an orrery.Step: types, kinds, defaults.
-- What needs the other steps to be known is checked in check.lua.
local build = require("orrery.model.build")
local lazy = require("orrery.kernel.lazy")
local clauses = lazy("orrery.model.clauses")
local expr = lazy("orrery.model.expr")
local fields = require("orrery.model.fields")
local paths = lazy("orrery.model.paths")
local report = require("orrery.model.report")
local shape = require("orrery.model.shape")
local sorted = require("orrery.kernel.sorted")

local step = {}

---@class orrery.Into
---@field report orrery.Messages
---@field env orrery.EnvSpec      the workflow's
---@field group? orrery.Group      what the steps that are made are in
---@field shape? table             what the last step has in common with others (model.shape)
---@field has fun(name: string): boolean  is there a module of that name?

local function sayer(into, node, name)
  return function(text, hint) into.report:error(into.report:at(node, name), text, hint) end
end

--- Why a text cannot be an id, or nil.
---@param id any
---@return string?
function step.bad_id(id)
  if type(id) ~= "string" then return "an id is text" end
  if id == "" then return "an id is empty" end
  if not id:find("[%s%c%[%]]") then return nil end
  if id:find("%c") then
    return ("id '%s' contains a control character"):format((id:gsub("%c", "?")))
  end
  return ("id '%s' contains a %s; ids have no blanks and no brackets"):format(id,
    id:find("%s") and "blank" or "bracket")
end

-- Unknown fields, wrong types, a field of another kind of step.
local function check_fields(node, known, into, what)
  for k, v in sorted.pairs(node.fields) do
    local spec = known[k]
    if not spec then
      if type(k) == "string" then
        sayer(into, node, k)(fields.unknown(what, k))
      elseif what == "step" then
        into.report:error(node.place, ("step '%s' has a value without a name"):format(node.id),
          type(v) == "string" and ("write run = %q"):format(v) or "a step has named fields only")
      end
    elseif not fields.fits(v, spec) then
      sayer(into, node, k)(("'%s' must be %s, not %s"):format(k, fields.describe(spec.type),
        fields.kind_of(v)))
    end
  end
end

-- A cheap pass over the fields that are right, so that only wrong ones pay for order.
local function all_fit(f, known)
  for k, v in next, f do
    local spec = known[k]
    if not spec or not fields.fits(v, spec) then return false end
  end
  return true
end

--- Checks the names and types of a node's fields.
---@param node orrery.Node
---@param what "step"|"group"|"workflow"|"param"
---@param into orrery.Into
function step.check_fields(node, what, into)
  if not all_fit(node.fields, fields[what]) then
    check_fields(node, fields[what], into, what)
  end
end

-- `wrong`: fields were refused already, one of which may have meant the kind.
local function kind_of(node, into, wrong)
  local found
  for _, kind in ipairs(fields.kinds) do
    if node.fields[kind] ~= nil then
      if found then
        into.report:error(into.report:at(node, kind), ("step '%s' has two kinds, %s and %s")
          :format(node.id, found, kind), "a step has exactly one")
        return nil
      end
      found = kind
    end
  end
  if not found and not wrong then
    into.report:error(node.place, ("step '%s' does nothing"):format(node.id), "give it one of "
      .. table.concat(fields.kinds, ", "))
  end
  return found
end

local function check_place_of_fields(node, kind, fanned, into)
  for k in next, node.fields do
    local spec = fields.step[k]
    if spec and spec.only == fields.work and not spec.only[kind] then
      sayer(into, node, k)(("'%s' is for steps that come to a result; '%s' is a %s"):format(k,
        node.id, kind))
    elseif spec and spec.only and not spec.only[kind] then
      sayer(into, node, k)(("'%s' is for %s steps; '%s' is a %s step"):format(k,
        table.concat(sorted.keys(spec.only), " and "), node.id, kind))
    elseif spec and spec.fan and not fanned then
      sayer(into, node, k)(("'%s' goes with for_each or matrix; '%s' has neither"):format(k,
        node.id), k == "policy" and "a policy belongs to a group" or nil)
    end
  end
end

--- A list of ids: texts, steps themselves, or lists of these.
---@param v any
---@param say orrery.Say
---@return string[]
function step.ids(v, say)
  local out = {}
  if v == nil then return out end
  if type(v) == "string" then return { v } end
  build.flatten(build.is(v) and { v } or v, function(id)
    if build.is(id) then id = id.id end
    if type(id) == "string" then
      out[#out + 1] = id
    else
      say("lists ids of steps and groups, not " .. fields.kind_of(id))
    end
  end)
  return out
end

local function texts(v, say, what)
  local out = {}
  build.flatten(type(v) == "table" and v or { v }, function(item)
    if type(item) == "string" then out[#out + 1] = item else say(what .. " lists texts") end
  end)
  return out
end

local function check_argv(v, name, say)
  if type(v) == "string" then
    if not v:find("%S") then say(("%s is empty"):format(name)) end
    return
  end
  if v[1] ~= nil and build.is_plain(v) then return end
  local n = 0
  for k in next, v do
    if math.type(k) ~= "integer" then
      return say(("%s is a list of words, it has no field '%s'"):format(name, tostring(k)))
    end
  end
  build.flatten(v, function(word)
    n = n + 1
    local kind = type(word)
    if kind ~= "string" and kind ~= "number" then
      say(("%s lists words; number %d is %s"):format(name, n, fields.kind_of(word)))
    end
  end)
  if n == 0 then say(("%s is an empty list; its first word is the program"):format(name)) end
end

local function whole(name, v, say)
  local n = math.tointeger(v)
  if v ~= nil and (not n or n < 1) then
    say(("%s must be a whole number of at least 1, not %s"):format(name, tostring(v)))
  end
  return n
end

local function fan_of(node, into)
  local f = node.fields
  if f.for_each == nil and f.matrix == nil then return nil end
  if f.for_each ~= nil and f.matrix ~= nil then
    sayer(into, node, "matrix")(("step '%s' has both for_each and matrix"):format(node.id),
      "a step fans out one way; nest a workflow for more")
  end
  local out = { label = f.label, limit = whole("limit", f.limit, sayer(into, node, "limit")),
    max = whole("max", f.max, sayer(into, node, "max")) }
  if f.policy ~= nil then
    out.policy = clauses.policy(f.policy, sayer(into, node, "policy"), into.has)
  end
  if f.matrix == nil or type(f.matrix) ~= "table" then
    out.kind, out.items = "for_each", f.for_each
    return out
  end
  out.kind, out.matrix, out.exclude = "matrix", {}, f.matrix.exclude
  for k, v in sorted.pairs(f.matrix) do
    if type(k) ~= "string" then
      sayer(into, node, "matrix")("matrix names its lists: matrix = { os = { \"linux\", … } }")
    elseif k ~= "exclude" then
      if type(v) ~= "table" and not (type(v) == "string" and v:find("{{", 1, true)) then
        sayer(into, node, "matrix")(("matrix '%s' must be a list, not %s"):format(k,
          fields.kind_of(v)))
      end
      out.matrix[k] = v
    end
  end
  return out
end

local function add_paths(out, f, node, into)
  if f.inputs ~= nil then
    local say = sayer(into, node, "inputs")
    local names
    out.inputs, names = paths.list(f.inputs, out.cwd, say)
    if next(names) then out.input_names = names end
    for _, spec in ipairs(out.inputs) do
      local why = paths.bad_input(spec)
      if why then say(why) end
    end
  end
  if f.outputs ~= nil then
    local say = sayer(into, node, "outputs")
    local names
    out.outputs, names = paths.list(f.outputs, out.cwd, say)
    if next(names) then out.output_names = names end
    for _, spec in ipairs(out.outputs) do
      local why = paths.bad_output(spec)
      if why then say(why) end
    end
  end
  if f.depfile then
    local spec, why = paths.spec(f.depfile, out.cwd)
    why = why or paths.bad_output(spec)
    if why then sayer(into, node, "depfile")(why) else out.depfile = spec.path end
  end
end

local function cwd_of(f, node, into)
  if f.cwd == nil or f.cwd == "" then return nil end
  local cwd = paths.join(f.cwd)
  if paths.leaves(cwd) then
    sayer(into, node, "cwd")(("cwd '%s' leaves the root"):format(f.cwd),
      "it is relative to the root")
  end
  return cwd ~= "." and cwd or nil
end

local parses = { text = true, lines = true, json = true }
local shells = { sh = true, bash = true }

-- A command that there is nothing to say about: most are, and what says it is made per step.
local function is_command(v)
  return type(v) == "string" and v:find("%S") ~= nil or v == nil
end

local function add_command(out, f, node, into)
  if not is_command(f.run) then check_argv(f.run, "run", sayer(into, node, "run")) end
  if not is_command(f.service) then
    check_argv(f.service, "service", sayer(into, node, "service"))
  end
  if f.parse and not parses[f.parse] then
    sayer(into, node, "parse")(("parse = '%s' is none of text, lines, json"):format(f.parse))
  end
  if type(f.shell) == "string" and not shells[f.shell] then
    sayer(into, node, "shell")(("shell = '%s' is neither sh nor bash"):format(f.shell),
      ('another interpreter is a list: shell = { "%s", "-c" }'):format(f.shell))
  elseif type(f.shell) == "table" then
    check_argv(f.shell, "shell", sayer(into, node, "shell"))
  end
  out.shell, out.parse = f.shell, f.parse
  if f.tools then out.tools = texts(f.tools, sayer(into, node, "tools"), "tools") end
end

local function add_when(out, f, node, into)
  local when = f.when
  if type(when) == "table" then
    if build.is(when, "condition") then
      out.condition = when
    else
      sayer(into, node, "when")('when is text, a function or o.condition "…"')
    end
    when = nil
  end
  if type(when) == "boolean" then when = tostring(when) end
  out.when = when
  if type(when) == "string" then
    if when:find("(", 1, true) and expr.has_status_word(when) then out.status_word = true end
    if not when:find("%S") then sayer(into, node, "when")("when is empty") end
  end
end

local function add_environment(out, f, node, into)
  if f.env == nil and f.pass_env == nil then return end
  out.env = clauses.over(into.env, clauses.env(f.env, f.pass_env, sayer(into, node, "env")))
end

local CLAUSES = { "timeout", "retry", "cache", "resources", "gate", "ready", "stop", "show" }

local function has_clauses(f)
  for i = 1, #CLAUSES do
    if f[CLAUSES[i]] ~= nil then return true end
  end
  return false
end

local function add_clauses(out, f, node, into)
  if not has_clauses(f) then return end
  local function say(name) return sayer(into, node, name) end
  if f.timeout ~= nil then out.timeout = clauses.duration("timeout", f.timeout, say("timeout")) end
  if f.retry ~= nil then out.retry = clauses.retry(f.retry, say("retry")) end
  if f.cache ~= nil then out.cache = clauses.cache(f.cache, say("cache")) end
  if f.resources ~= nil then out.resources = clauses.resources(f.resources, say("resources")) end
  if f.gate ~= nil then out.gate = clauses.gate(f.gate, say("gate")) end
  if f.ready ~= nil then out.ready = clauses.ready(f.ready, say("ready")) end
  if f.stop ~= nil then out.stop = clauses.stop(f.stop, say("stop")) end
  if f.show ~= nil then
    out.show = texts(f.show, say("show"), "show")
    for i, p in ipairs(out.show) do out.show[i] = paths.join(p, out.cwd) end
  end
end

-- Fields of a right type only, so that the rest need not ask again.
local function right_fields(f)
  local out = {}
  for k, v in next, f do
    local spec = fields.step[k]
    if spec and fields.fits(v, spec) then out[k] = v end
  end
  return out
end

-- Fields taken over as they are that few steps have.
local RARE = { "prompt", "model", "returns", "normalize", "sample", "doc", "keep", "temp",
  "allow_failure", "with", "tty" }

-- Fields of steps that have artifacts, completed by model.agents.native.
local OF_ARTIFACTS = { "reads", "artifacts", "uses", "fallback", "on_failure", "behind" }

local function add_artifacts(out, f, kind, into)
  local more = out.condition ~= nil or out.needs[1] == "*" or f.behind ~= nil
  out.behind = f.behind
  if kind == "agent" or kind == "skill" or kind == "workflow" then
    for _, name in ipairs(OF_ARTIFACTS) do
      if f[name] ~= nil then out[name], more = f[name], true end
    end
    local g = out.gate
    more = more or g and (g.score or g.verdict or g.rubric or g.checks) ~= nil
  end
  if more then into.artifactual = true end
end

-- Nothing looks into fields that never end: the step is none.
local function is_endless(node, into)
  local bad = {}
  for name, v in next, node.fields do bad[name] = fields.endless(v) end
  for name, why in sorted.pairs(bad) do sayer(into, node, name)(("%s %s"):format(name, why)) end
  return next(bad) ~= nil
end

--- Makes the step of a node; what is wrong goes to into.report. nil when it has no kind.
---@param node orrery.Node
---@param into orrery.Into
---@return orrery.Step?
function step.make(node, into)
  if is_endless(node, into) then return nil end
  local f = node.fields
  local wrong = not all_fit(f, fields.step)
  if wrong then
    check_fields(node, fields.step, into, "step")
    f = right_fields(f)
  end
  local kind = kind_of(node, into, wrong)
  if not kind or f[kind] == nil then return nil end
  local out = shape.new(node, kind, into)
  for i = 1, #RARE do
    local name = RARE[i]
    if f[name] then out[name] = f[name] end
  end
  out.fan = fan_of(node, into)
  check_place_of_fields(node, kind, out.fan ~= nil, into)
  if f.needs ~= nil then out.needs = step.ids(f.needs, sayer(into, node, "needs")) end
  if f.after ~= nil then out.after = step.ids(f.after, sayer(into, node, "after")) end
  out.cwd = cwd_of(f, node, into)
  add_paths(out, f, node, into)
  add_command(out, f, node, into)
  add_when(out, f, node, into)
  add_environment(out, f, node, into)
  add_clauses(out, f, node, into)
  add_artifacts(out, f, kind, into)
  return out
end

--- One step from fields given at run time: by a body's w:step, or at the prompt. Raises
--- code "invalid" with all that is wrong.
---@param id string
---@param fields_given table what o.step takes
---@param at orrery.Place the line that asks
---@param wf orrery.Workflow whose environment and modules it has
---@return orrery.Step
---@usage step.one("lint", { run = "luacheck lua" }, { file = "x.lua", line = 9 }, wf)
function step.one(id, fields_given, at, wf)
  local r = report.new(wf.box and wf.box.sources)
  local why = step.bad_id(id)
  if why then r:error(at, why) end
  local out = step.make(build.node("step", id, fields_given, at), { report = r, env = wf.env,
    group = wf.top, has = function(name) return wf.box ~= nil and wf.box:has(name) end })
  r:settle()
  return out
end

return step
