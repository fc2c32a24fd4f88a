-- The drafts of JSON Schema: which keywords each knows and what their values must look like.
-- The survey of a schema, its checks and the meta-schemas are all made from this one table.
local drafts = {}

-- keyword → { shape, first draft, last draft }. Shapes: see schema_shapes.
local known = {
  ["$ref"] = { "string" }, ["$schema"] = { "string" }, ["$comment"] = { "string", 7 },
  ["$defs"] = { "map", 2019 }, definitions = { "map" },
  ["$anchor"] = { "name", 2019 }, ["$vocabulary"] = { "any", 2019 },
  ["$recursiveRef"] = { "string", 2019, 2019 }, ["$recursiveAnchor"] = { "boolean", 2019, 2019 },
  ["$dynamicRef"] = { "string", 2020 }, ["$dynamicAnchor"] = { "name", 2020 },
  title = { "string" }, description = { "string" }, default = { "any" },
  examples = { "any", 6 }, readOnly = { "boolean", 7 }, writeOnly = { "boolean", 7 },
  deprecated = { "boolean", 2019 },
  type = { "type" }, enum = { "list" }, const = { "any", 6 },
  multipleOf = { "positive" }, maximum = { "number" }, minimum = { "number" },
  exclusiveMaximum = { "number", 6 }, exclusiveMinimum = { "number", 6 },
  maxLength = { "count" }, minLength = { "count" }, pattern = { "regex" },
  format = { "string" }, contentEncoding = { "string", 7 },
  contentMediaType = { "string", 7 }, contentSchema = { "schema", 2019 },
  maxItems = { "count" }, minItems = { "count" }, uniqueItems = { "boolean" },
  items = { "items", 4, 2019 }, additionalItems = { "schema", 4, 2019 },
  prefixItems = { "schemas", 2020 }, contains = { "schema", 6 },
  maxContains = { "count", 2019 }, minContains = { "count", 2019 },
  maxProperties = { "count" }, minProperties = { "count" }, required = { "strings" },
  properties = { "map" }, patternProperties = { "patterns" },
  additionalProperties = { "schema" }, propertyNames = { "schema", 6 },
  dependencies = { "dependencies" }, dependentSchemas = { "map", 2019 },
  dependentRequired = { "string_lists", 2019 },
  allOf = { "schemas" }, anyOf = { "schemas" }, oneOf = { "schemas" }, ["not"] = { "schema" },
  ["if"] = { "schema", 7 }, ["then"] = { "schema", 7 }, ["else"] = { "schema", 7 },
  unevaluatedItems = { "schema", 2019 }, unevaluatedProperties = { "schema", 2019 },
}

---@class orrery.SchemaDraft
---@field name string
---@field number integer 4, 6, 7, 2019, 2020
---@field uri string of its meta-schema, without fragment
---@field id string "$id" or "id"
---@field keywords table<string, string> keyword → shape
---@field ref_alone boolean what stands beside a $ref does not count
---@field asserts boolean the keywords that check values do
---@field formats? boolean so does format, unasked

local function make(number, name, uri)
  local keywords = {}
  for keyword, k in pairs(known) do
    if number >= (k[2] or 4) and number <= (k[3] or 2020) then keywords[keyword] = k[1] end
  end
  local id = number == 4 and "id" or "$id"
  keywords[id] = number >= 2019 and "identifier" or "string"
  if number == 4 then
    keywords.exclusiveMaximum, keywords.exclusiveMinimum = "boolean", "boolean"
  elseif number == 2020 then
    keywords.items = "schema"
  end
  return { name = name, number = number, uri = uri, id = id, keywords = keywords,
    ref_alone = number <= 7, asserts = true }
end

local function copy(draft, changes)
  local out = {}
  for k, v in pairs(draft) do out[k] = v end
  for k, v in pairs(changes) do out[k] = v end
  return out
end

--- By name: "4", "6", "7", "2019-09", "2020-12".
---@type table<string, orrery.SchemaDraft>
drafts.all = {
  ["4"] = make(4, "4", "http://json-schema.org/draft-04/schema"),
  ["6"] = make(6, "6", "http://json-schema.org/draft-06/schema"),
  ["7"] = make(7, "7", "http://json-schema.org/draft-07/schema"),
  ["2019-09"] = make(2019, "2019-09", "https://json-schema.org/draft/2019-09/schema"),
  ["2020-12"] = make(2020, "2020-12", "https://json-schema.org/draft/2020-12/schema"),
}

local by_uri = {}
for _, draft in pairs(drafts.all) do by_uri[draft.uri:gsub("^https?:", "")] = draft end

-- A schema that names no draft means 2020-12, and also the lists of items of older drafts.
drafts.unnamed = copy(drafts.all["2020-12"], { keywords = copy(drafts.all["2020-12"].keywords,
  { items = "items", additionalItems = "schema" }) })

--- The draft of a $schema; nil when it is nobody's.
---@param uri string
---@return orrery.SchemaDraft?
function drafts.of(uri)
  return by_uri[(uri:gsub("^https?:", ""):gsub("[#/]+$", ""))]
end

--- Is it a draft's name that json-schema.org gave, known here or not?
---@param uri string
---@return boolean
function drafts.is_official(uri)
  return uri:find("^https?://json%-schema%.org/") ~= nil
end

--- The same draft with the vocabularies a meta-schema of the user's asks for.
---@param draft orrery.SchemaDraft
---@param vocabulary table<string, boolean>
---@return orrery.SchemaDraft
function drafts.with(draft, vocabulary)
  local asserts, formats = false, false
  for word in pairs(vocabulary) do
    asserts = asserts or word:find("/vocab/validation$") ~= nil
    formats = formats or word:find("/vocab/format%-assertion$") ~= nil
  end
  return copy(draft, { asserts = asserts, formats = formats })
end

return drafts
