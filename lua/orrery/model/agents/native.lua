-- Steps with artifacts in the native forms: what agent workflows have beside commands (reads,
-- artifacts, gates with a score, conditions by name, bounded loops), as fields of o.step. They
-- become the entries of the dialect, so that both forms mean the same.
local build = require("orrery.model.build")
local condition = require("orrery.model.agents.condition")
local conditions = require("orrery.model.agents.conditions")
local edges = require("orrery.model.agents.edges")
local errors = require("orrery.kernel.errors")
local inputs = require("orrery.model.agents.inputs")
local io = require("orrery.model.agents.io")
local nearest = require("orrery.kernel.nearest")
local reading = require("orrery.model.reading")
local rounds = require("orrery.model.agents.rounds")
local sorted = require("orrery.kernel.sorted")
local templates = require("orrery.model.agents.templates")

local native = {}

-- {{params.x}} of the language is {{x}} of the dialect, where names are known while loading.
local function name_of(text)
  return (text:gsub("{{%s*params%.([%a_][%w_%-]*)%s*}}", "{{%1}}"))
end

-- Checks one entry of a list: text, or a table that starts with its name.
local function one_of(list, i, spec, say)
  local v = list[i]
  if type(v) == "string" then return { v } end
  if type(v) ~= "table" or build.is(v) or type(v[1]) ~= "string" then
    say(('number %d is no name; write "plan.json" or { "plan.json", … }'):format(i))
    return nil
  end
  for k, value in sorted.pairs(v) do
    if k ~= 1 and not spec[k] then
      say(("unknown field '%s' of %s"):format(tostring(k), v[1]), type(k) == "string"
        and nearest.hint(k, spec) or "it has " .. table.concat(sorted.keys(spec), ", "))
    elseif k ~= 1 and type(value) ~= spec[k] then
      say(("%s of %s must be %s, not a %s"):format(k, v[1], spec[k], type(value)))
    end
  end
  return v
end

local read_spec = { from = "string", optional = "boolean", note = "string",
  instead_of = "string", beside = "boolean" }
local made_spec = { kind = "string", optional = "boolean", note = "string" }
local made_kinds = { artifact = true, reasoning = true, directory = true, file = true }

local function read_list(s, at, say)
  local out = {}
  for i = 1, #(s.reads or {}) do
    local v = one_of(s.reads, i, read_spec, say)
    if v then
      out[#out + 1] = { name = name_of(v[1]), from = v.from, optional = v.optional or false,
        note = v.note, instead_of = v.instead_of, beside = v.beside, place = at }
    end
  end
  return out
end

local function made_list(s, at, say)
  local out = {}
  for i = 1, #(s.artifacts or {}) do
    local v = one_of(s.artifacts, i, made_spec, say)
    if v and v.kind and not made_kinds[v.kind] then
      say(("kind '%s' is none of artifact, directory, file, reasoning"):format(v.kind))
    elseif v then
      local one = inputs.output(name_of(v[1]))
      one.kind, one.optional, one.place = v.kind or one.kind, v.optional or one.optional, at
      one.note = v.note or one.note
      out[#out + 1] = one
    end
  end
  return out
end

local function validation_of(s, at)
  local g, out = s.gate or {}, { secondary = {}, meta = {}, place = at, schema_place = at,
    rubric_place = at }
  local schemas = type(g.schema) == "string" and { g.schema } or g.schema or {}
  for name, path in sorted.pairs(schemas) do
    if name == 1 then
      out.schema = name_of(path)
    elseif type(path) == "string" then
      out.secondary[#out.secondary + 1] = { artifact = name_of(name), schema = name_of(path),
        place = at }
    end
  end
  out.gate, out.rubric = g.verdict and name_of(g.verdict), g.rubric and name_of(g.rubric)
  out.minimum, out.checks, out.checks_at = g.score, g.checks, {}
  for i in ipairs(g.checks or {}) do out.checks_at[i] = at end
  return out
end

local function tree_of(node, report)
  local ok, tree = pcall(condition.parse, node.id)
  if ok then return tree end
  report:error(node.place, errors.text(tree), tree.hint)
end

local function is_plain(s)
  local g = s.gate
  local able = s.kind == "agent" or s.kind == "skill" or s.kind == "workflow"
  return not able or not (s.reads or s.artifacts or s.uses
    or s.fallback or s.on_failure or g and (g.score or g.verdict or g.rubric or g.checks))
end

local function refuse_paths(s, say)
  for _, name in ipairs { "inputs", "outputs" } do
    if s.fields[name] ~= nil then
      say(("'%s' stands beside reads or artifacts"):format(name),
        "a path with a slash may stand in reads and artifacts")
    end
  end
end

local function ids_of(v)
  return type(v) == "string" and { v } or v or {}
end

-- The entry of a step as the modules of the dialect know it.
local function entry_of(s, report)
  local function say(name)
    return function(text, hint)
      report:error(report:at(s.node, name), ("%s: %s"):format(name, text), hint)
    end
  end
  local round = s.node.round or {}
  local e = { id = s.id, place = s.place, plain = is_plain(s), tag = round.tag,
    vars = round.vars, origin = round.origin, copied = round.copied, first = round.first,
    follows = round.follows, waits = round.waits, behind_ids = ids_of(s.behind),
    member = s.group and s.group.id ~= "" and s.group.id or nil, meta = {}, trees = {},
    inputs = round.inputs or read_list(s, report:at(s.node, "reads"), say("reads")),
    outputs = made_list(s, report:at(s.node, "artifacts"), say("artifacts")),
    validation = validation_of(s, report:at(s.node, "gate")) }
  if s.condition then e.trees[1] = tree_of(s.condition, report) end
  if e.plain then return e end
  refuse_paths(s, say("artifacts"))
  local uses = s.uses or {}
  e.name, e.role, e.tool = s.doc, s.kind == "agent" and s.action or nil, uses.tool
  e.skill = s.kind == "skill" and s.action or uses.skill
  e.rating = s.gate and s.gate.improve or nil
  e.fallback = s.fallback and ids_of(s.fallback) or nil
  e.retry = s.on_failure and { on_failure = s.on_failure } or nil
  if s.gate then s.gate = s.gate.check and { check = s.gate.check } or nil end
  return e
end

-- Roles and prompts may hold params; a round's counters are known now.
local function settle_words(wf, e, s)
  if e.role then
    s.action = templates.text(name_of(s.action), templates.over(wf.values, e.vars))
    e.role = s.action
  end
end

--- Completes the steps of a native workflow that have artifacts or conditions by name.
---@param wf orrery.Workflow
---@param report orrery.Messages
---@param opts { strict?: boolean, inspect?: boolean, box: orrery.Box }
function native.complete(wf, report, opts)
  local entries = {}
  for i, s in ipairs(wf.steps) do
    entries[i] = entry_of(s, report)
    settle_words(wf, entries[i], s)
    if s.needs[1] == "*" then
      entries[i].publish = true
      table.remove(s.needs, 1)
    end
  end
  if report.failed then return end
  wf.artifactual = true
  edges.add(wf, entries, report, { native = true })
  io.attach(wf, entries, { report = report }, wf.values, { inspect = opts.inspect,
    stat = reading.fs(opts.box).stat })
  conditions.attach(wf, entries, report, { strict = opts.strict, inspect = opts.inspect })
  io.report_unchecked(wf, report, opts.strict)
end

---------------------------------------------------------------------------
-- loops

local loop_spec = { from = "string", to = "string", max = "number|string", again = "table",
  counter = "string", before = "string|table" }

-- The steps of the members, one level of groups deep, with their group.
local function flat_of(list, report)
  local out, groups = {}, {}
  build.flatten(list, function(v)
    if build.is(v, "step") then
      out[#out + 1] = { id = v.id, node = v }
    elseif build.is(v, "group") then
      groups[v.id] = v
      build.flatten({ v.fields and v.fields.steps or {}, table.move(v.fields or {}, 1,
        #(v.fields or {}), 1, {}) }, function(inner)
        if build.is(inner, "step") then
          out[#out + 1] = { id = inner.id, node = inner, member = v.id }
        else
          report:error(v.place, "loops go with steps and groups of steps", "nest a workflow")
        end
      end)
    end
  end)
  for _, e in ipairs(out) do
    local reads = e.node.fields and e.node.fields.reads
    e.inputs = reads and read_list({ reads = type(reads) == "table" and reads or {} },
      report:at(e.node, "reads"), function() end) or {}
  end
  return out, groups
end

local function count_of(loop, values, say)
  local n = loop.max
  if type(n) == "string" then n = templates.render(name_of(n), values) end
  n = math.tointeger(tonumber(n))
  if n and n >= 1 and n <= rounds.MAX then return n end
  say(("loops: max must be a whole number from 1 to %d, not %s"):format(rounds.MAX,
    tostring(loop.max)))
  return 1
end

local function loop_of(loop, entries, values, report, say)
  for k, v in sorted.pairs(loop) do
    if not loop_spec[k] then
      say(("loops: unknown field '%s'"):format(tostring(k)), nearest.hint(tostring(k), loop_spec))
    elseif not loop_spec[k]:find(type(v), 1, true) then
      say(("loops: %s must be %s"):format(k, loop_spec[k]))
    end
  end
  if not build.is(loop.again, "condition") then
    return say('loops: a loop says when it goes on: again = o.condition "…"')
  end
  local last, first
  for _, e in ipairs(entries) do
    if e.id == loop.from then first = e end
    if first and (loop.to == nil or e.id == loop.to) then last = e end
  end
  if not first or not last then
    return say(("loops: there are no steps from '%s' to '%s'"):format(tostring(loop.from),
      tostring(loop.to or "the end")))
  end
  local waiting = {}
  for _, id in ipairs(ids_of(loop.before)) do waiting[id] = true end
  return { back = first.id, last = last, tree = tree_of(loop.again, report), waiting = waiting,
    counter = loop.counter or "iteration_count", count = count_of(loop, values, say) }
end

-- Counters of a round stand in its texts.
local function with_vars(v, vars)
  if type(v) == "string" then
    return (v:gsub("{{%s*params%.([%a_][%w_%-]*)%s*}}", function(name)
      return vars[name] ~= nil and tostring(vars[name]) or nil
    end))
  end
  return v
end

local function node_of(e)
  if not e.copied then
    if e.waits then e.node.round = { waits = e.waits } end
    return e.node
  end
  local f = {}
  for k, v in pairs(e.node.fields) do f[k] = with_vars(v, e.vars) end
  local node = build.node("step", e.id, f, e.node.place, e.node.places)
  node.round = e
  return node
end

-- Steps and groups again, the later rounds of a group as groups of their own.
local function rebuilt(entries, groups)
  local out, done = {}, {}
  for _, e in ipairs(entries) do
    if not e.member then
      out[#out + 1] = node_of(e)
    elseif not done[e.member] then
      done[e.member] = true
      local steps, f = {}, {}
      for _, other in ipairs(entries) do
        if other.member == e.member then steps[#steps + 1] = node_of(other) end
      end
      local g = groups[e.member] or groups[e.member:match("^(.-)#")]
      for k, v in pairs(g.fields) do
        if math.type(k) ~= "integer" then f[k] = v end
      end
      f.steps = steps
      out[#out + 1] = build.node("group", e.member, f, g.place, g.places)
    end
  end
  return out
end

--- The node of a workflow with `loops` as one without: the later rounds are steps of their own,
--- each with the condition that there is another round.
---@param node orrery.Node
---@param steps any the field `steps`, called already
---@param into table
---@return orrery.Node node
---@return table steps
function native.unrolled(node, steps, into)
  local named, listed = {}, {}
  for k, v in pairs(node.fields) do
    if math.type(k) ~= "integer" then named[k] = v end
  end
  local most = 0
  for k in pairs(node.fields) do
    if math.type(k) == "integer" and k > most then most = k end
  end
  for i = 1, most do listed[i] = node.fields[i] or false end
  local function say(text, hint) into.report:error(into.report:at(node, "loops"), text, hint) end
  local entries, groups = flat_of({ listed, steps or {} }, into.report)
  local loops = {}
  for i = 1, #node.fields.loops do
    local loop = node.fields.loops[i]
    if type(loop) ~= "table" or build.is(loop) then
      say("loops lists tables: { from = ID, to = ID, max = N, again = o.condition \"…\" }")
    else
      loops[#loops + 1] = loop_of(loop, entries, into.values, into.report, say)
    end
  end
  named.steps = nil
  local plain = build.node("workflow", node.id, named, node.place, node.places)
  if into.report.failed then return plain, {} end
  into.artifactual = #loops > 0 or into.artifactual
  return plain, rebuilt(rounds.written(entries, loops), groups)
end

return native
