-- JSON Schema: drafts 4, 6, 7, 2019-09 and 2020-12. A schema is read and surveyed whole, so
-- that what is wrong with it is said at once, with its place; its parts become functions the
-- first time a value reaches them.
--
-- Validators are kept by the content of their schema (and of the files it refers to) as
-- long as somebody uses them, or as long as the caller's own `cache` table does. Nothing
-- can tell a kept one from a new one.
local check = require("orrery.kernel.check")
local context = require("orrery.knowledge.schema_context")
local drafts = require("orrery.knowledge.schema_drafts")
local errors = require("orrery.kernel.errors")
local files = require("orrery.knowledge.schema_files")
local hash = require("orrery.core.hash")
local keywords = require("orrery.knowledge.schema_keywords")
local node = require("orrery.knowledge.schema_node")
local pack = require("orrery.core.pack")
local sets = require("orrery.knowledge.schema_set")
local uri = require("orrery.knowledge.schema_uri")

local schema = {}

local in_use = setmetatable({}, { __mode = "v" })

local MAX_PROBLEMS = 5

---@class orrery.SchemaError
---@field path string        where in the value, a JSON pointer: "/a/0/b", "" for all of it
---@field schema_path string where in the schema: "#/properties/a/type"
---@field keyword string
---@field message string     "expected string, got integer"

---@class orrery.SchemaOptions
---@field root? string      where paths start; default "."
---@field dir? string       where other schemas are, found by path or by the $id they carry;
---                         default: beside the schema's own file
---@field base? string      the URI by which dir is known
---@field formats? boolean  assert `format`
---@field draft? string|integer  of schemas that name none; default "2020-12" with older lists
---@field cache? table      keeps the validators; the caller's

---@class orrery.Validator
---@field name string        the schema's path, or "schema"
---@field remark? string     what is odd about the schema, though it works
---@field files table<string, string>  path → SHA-256 of each file it was made from
local Validator = {}
Validator.__index = Validator
Validator.__name = "orrery.Validator"

--- Does the value fit? null is json.null (nil counts as it). An empty table that is not
--- marked as an array may be {} or [], as the schema wants; with decoded = true, for values
--- that come from JSON or YAML, it is {}.
--- local ok, list = validator:validate({ name = 5 }) --> false, { { path = "/name", … } }
---@param value any
---@param opts? { decoded?: boolean }
---@return boolean
---@return orrery.SchemaError[]? errors
function Validator:validate(value, opts)
  local decoded = opts ~= nil and opts.decoded == true
  if value == nil then value = pack.null end
  local run = self.set.checks[self.root]
  local ctx = context.new(self.set, decoded)
  if run(value, ctx) and not ctx.over then return true end
  -- Too deep says it all: whatever else failed did so because of it.
  if ctx.over then return false, { ctx.over } end
  local list = {}
  run(value, context.new(self.set, decoded, list))
  return false, list
end

local option_kinds = { root = "string", dir = "string", base = "string", formats = "boolean",
  draft = "string|number", cache = "table" }

local function default_draft(name)
  if name == nil then return drafts.unnamed end
  local draft = drafts.all[tostring(name)]
  if not draft then
    error(("schema.get: option 'draft' must be 4, 6, 7, \"2019-09\" or \"2020-12\", not %s")
      :format(tostring(name)), 3)
  end
  return draft
end

local function invalid(set, name)
  local list = set.problems
  table.sort(list, function(a, b)
    if a.place ~= b.place then return a.place < b.place end
    return a.text < b.text
  end)
  local lines = {}
  for i, p in ipairs(list) do
    if i > MAX_PROBLEMS then
      lines[i] = ("and %d more"):format(#list - MAX_PROBLEMS)
      break
    end
    lines[i] = ("%s%s: %s"):format(p.place:sub(1, 1) == "#" and name or "", p.place, p.text)
  end
  return nil, errors.new("EINVAL", table.concat(lines, "\n"), { problems = list })
end

local function compile(source, opts)
  local found = files.new(opts, source.path)
  if source.path then found.digests[source.path] = source.digest end
  local set = sets.new(found, { formats = opts.formats, draft = opts.draft })
  local address = source.path and found:address(source.path) or found.base
    or uri.of_file(opts.dir and opts.dir .. "/" or "")
  set:add("", source.value, address, opts.draft, source.path)
  set:resolve()
  if #set.problems > 0 then return invalid(set, source.name) end
  set.checks = node.checks(set, keywords)
  return setmetatable({ name = source.name, files = found.digests, remark = source.remark,
    set = set, root = set.documents[1].root }, Validator)
end

-- A kept validator holds if the files beside its own have not changed.
local function still_holds(validator, own)
  local set = validator.set
  for path, digest in next, validator.files do
    if path ~= own and hash.sha256(require("orrery.core.fs").read(set.files:at(path)) or "")
      ~= digest then
      return false
    end
  end
  return true
end

-- The schema as text or value with its digest, not yet decoded.
local function source_of(given, opts)
  if type(given) == "string" then
    local found = files.new(opts, given)
    local text, err = found:text(given)
    if not text then return nil, err end
    return { name = given, path = given, text = text, digest = found.digests[given] }
  end
  local bytes, err = pack.encode(given, "schema")
  if not bytes then return nil, err end
  return { name = "schema", bytes = bytes, digest = hash.sha256(bytes) }
end

local function decode(source)
  if source.text then
    local value, err, remark = files.parse(source.text, source.path)
    if value == nil then return nil, err end
    source.value, source.remark = value, remark
  else
    source.value = pack.decode(source.bytes)
  end
  if type(source.value) ~= "table" and type(source.value) ~= "boolean" then
    return nil, errors.new("EINVAL", source.name
      .. ": a schema is an object, true or false")
  end
  return true
end

--- The validator of a schema: a table, true or false, or the path of a JSON file. A schema
--- that cannot work gives nil and an error that names every mistake with its place.
--- schema.get("schemas/report.json", { root = root }):validate(value)
---@param given table|boolean|string
---@param opts? orrery.SchemaOptions
---@return orrery.Validator?
---@return orrery.Err? err
function schema.get(given, opts)
  local o = check.options(opts, option_kinds, "schema.get")
  local draft = default_draft(o.draft)
  local plain = { root = o.root or ".", dir = o.dir, base = o.base, formats = o.formats or false,
    draft = draft }
  local source, err = source_of(given, plain)
  if not source then return nil, err end
  local key = table.concat({ source.digest, source.path or "", plain.root, o.dir or "",
    o.base or "", draft == drafts.unnamed and "" or draft.name, tostring(plain.formats) }, "\0")
  local cache = o.cache or in_use
  local kept = cache[key] or in_use[key]
  if not kept or not still_holds(kept, source.path) then
    local ok
    ok, err = decode(source)
    if not ok then return nil, err end
    kept, err = compile(source, plain)
    if not kept then return nil, err end
  end
  cache[key], in_use[key] = kept, kept
  return kept
end

return schema
