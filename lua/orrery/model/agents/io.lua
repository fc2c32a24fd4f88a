-- Inputs, outputs and gate of the steps of an agent workflow, resolved: paths, who makes
-- them, schemas. What has no directory lives in the run's artifact directory.
local checknames = require("orrery.model.agents.checknames")
local inputs = require("orrery.model.agents.inputs")
local paths = require("orrery.model.paths")
local templates = require("orrery.model.agents.templates")
local truth = require("orrery.model.agents.truth")

local io = {}

--- The run's artifact directory, relative to the root.
io.DIR = ".orrery/runs/" .. templates.RUN .. "/artifacts"

---@class orrery.agents.Io
---@field src orrery.agents.Source
---@field wf orrery.Workflow
---@field values table<string, any>
---@field stat fun(path: string): table?  of what lies at a path relative to the root

local function rendered(self, e, text, at, what)
  local out = templates.text(text, templates.over(self.values, e.vars))
  local left, is_name = templates.leftover(out)
  if left and not is_name then
    self.src.report:error(at, ("%s: {{%s}} is no template"):format(what, left),
      "a template is one name of letters, digits, _ and -")
  elseif left and not self.inspect then
    self.src.report:error(at, ("%s: {{%s}} has no value"):format(what, left),
      ("give it: -p %s=VALUE"):format(left))
  end
  return out
end

-- A later round writes beside the first: "round-2/a.json", "x/a-round-2.json".
local function of_round(name, tag, is_artifact)
  if not tag then return name end
  if is_artifact then return tag .. "/" .. name end
  local base, ending = name:match("^(.*)(%.%w+)$")
  return ("%s-%s%s"):format(base or name, tag, ending or "")
end

-- Where an output lies. A name that several steps make belongs to the first; the others
-- have theirs in a directory of their own.
local function place_of(self, e, name)
  if name:find("/", 1, true) then return paths.normal(of_round(name, e.tag, false)) end
  local maker = self.makers[name]
  local origin = e.origin or e.id
  if not maker then
    maker = origin
    self.makers[name] = origin
  end
  local own = of_round(name, e.tag, true)
  if maker ~= origin then own = origin .. "/" .. own end
  return io.DIR .. "/" .. own
end

local function outputs(self, e)
  local out = {}
  for i, o in ipairs(e.outputs) do
    local name = rendered(self, e, o.name, o.place, ("step '%s', outputs"):format(e.id))
    local path = place_of(self, e, name)
    local why = paths.bad_output({ path = name:find("/", 1, true) and path or name })
    if why then self.src.report:error(o.place, why) end
    out[i] = { name = name, path = path, kind = o.kind, optional = o.optional, note = o.note,
      key = truth.fold(o.name) }
  end
  local first = inputs.primary(out)
  if first then out[first].primary = true end
  return out
end

local function made_by(self, id, name)
  for _, o in ipairs(self.outputs[id] or {}) do
    if o.name == name then return o end
  end
end

-- A value that names a file of the root is an input by its content.
local function file_of(self, v)
  if type(v) ~= "string" or v == "" or #v > 1024 or v:find("[\n%z]") then return nil end
  local path = paths.normal(v)
  if paths.leaves(path) or path == "." then return nil end
  local st = self.stat(path)
  return st and (st.type == "file" or st.type == "dir") and path or nil
end

local function from_step(self, e, one)
  local o = made_by(self, one.from, one.name)
  if not o and self.outputs[one.from] then
    self.src.report:warning(one.place, ("'%s' reads %s from step '%s', which does not declare it")
      :format(e.id, one.name, one.from), "it will be missing")
  end
  one.path = o and o.path
  one.directory = o and o.kind == "directory" or nil
end

local function from_outside(self, e, one)
  if one.name == "iteration_count" then
    one.param, one.value = one.name, e.vars and e.vars.iteration_count or 1
  elseif self.wf.params[one.name] then
    one.param, one.value = one.name, self.values[one.name]
    one.path = file_of(self, one.value)
  elseif one.name:find("/", 1, true) then
    one.path = paths.normal(one.name)
  else
    one.path = io.DIR .. "/" .. one.name
  end
  if one.path and paths.leaves(one.path) then one.path = nil end
end

local function read_inputs(self, e)
  local out = {}
  for i, input in ipairs(e.inputs) do
    local one = { name = rendered(self, e, input.name, input.place,
      ("step '%s', inputs"):format(e.id)), from = input.from, optional = input.optional,
      note = input.note, place = input.place, beside = input.beside,
      instead_of = input.instead_of }
    if one.from then from_step(self, e, one) else from_outside(self, e, one) end
    if one.beside then one.path = nil end
    out[i] = one
  end
  return out
end

-- The path of a schema or rubric; nil and why the gate cannot be checked by it.
local function knowledge(self, e, path, at, what)
  if not path then return nil end
  path = paths.normal(rendered(self, e, path, at, what))
  local st = self.stat(path)
  if st and st.type == "file" then return path end
  return path, ("the %s %s is not there"):format(what, path)
end

local function schema_for(self, e, gate, o, path, at)
  local found, why = knowledge(self, e, path, at, "schema")
  if why then
    gate.unchecked[#gate.unchecked + 1] = { text = why, place = at }
  elseif o then
    o.schema = found
    gate.schemas[#gate.schemas + 1] = { path = o.path, name = o.name, schema = found,
      optional = o.optional }
  end
end

local function gate_of(self, e, outs)
  local v = e.validation
  local gate = { schemas = {}, unchecked = {}, minimum = v.minimum, checks = v.checks }
  local first = inputs.primary(outs)
  if v.schema and first then
    schema_for(self, e, gate, outs[first], v.schema, v.schema_place)
  elseif v.schema then
    gate.unchecked[1] = { place = v.schema_place,
      text = ("there is no .json output for the schema %s"):format(v.schema) }
  end
  for _, s in ipairs(v.secondary) do
    local name, found = rendered(self, e, s.artifact, s.place, "secondary_outputs"), nil
    for _, o in ipairs(outs) do
      if o.name == name then found = o end
    end
    if s.schema then schema_for(self, e, gate, found, s.schema, s.place) end
  end
  for i, name in ipairs(v.checks or {}) do
    local nobody = checknames.missing(name, self.stat)
    if nobody then
      gate.unknown = gate.unknown or {}
      gate.unknown[name] = true
      gate.unchecked[#gate.unchecked + 1] = { text = nobody, place = v.checks_at[i] }
    end
  end
  local rubric, why = knowledge(self, e, v.rubric, v.rubric_place, "rubric")
  gate.rubric = not why and rubric or nil
  if why then gate.unchecked[#gate.unchecked + 1] = { text = why, place = v.rubric_place } end
  if v.gate then
    local path = paths.normal(of_round(rendered(self, e, v.gate, v.place, "gate"), e.tag, false))
    local bad = paths.bad_output({ path = path })
    if bad then self.src.report:error(v.place, bad) else gate.path = path end
  end
  return (gate.path or v.schema or v.minimum or v.checks or gate.rubric or #gate.schemas > 0)
    and gate or nil
end

local function spec(path, optional, dir)
  return { path = path, exclude = false, glob = false, dir = dir or false, optional = optional }
end

-- What the engine sees of it: paths to digest, and paths to keep.
local function declare(s, agent_io)
  s.inputs, s.input_names, s.outputs, s.output_names = {}, {}, {}, {}
  for _, one in ipairs(agent_io.inputs) do
    if one.path and one.name ~= "artifact-registry.json" then
      s.inputs[#s.inputs + 1] = spec(one.path, one.optional or one.from == nil or nil,
        one.directory)
    end
  end
  for _, o in ipairs(agent_io.outputs) do
    s.outputs[#s.outputs + 1] = spec(o.path, o.optional, o.kind == "directory")
  end
  local gate = agent_io.gate
  if gate and gate.path then s.outputs[#s.outputs + 1] = spec(gate.path, true) end
  if gate and gate.rubric then s.inputs[#s.inputs + 1] = spec(gate.rubric, true) end
end

--- Attaches inputs, outputs and gate to the steps of a workflow.
---@param wf orrery.Workflow
---@param entries orrery.agents.Entry[]
---@param src orrery.agents.Source
---@param values table<string, any>
---@param opts { stat: function, inspect: boolean }
function io.attach(wf, entries, src, values, opts)
  local self = { src = src, wf = wf, values = values, stat = opts.stat, inspect = opts.inspect,
    makers = {}, outputs = {} }
  for _, e in ipairs(entries) do
    if wf.by_id[e.id] then self.outputs[e.id] = outputs(self, e) end
  end
  for _, e in ipairs(entries) do
    local s = wf.by_id[e.id]
    if s and s.kind == "workflow" and not e.plain then
      -- Its outputs are those of steps in it, which write them.
      declare(s, { inputs = read_inputs(self, e), outputs = {} })
    elseif s and s.kind and not s.agent_io and not e.plain then
      s.agent_io = { inputs = read_inputs(self, e), outputs = self.outputs[e.id], name = e.name,
        role = e.role, skill = e.skill, tool = e.tool, notes = e.notes, round = e.tag,
        publish = e.publish or nil, rating = e.rating or nil, fallback = e.fallback,
        on_failure = e.retry and e.retry.on_failure }
      s.agent_io.gate = gate_of(self, e, s.agent_io.outputs)
      s.meta = next(e.meta) and e.meta or nil
      declare(s, s.agent_io)
    end
  end
end

--- Says which gates cannot be checked, and notes them for the end of the run.
---@param wf orrery.Workflow
---@param report orrery.Messages
---@param strict? boolean it is an error
function io.report_unchecked(wf, report, strict)
  wf.unchecked = {}
  for _, s in ipairs(wf.steps) do
    local gate = s.agent_io and s.agent_io.gate
    for _, u in ipairs(gate and gate.unchecked or {}) do
      wf.unchecked[#wf.unchecked + 1] = { id = s.id, text = u.text, place = u.place }
      if not s.agent_io.round then
        local add = strict and report.error or report.warning
        add(report, u.place, ("step '%s': its gate is unchecked: %s"):format(s.id, u.text))
      end
    end
  end
end

return io
