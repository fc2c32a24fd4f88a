-- orrery schema validate | check: JSON Schemas without a workflow.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local schemas = require("orrery.knowledge.schema")
local verbs = require("orrery.face.verbs")

local schema = {}

schema.usage = "orrery schema validate SCHEMA FILE… | check SCHEMA…"
schema.about = [[
validate says whether JSON and YAML files fit a schema, and where they do not: the place in the
file, what was expected, and the place in the schema. check says whether schemas themselves can
work, with every mistake in them. Drafts 4, 6, 7, 2019-09 and 2020-12; references are followed
to files beside the schema. A FILE of - is standard input. `format` is a note in JSON Schema;
with --formats it is checked.]]
schema.flags = { "json", "formats" }
schema.examples = { { "orrery schema validate plan.schema.json plan.json", "does it fit?" },
  { "orrery schema check schemas/*.json", "would they work?" } }
schema.notes = [[
Exit codes: 0 · 1 something does not fit · 2 no such file · 3 a schema that cannot work.]]

local function read(path)
  local text, why
  if path == "-" then text = io.read("a") else text, why = fs.read(path) end
  if not text then errors.raise("usage", errors.text(why)) end
  return text
end

-- The value of a file; nil and an error of the form the validator gives.
local function value_of(path)
  local format = path:find("%.ya?ml$") and require("orrery.core.yaml") or json
  local value, err = format.decode(read(path), { name = path })
  if value == nil and err then return nil, { path = "", message = errors.text(err) } end
  return value
end

local function compiled(path, opts)
  opts.root = "."
  local found, why = schemas.get(path, opts)
  if found then return found end
  if not fs.stat(path) then errors.raise("usage", errors.text(why)) end
  return nil, why
end

local function validate(c)
  if #c.words < 3 then
    errors.raise("usage", "orrery schema validate SCHEMA FILE…: both are needed")
  end
  local validator, why = compiled(c.words[2], { formats = c.opts.formats })
  if not validator then
    c.err(errors.text(why) .. "\n")
    return 3
  end
  local doc, bad = pack.array({}), 0
  for i = 3, #c.words do
    local value, err = value_of(c.words[i])
    local ok, list = false, { err }
    if not err then ok, list = validator:validate(value, { decoded = true }) end
    if not ok then bad = bad + 1 end
    doc[#doc + 1] = { file = c.words[i], ok = ok, errors = pack.array(list or {}) }
  end
  if c.opts.json then
    c.out(json.encode(doc, { lossy = true, indent = 2 }) .. "\n")
    return bad > 0 and 1 or 0
  end
  for _, one in ipairs(doc) do
    if one.ok then c.out(one.file .. ": fits\n") end
    for _, e in ipairs(one.errors) do
      c.out(("%s%s: %s%s\n"):format(one.file, e.path == "" and "" or "#" .. e.path, e.message,
        e.schema_path and (" (%s)"):format(e.schema_path) or ""))
    end
  end
  return bad > 0 and 1 or 0
end

local function check(c)
  if not c.words[2] then errors.raise("usage", "orrery schema check SCHEMA…: which one?") end
  local cache, doc, bad = {}, pack.array({}), 0
  for i = 2, #c.words do
    local found, why = compiled(c.words[i], { cache = cache })
    if not found then bad = bad + 1 end
    doc[#doc + 1] = { schema = c.words[i], ok = found ~= nil,
      message = found and found.remark or why and errors.text(why) }
  end
  if c.opts.json then
    c.out(json.encode(doc, { lossy = true, indent = 2 }) .. "\n")
  else
    for _, one in ipairs(doc) do
      c.out(one.ok and ("%s: works%s\n"):format(one.schema, one.message and "; " .. one.message
        or "") or one.message .. "\n")
    end
  end
  return bad > 0 and 3 or 0
end

local known = { validate = validate, check = check }

--- Does what its first word says.
---@param c table the invocation
---@return integer
function schema.main(c)
  return verbs.go(c, "schema", schema.usage, known)
end

return schema
