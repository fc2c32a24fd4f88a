-- The keywords that check something, in the order in which they do: the cheap and telling
-- ones first, what depends on the others last. An entry lists the words it is made of, the
-- kind of value it looks at, and whether it only asserts (so that a vocabulary may drop it).
local arrays = require("orrery.knowledge.schema_arrays")
local generic = require("orrery.knowledge.schema_generic")
local objects = require("orrery.knowledge.schema_objects")
local scalars = require("orrery.knowledge.schema_scalars")

local function asserts(kind, name, make)
  return { name, kind = kind, make = make, asserts = true }
end

local function applies(kind, make, ...) return { kind = kind, make = make, ... } end

return {
  asserts("any", "type", generic.type),
  asserts("any", "const", generic.const),
  asserts("any", "enum", generic.enum),
  applies("any", generic.ref, "$ref"),
  applies("any", generic.dynamic_ref, "$dynamicRef"),
  applies("any", generic.recursive_ref, "$recursiveRef"),
  applies("any", generic.all_of, "allOf"),
  applies("any", generic.any_of, "anyOf"),
  applies("any", generic.one_of, "oneOf"),
  applies("any", generic["not"], "not"),
  applies("any", generic["if"], "if"),

  asserts("number", "multipleOf", scalars.multiple_of),
  asserts("number", "maximum", scalars.maximum),
  asserts("number", "exclusiveMaximum", scalars.exclusive_maximum),
  asserts("number", "minimum", scalars.minimum),
  asserts("number", "exclusiveMinimum", scalars.exclusive_minimum),

  asserts("string", "maxLength", scalars.max_length),
  asserts("string", "minLength", scalars.min_length),
  asserts("string", "pattern", scalars.pattern),
  applies("string", scalars.format, "format"),

  asserts("object", "required", objects.required),
  asserts("object", "maxProperties", objects.max_properties),
  asserts("object", "minProperties", objects.min_properties),
  asserts("object", "dependentRequired", objects.dependent_required),
  applies("object", objects.dependencies, "dependencies"),
  applies("object", objects.dependent_schemas, "dependentSchemas"),
  applies("object", objects.property_names, "propertyNames"),
  applies("object", objects.properties, "properties", "patternProperties",
    "additionalProperties"),

  asserts("array", "maxItems", arrays.max_items),
  asserts("array", "minItems", arrays.min_items),
  asserts("array", "uniqueItems", arrays.unique_items),
  applies("array", arrays.items, "prefixItems", "items"),
  applies("array", arrays.contains, "contains"),

  applies("late", arrays.unevaluated, "unevaluatedItems"),
  applies("late", objects.unevaluated, "unevaluatedProperties"),
}
