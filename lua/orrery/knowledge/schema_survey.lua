-- One walk over a schema before it is used: every keyword must have the shape its draft
-- asks for, and what can be referred to is noted. What is wrong becomes a problem with its
-- place; nothing is compiled yet.
--
-- A resource is a schema with a URI of its own: a document, or a part with an $id.
--   { uri, root, draft, document, anchors = { name → schema }, dynamic = { name → schema } }
local pack = require("orrery.core.pack")
local shapes = require("orrery.knowledge.schema_shapes")
local uri = require("orrery.knowledge.schema_uri")

local survey = {}

local is_list, is_map = shapes.is_list, shapes.is_map

local function place(walk)
  local out = { "#" }
  for i = 1, walk.depth do out[i + 1] = uri.escape(walk.keys[i]) end
  return table.concat(out, "/")
end

local function problem(walk, keyword, text)
  local list = walk.set.problems
  local at = keyword and place(walk) .. "/" .. uri.escape(keyword) or place(walk)
  list[#list + 1] = { place = walk.resource.document.name .. at, text = text }
end

local visit

local function enter(walk, key)
  walk.depth = walk.depth + 1
  walk.keys[walk.depth] = key
end

-- Goes to container[key], which should be a schema; `shown` is the key in a pointer. A
-- false one becomes a table of its own, so that it has a place to name when it refuses.
local function step(walk, container, key, shown)
  local schema = container[key]
  if schema == true then return end
  if schema == false then
    schema = {}
    walk.set.never[schema] = true
    container[key] = schema
  end
  enter(walk, shown or key)
  visit(walk, schema)
  walk.depth = walk.depth - 1
end

local holds = {}

function holds.schema(walk, schema, keyword) step(walk, schema, keyword) end

local function each_index(walk, schema, keyword)
  enter(walk, keyword)
  local list = schema[keyword]
  for i = 1, #list do step(walk, list, i, i - 1) end
  walk.depth = walk.depth - 1
end

function holds.schemas(walk, schema, keyword)
  local list = schema[keyword]
  if not is_list(list) or #list == 0 then
    return problem(walk, keyword, "must be an array of schemas with one at least")
  end
  each_index(walk, schema, keyword)
end

function holds.map(walk, schema, keyword)
  local map = schema[keyword]
  if not is_map(map) then
    return problem(walk, keyword, "must be an object whose values are schemas, not "
      .. shapes.name(map))
  end
  enter(walk, keyword)
  for name in next, map do step(walk, map, name) end
  walk.depth = walk.depth - 1
end

function holds.patterns(walk, schema, keyword)
  holds.map(walk, schema, keyword)
  if not is_map(schema[keyword]) then return end
  for pattern in next, schema[keyword] do
    local bad = shapes.check.regex(pattern, walk.set.patterns)
    if bad then problem(walk, keyword, bad) end
  end
end

-- An array of schemas, or one. An array is never a schema, so an empty one is not either.
function holds.items(walk, schema, keyword)
  local value = schema[keyword]
  if type(value) == "table" and pack.is_array(value) then
    return each_index(walk, schema, keyword)
  end
  step(walk, schema, keyword)
end

function holds.dependencies(walk, schema, keyword)
  local map = schema[keyword]
  if not is_map(map) then
    return problem(walk, keyword, "must be an object, not " .. shapes.name(map))
  end
  enter(walk, keyword)
  for name, value in next, map do
    if is_map(value) or type(value) == "boolean" then
      step(walk, map, name)
    else
      local bad = shapes.check.strings(value)
      if bad then problem(walk, name, bad) end
    end
  end
  walk.depth = walk.depth - 1
end

local anchor_name = "^[%a_][%w._:-]*$"

local function add_resource(walk, schema, address)
  local set, outer = walk.set, walk.resource
  local there = set.resources[address]
  if there and there.root ~= schema then
    problem(walk, outer.draft.id, ("'%s' is the name of another schema already, in %s")
      :format(address, there.document.name))
    return outer
  end
  local r = there or { uri = address, root = schema, draft = outer.draft,
    document = outer.document, anchors = {}, dynamic = {} }
  set.resources[address] = r
  return r
end

-- $id: a new resource, or in old drafts "#name", an anchor.
local function identify(walk, schema)
  local r = walk.resource
  local id = schema[r.draft.id]
  if type(id) ~= "string" or (r.draft.ref_alone and schema["$ref"] ~= nil) then return r end
  local address, fragment = uri.resolve(r.uri, id)
  if id:sub(1, 1) ~= "#" and address ~= r.uri then r = add_resource(walk, schema, address) end
  if fragment == "" then return r end
  if not r.draft.ref_alone then
    problem(walk, r.draft.id, ("'%s' must have no fragment; write $anchor"):format(id))
  elseif fragment:find(anchor_name) then
    r.anchors[fragment] = schema
  end
  return r
end

-- An embedded resource may name another draft.
local function redraft(walk, r, schema)
  local name = schema["$schema"]
  if r.root ~= schema or type(name) ~= "string" then return end
  r.draft = walk.set:draft_of(name, r.draft, function(text) problem(walk, "$schema", text) end)
end

local function anchors(r, schema, set)
  local keywords = r.draft.keywords
  local name = schema["$anchor"]
  if name and keywords["$anchor"] then r.anchors[name] = schema end
  name = schema["$dynamicAnchor"]
  if name and keywords["$dynamicAnchor"] then
    r.anchors[name], r.dynamic[name] = schema, schema
  end
  if schema["$recursiveAnchor"] == true and r.root == schema and r.draft.number == 2019 then
    r.dynamic[""] = schema
  end
  if keywords.unevaluatedItems and (schema.unevaluatedItems ~= nil
    or schema.unevaluatedProperties ~= nil) then
    set.tracks = true
  end
end

local ref_words = { ["$ref"] = true, ["$dynamicRef"] = true, ["$recursiveRef"] = true }

local function keyword(walk, schema, name, shape)
  local hold = holds[shape]
  if hold then return hold(walk, schema, name) end
  local bad = shapes.check[shape](schema[name], walk.set.patterns)
  if bad then return problem(walk, name, bad) end
  if ref_words[name] then
    local refs = walk.set.refs
    refs[#refs + 1] = { schema = schema, keyword = name, resource = walk.resource,
      place = walk.resource.document.name .. place(walk) .. "/" .. name }
  end
end

function visit(walk, schema)
  local set, outer = walk.set, walk.resource
  if set.home[schema] then return end
  if not is_map(schema) then
    return problem(walk, nil, ("a schema is an object, true or false, not %s%s"):format(
      shapes.name(schema), walk.keys[walk.depth] == "items"
      and "; a list of schemas is prefixItems in this draft" or ""))
  end
  local r = identify(walk, schema)
  redraft(walk, r, schema)
  walk.resource = r
  set.home[schema] = r
  anchors(r, schema, set)
  local keywords = r.draft.keywords
  for name in next, schema do
    local shape = keywords[name]
    if shape then keyword(walk, schema, name, shape) end
  end
  walk.resource = outer
end

--- Walks a document, or a part of one that no keyword led to.
---@param set orrery.SchemaSet
---@param schema table
---@param resource table the one around it
---@param keys? string[] the way there from the document's root
function survey.run(set, schema, resource, keys)
  visit({ set = set, resource = resource, keys = keys or {}, depth = keys and #keys or 0 },
    schema)
end

return survey
