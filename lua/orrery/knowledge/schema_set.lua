-- All documents that one schema needs: itself, and what its $refs lead to, in files or in
-- the drafts' own meta-schemas. Every reference is resolved before anything is checked, so a
-- schema that cannot work is refused with the place of each mistake.
local drafts = require("orrery.knowledge.schema_drafts")
local nearest = require("orrery.kernel.nearest")
local shapes = require("orrery.knowledge.schema_shapes")
local survey = require("orrery.knowledge.schema_survey")
local uri = require("orrery.knowledge.schema_uri")

local set = {}

---@class orrery.SchemaSet
---@field files orrery.SchemaFiles
---@field resources table<string, table> URI → resource
---@field home table<table, table> schema → the resource it is in
---@field refs table[] references not yet resolved
---@field targets table<string, table<table, any>> "$ref" … → schema → where it leads
---@field bookends table<table, string> schema with a dynamic reference → its anchor's name
---@field never table<table, true> schemas that were `false`
---@field patterns table<string, core.Regex>
---@field problems { place: string, text: string }[]
---@field tracks boolean somewhere unevaluated… is asked
---@field dynamic boolean somewhere a reference depends on the way there
local Set = {}
Set.__index = Set

--- An empty set.
---@param files orrery.SchemaFiles
---@param opts { formats?: boolean, draft: orrery.SchemaDraft }
---@return orrery.SchemaSet
function set.new(files, opts)
  return setmetatable({ files = files, formats = opts.formats or false, draft = opts.draft,
    resources = {}, documents = {}, home = {}, refs = {}, never = {}, patterns = {},
    problems = {}, tracks = false, dynamic = false, bookends = {},
    targets = { ["$ref"] = {}, ["$dynamicRef"] = {}, ["$recursiveRef"] = {} } }, Set)
end

-- A meta-schema of the user's: the draft it is written in, with its vocabularies.
local function custom_draft(self, name)
  local _, meta = self.files:find((uri.resolve("", name)), self.documents)
  local vocabulary = type(meta) == "table" and meta["$vocabulary"]
  local draft = vocabulary and type(meta["$schema"]) == "string" and drafts.of(meta["$schema"])
  return draft and shapes.is_map(vocabulary) and drafts.with(draft, vocabulary) or nil
end

--- The draft a $schema means; one that is nobody's means the default.
---@param name string
---@param default orrery.SchemaDraft
---@param say fun(text: string) for what is wrong with it
---@return orrery.SchemaDraft
function Set:draft_of(name, default, say)
  local draft = drafts.of(name)
  if draft then return draft end
  if drafts.is_official(name) then
    say(("draft '%s' is not known; there are 4, 6, 7, 2019-09 and 2020-12"):format(name))
    return default
  end
  return name:find("^%a[%w+.-]*:") and custom_draft(self, name) or default
end

--- Takes a document in and surveys it.
---@param name string what messages call it: its path, or "" for the schema itself
---@param root any decoded; from now on the set's own
---@param address string
---@param draft orrery.SchemaDraft when it names none
---@param path? string
---@return table resource
function Set:add(name, root, address, draft, path)
  local document = { name = name, path = path, uri = address }
  if root == false then
    root = {}
    self.never[root] = true
  end
  document.root = root
  self.documents[#self.documents + 1] = document
  local r = { uri = address, root = root, draft = draft, document = document, anchors = {},
    dynamic = {} }
  self.resources[address] = r
  if type(root) == "table" and type(root["$schema"]) == "string" then
    r.draft = self:draft_of(root["$schema"], draft, function(text)
      self:problem(name .. "#/$schema", text)
    end)
  end
  if root ~= true then survey.run(self, root, r) end
  local id = self.home[root]
  if id then document.uri = id.uri end
  return r
end

--- Notes something wrong with the schema.
---@param place string
---@param text string
function Set:problem(place, text)
  self.problems[#self.problems + 1] = { place = place, text = text }
end

-- The resource of an address, loaded if need be.
local function resource(self, address, ref)
  local r = self.resources[address]
  if r then return r end
  local draft = drafts.of(address)
  if draft then
    local meta = require("orrery.knowledge.schema_meta")
    return self:add(draft.uri, meta.document(draft), address, draft)
  end
  local path, value, why = self.files:find(address, self.documents)
  if not path then
    return self:problem(ref.place, ("'%s' leads nowhere: %s"):format(
      ref.schema[ref.keyword], why))
  end
  return self:add(path, value, address, ref.resource.draft, path)
end

local function child(node, step)
  if type(node) ~= "table" then return nil end
  if not shapes.is_map(node) then
    local i = step:find("^%d+$") and math.tointeger(tonumber(step))
    return i and node[i + 1], i and i + 1
  end
  return node[step], step
end

local function no_such(self, ref, r, node, step)
  local hint = type(node) == "table" and shapes.is_map(node) and nearest.hint(step, node)
  self:problem(ref.place, ("'%s' leads nowhere: there is no '%s'%s%s"):format(
    ref.schema[ref.keyword], step,
    r.document.name ~= ref.resource.document.name and " in " .. r.document.name or "",
    hint and "; " .. hint or ""))
end

-- Follows a JSON pointer; a part no keyword led to is surveyed now.
local function follow(self, ref, r, steps)
  local node, around = r.root, r
  for _, step in ipairs(steps) do
    around = self.home[node] or around
    local part, key = child(node, step)
    if part == nil then return no_such(self, ref, r, node, step) end
    if part == false then
      part = {}
      self.never[part] = true
      node[key] = part
    end
    node = part
  end
  if node ~= true and not self.home[node] then survey.run(self, node, around, steps) end
  return node
end

local function anchored(self, ref, r, name)
  local node = r.anchors[name]
  if node then return node end
  local hint = nearest.hint(name, r.anchors)
  self:problem(ref.place, ("'%s' leads nowhere: there is no anchor '%s'%s"):format(
    ref.schema[ref.keyword], name, hint and "; " .. hint or ""))
end

local function resolve(self, ref)
  local address, fragment = uri.resolve(ref.resource.uri, ref.schema[ref.keyword])
  local r = resource(self, address, ref)
  if not r then return end
  fragment = uri.decode(fragment)
  local steps = uri.pointer(fragment)
  local node
  if steps then
    node = follow(self, ref, r, steps)
  else
    node = anchored(self, ref, r, fragment)
  end
  self.targets[ref.keyword][ref.schema] = node
  if node ~= nil and ref.keyword ~= "$ref" and r.dynamic[fragment] == node then
    self.bookends[ref.schema] = fragment
    self.dynamic = true
  end
end

local in_place = { schema = { "not", "if", "then", "else" },
  list = { "allOf", "anyOf", "oneOf" }, map = { "dependentSchemas", "dependencies" } }

-- Calls f with each schema that looks at the same value as this one.
local function same_value(self, schema, f)
  local target = self.targets["$ref"][schema]
  if target ~= nil then f(target) end
  local r = self.home[schema]
  if not r or (target ~= nil and r.draft.ref_alone) then return end
  for _, name in ipairs(in_place.schema) do f(schema[name]) end
  for _, name in ipairs(in_place.list) do
    for _, sub in ipairs(shapes.is_list(schema[name]) and schema[name] or {}) do f(sub) end
  end
  for _, name in ipairs(in_place.map) do
    for _, sub in next, shapes.is_map(schema[name]) and schema[name] or {} do f(sub) end
  end
end

-- A schema that comes back to itself without going into the value would never end.
local function find_loops(self, refs)
  local state = {}
  local function visit(schema)
    if type(schema) ~= "table" then return false end
    if state[schema] then return state[schema] == "open" end
    state[schema] = "open"
    local loop = false
    same_value(self, schema, function(sub) loop = visit(sub) or loop end)
    state[schema] = "done"
    return loop
  end
  for _, ref in ipairs(refs) do
    if visit(ref.schema) then
      self:problem(ref.place, ("'%s' comes back to itself without going into the value")
        :format(ref.schema[ref.keyword]))
    end
  end
end

--- Resolves every reference, loading what they lead to.
function Set:resolve()
  local refs, i = self.refs, 1
  while refs[i] do
    resolve(self, refs[i])
    i = i + 1
  end
  if #self.problems == 0 then find_loops(self, refs) end
end

local function note_paths(paths, node, path)
  paths[node] = path
  local array = not shapes.is_map(node)
  for k, v in next, node do
    if type(v) == "table" then
      note_paths(paths, v, path .. "/" .. uri.escape(array and k - 1 or k))
    end
  end
end

--- Where a schema stands: "#/properties/a", in another document "b.json#/$defs/c".
---@param schema table
---@return string
function Set:place(schema)
  if not self.paths then
    self.paths = {}
    for _, doc in ipairs(self.documents) do
      if doc.root ~= true then note_paths(self.paths, doc.root, doc.name .. "#") end
    end
  end
  return self.paths[schema]
end

return set
