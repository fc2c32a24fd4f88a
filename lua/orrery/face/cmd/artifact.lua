-- orrery artifact [list | show | diff | validate | export | import]: what runs produced.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local nearest = require("orrery.kernel.nearest")
local pack = require("orrery.core.pack")
local past = require("orrery.face.past")
local registry = require("orrery.core.registry")
local runs = require("orrery.run.records.runs")
local sorted = require("orrery.kernel.sorted")
local target = require("orrery.face.target")
local verbs = require("orrery.face.verbs")
local words = require("orrery.face.words")

local artifact = {}

artifact.usage = "orrery artifact [list | show NAME | diff NAME [NAME] | validate [NAME…] | "
  .. "export [DIR] | import FILE]"
artifact.about = [[
What the last run (or --run) produced: outputs of steps, with digests. NAME is an artifact's
id, its name, or the end of its name after a slash; of several versions the newest counts.
show tells what it was made from and which steps read it. diff compares two artifacts, or one
with that of --against=RUN: JSON by its structure, other texts by their lines. validate checks
them against the schemas that their steps' gates name. export copies them to DIR with
registry.json beside them; without DIR it prints that registry, { "artifacts": […] }. import
takes such a registry, of another tool too, or a folder that export made, into the run: files
that lie beside it are copied, ids that are taken become the next version of their name.]]
artifact.flags = { "run", "json", "type", "step", "against" }
artifact.notes = [[
Exit codes: 0 · 1 diff found differences · 4 validate found what does not fit · 2 no such
artifact · 5 its bytes are gone.]]
artifact.examples = { { "orrery artifact", "of the last run that produced any" },
  { "orrery artifact list --step build", "of one step" },
  { "orrery artifact show out/site.css", "one in detail" },
  { "orrery artifact diff plan.json --against 7f3c", "with that of another run" },
  { "orrery artifact export delivered", "a copy of all" },
  { "orrery artifact import delivered", "and back, into the last run" } }

local function path_of(root, name)
  if name then
    local id = past.id(root, name)
    return ("%s/%s/registry.json"):format(runs.dir(root), id), id
  end
  for _, id in ipairs(runs.ids(root)) do
    local path = ("%s/%s/registry.json"):format(runs.dir(root), id)
    if fs.stat(path) then return path, id end
  end
end

local function open(c, run)
  local reg = registry.new()
  local path, id = path_of(target.root(), run or c.opts.run)
  if path and fs.stat(path) then
    local ok, why = reg:load(path)
    if not ok then errors.raise("state", errors.text(why)) end
  end
  return reg, id
end

local function every(reg, c)
  local out = pack.array({})
  for i = 1, reg:count() do
    local a = reg:at(i)
    if (not c.opts.type or a.type == c.opts.type) and (not c.opts.step or a.step == c.opts.step)
    then
      out[#out + 1] = a
    end
  end
  return out
end

local function list(c)
  local all = every(open(c), c)
  if c.opts.json then
    c.out(json.encode(all, { lossy = true, indent = 2 }) .. "\n")
    return 0
  end
  local rows = {}
  for i, a in ipairs(all) do
    rows[i] = { a.id, a.step or "", a.type or "", (a.digest or ""):sub(1, 12) }
  end
  for _, text in ipairs(words.columns(rows)) do c.out(text .. "\n") end
  if #rows == 0 then c.err("no artifacts\n") end
  return 0
end

-- By id, by name, or by the end of a name, where only one has it.
local function find(reg, name)
  local a = reg:get(name) or reg:by_name(name)
  if a then return a end
  local found
  for i = 1, reg:count() do
    local one = reg:at(i)
    if one.name:sub(-#name - 1) == "/" .. name then
      if found and found.name ~= one.name then
        errors.raise("usage", ("'%s' may be %s or %s"):format(name, found.name, one.name))
      end
      found = one
    end
  end
  return found
end

local function need(reg, name)
  local a = find(reg, name)
  if a then return a end
  local names = {}
  for _, one in ipairs(every(reg, { opts = {} })) do
    names[#names + 1] = one.name
    names[#names + 1] = one.name:match("[^/]*$")
  end
  errors.raise("usage", ("there is no artifact '%s'"):format(name),
    { hint = nearest.hint(name, names) or "orrery artifact lists them" })
end

local function lineage_rows(rows, from)
  for i, one in ipairs(from.inputs or {}) do
    rows[#rows + 1] = { i == 1 and "made from" or "", ("%s%s  %s"):format(one.path,
      one.step and (" (step %s)"):format(one.step) or "", (one.digest or "missing"):sub(1, 12)) }
  end
  if not from.inputs then rows[#rows + 1] = { "made from", "not kept: its step is not cached" } end
  if #from.used_by > 0 then rows[#rows + 1] = { "read by", table.concat(from.used_by, ", ") } end
end

local function show(c)
  local name, reg, run = c.words[2], open(c)
  if not name then errors.raise("usage", "which one? orrery artifact show NAME") end
  local a = need(reg, name)
  local root, conf = target.root()
  local from = require("orrery.run.lineage").of(root, run, a, every(reg, { opts = {} }), conf)
  a.run = run
  local versions = {}
  for i, v in ipairs(reg:versions(a.name)) do versions[i] = v.version end
  if c.opts.json then
    a.inputs, a.used_by = from.inputs and pack.array(from.inputs) or pack.null,
      pack.array(from.used_by)
    a.versions = versions
    c.out(json.encode(a, { lossy = true, indent = 2 }) .. "\n")
    return 0
  end
  local rows = {}
  for k, v in sorted.pairs(a) do
    rows[#rows + 1] = { k, type(v) == "table" and json.encode(v, { lossy = true }) or tostring(v) }
  end
  if #versions > 1 then rows[#rows + 1] = { "versions", table.concat(versions, ", ") } end
  lineage_rows(rows, from)
  for _, text in ipairs(words.columns(rows)) do c.out(text .. "\n") end
  return 0
end

-- The two that diff compares.
local function both(c, reg)
  if not c.words[2] then errors.raise("usage", "diff what? orrery artifact diff NAME [NAME]") end
  local one = need(reg, c.words[2])
  if c.opts.against then return need((open(c, c.opts.against)), c.words[2]), one end
  if c.words[3] then return one, need(reg, c.words[3]) end
  local before = one.version and one.version > 1 and reg:by_name(one.name, one.version - 1)
  if before then return before, one end
  errors.raise("usage", ("%s has one version in this run"):format(one.name),
    { hint = "name a second artifact, or another run with --against=RUN" })
end

local function decoded(a, text)
  return (a.path or a.name):find("%.json$") and json.decode(text, { last_wins = true }) or nil
end

local function diff(c)
  local differ = require("orrery.face.artifact.differ")
  local bytes = require("orrery.face.artifact.bytes")
  local root, conf = target.root()
  local from, to = both(c, (open(c)))
  local a, b = bytes.of(root, from, conf), bytes.of(root, to, conf)
  local x, y = decoded(from, a), decoded(to, b)
  local doc = { from = from.id, to = to.id, same = a == b }
  local lines = {}
  if x ~= nil and y ~= nil then
    local changes = differ.values(x, y)
    lines, doc.changes = differ.lines(changes), pack.array(changes)
  elseif a ~= b then
    lines = differ.texts(a, b) or { "they differ, and are too long to compare by lines" }
    doc.diff = table.concat(lines, "\n")
  end
  if c.opts.json then
    c.out(json.encode(doc, { lossy = true, indent = 2 }) .. "\n")
  elseif #lines > 0 then
    c.out(("--- %s\n+++ %s\n%s\n"):format(from.id, to.id, table.concat(lines, "\n")))
  end
  return #lines > 0 and 1 or 0
end

-- path → schema, as the gates of the run's workflow name them now.
local function schemas_of(run)
  local artifacts = require("orrery.run.keys.artifacts")
  local found = past.here(run)
  local e, out = found.events[1], {}
  local wf = require("orrery.model.load").file(e.file, { root = found.root, params = e.params,
    config = select(2, target.root()) })
  for _, step in ipairs(wf.steps) do
    local io = step.agent_io
    for _, s in ipairs(io and io.gate and io.gate.schemas or {}) do
      out[artifacts.here(found.id, s.path)] = s.schema
    end
    for path, s in pairs(step.gate and step.gate.schema or {}) do out[path] = s end
  end
  return out
end

local function chosen(c, reg)
  local out = {}
  for i = 2, #c.words do out[#out + 1] = need(reg, c.words[i]) end
  return #out > 0 and out or every(reg, c), #out > 0
end

local function validate(c)
  local gate = require("orrery.run.gates.gate")
  local reg, run = open(c)
  local these, named = chosen(c, reg)
  local known, root = run and schemas_of(run) or {}, target.root()
  local doc, bad = pack.array({}), 0
  for _, a in ipairs(these) do
    local given = known[a.path]
    local wrong = given and gate.file({ root = root }, a.path, given, a.name)
    if wrong then bad = bad + 1 end
    if given or named then
      doc[#doc + 1] = { id = a.id, schema = given, ok = given ~= nil and not wrong,
        message = wrong and wrong.message or not given and "no gate names a schema for it" or nil }
    end
  end
  if c.opts.json then
    c.out(json.encode(doc, { lossy = true, indent = 2 }) .. "\n")
  else
    for _, d in ipairs(doc) do
      c.out(("%s  %s%s\n"):format(d.ok and "fits   " or d.schema and "refused" or "no gate",
        d.id, d.message and ": " .. d.message or ""))
    end
    if #doc == 0 then c.err("no gate names a schema for an artifact of this run\n") end
  end
  return bad > 0 and 4 or 0
end

local function export(c)
  local reg = open(c)
  local these, dir = every(reg, c), c.words[2]
  local doc = { artifacts = these }
  if not dir then
    c.out(json.encode(doc, { lossy = true, indent = 2 }) .. "\n")
    return 0
  end
  local bytes = require("orrery.face.artifact.bytes")
  local root, conf = target.root()
  for _, a in ipairs(these) do
    local rel = a.name:match("^%.orrery/runs/[^/]+/artifacts/(.*)$") or a.name
    if not fs.inside(rel) then errors.raise("state", a.id .. ": its name leads out of " .. dir) end
    local text, to = bytes.of(root, a, conf), dir .. "/" .. rel
    fs.mkdir(to:match("^(.*)/"))
    local ok, why = fs.write_atomic(to, text)
    if not ok then errors.raise("state", errors.text(why)) end
    a.path = rel
  end
  local ok, why = fs.write_atomic(dir .. "/registry.json", json.encode(doc, { lossy = true,
    indent = 2 }) .. "\n")
  if not ok then errors.raise("state", errors.text(why)) end
  c.out(("%d artifacts and registry.json are in %s\n"):format(#these, dir))
  return 0
end

-- Into the run that is named, else into the last one.
local function import(c)
  if not c.words[2] then errors.raise("usage", "import what? orrery artifact import FILE") end
  local root = target.root()
  local into = require("orrery.face.artifact.import").into
  local came = into(root, past.id(root, c.opts.run), c.words[2])
  if c.opts.json then
    came.added = pack.array(came.added)
    c.out(json.encode(came, { lossy = true, indent = 2 }) .. "\n")
    return 0
  end
  local more = {}
  if came.bare > 0 then more[1] = ("%d without a file"):format(came.bare) end
  if came.known > 0 then more[#more + 1] = ("%d were there"):format(came.known) end
  c.out(("%s added to run %s%s\n"):format(words.count(#came.added, "artifact"), came.run,
    #more > 0 and "; " .. table.concat(more, ", ") or ""))
  return 0
end

local known = { list = list, show = show, diff = diff, validate = validate, export = export,
  import = import }

--- Does what the first word says; lists without one.
---@param c table the invocation
---@return integer
function artifact.main(c)
  return verbs.go(c, "artifact", artifact.usage, known, "list")
end

return artifact
