-- The schemas of schemas, made from the table of drafts: what a $ref to a draft's URI means.
-- A newer draft is one document here, where the published one is spread over vocabularies.
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")

local meta = {}

local function array(...) return pack.array({ ... }) end

local count = { type = "integer", minimum = 0 }
local strings = { type = "array", items = { type = "string" }, uniqueItems = true }
local names = array("array", "boolean", "integer", "null", "number", "object", "string")

local plain = {
  any = {}, string = { type = "string" }, number = { type = "number" },
  boolean = { type = "boolean" }, count = count, strings = strings,
  positive = { type = "number", minimum = 0, ["not"] = { enum = array(0) } },
  name = { type = "string", pattern = "^[A-Za-z_][-A-Za-z0-9._]*$" },
  identifier = { type = "string", pattern = "^[^#]*#?$" },
  regex = { type = "string", format = "regex" },
  list = { type = "array" },
  string_lists = { type = "object", additionalProperties = strings },
  type = { anyOf = array({ enum = names }, { type = "array", minItems = 1, uniqueItems = true,
    items = { enum = names } }) },
}

-- `self` refers to the schema of schemas itself.
local function holding(self)
  local list = { type = "array", minItems = 1, items = self }
  local map = { type = "object", additionalProperties = self }
  return { schema = self, schemas = list, items = { anyOf = array(self, list) }, map = map,
    patterns = map,
    dependencies = { type = "object", additionalProperties = { anyOf = array(self, strings) } } }
end

local function definitions(list)
  return { nonNegativeInteger = count, nonNegativeIntegerDefault0 = count,
    positiveInteger = count, positiveIntegerDefault0 = count, stringArray = strings,
    simpleTypes = { enum = names }, schemaArray = list }
end

--- A fresh document for a draft.
---@param draft orrery.SchemaDraft
---@return table
function meta.document(draft)
  local old = draft.number <= 7
  local self = { ["$ref"] = "#" }
  if draft.number == 2019 then self = { ["$recursiveRef"] = "#" } end
  if draft.number == 2020 then self = { ["$dynamicRef"] = "#meta" } end
  local shape, properties = holding(self), {}
  for word, kind in sorted.pairs(draft.keywords) do
    properties[word] = shape[kind] or plain[kind]
  end
  local uri = draft.uri .. (old and "#" or "")
  local document = { ["$schema"] = uri, [draft.id] = uri, properties = properties,
    type = draft.number == 4 and "object" or array("object", "boolean"),
    [old and "definitions" or "$defs"] = definitions(shape.schemas) }
  if draft.number == 2019 then document["$recursiveAnchor"] = true end
  if draft.number == 2020 then document["$dynamicAnchor"] = "meta" end
  -- Parts stand in several places above: each place gets its own copy.
  return pack.decode(pack.encode(document))
end

return meta
