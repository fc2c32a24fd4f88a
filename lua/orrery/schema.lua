-- JSON Schema for scripts: drafts 4, 6, 7, 2019-09 and 2020-12, with references to other
-- files. Nothing is ever filled into a value; nothing is fetched from a network.
local schema = {}

local function schemas() return require("orrery.knowledge.schema") end

--- The validator of a schema: a table, true, false, or the path of a JSON file. Raises an
--- error that names every mistake in the schema with its place.
---
---     schema.get("schemas/report.json"):validate({ title = 5 })
---     --> false, { { path = "/title", message = "expected string, got integer", … } }
---@param given table|boolean|string
---@param opts? orrery.SchemaOptions
---   root: where paths start (default "."); dir: where other schemas are, found by path or by
---   $id (default: beside the schema's own file); base: the URI by which dir is known;
---   formats = true: assert `format`, too; draft: of schemas that name none; cache: a table
---   in which validators are kept
---@return orrery.Validator
function schema.get(given, opts)
  local validator, err = schemas().get(given, opts)
  if not validator then error(err, 0) end
  return validator
end

--- Does a value fit a schema?
---
---     schema.validate({ 1, "a" }, { items = { type = "integer" } })
---     --> false, { { path = "/1", message = "expected integer, got string", … } }
---@param value any
---@param given table|boolean|string as for get
---@param opts? table as for get
---@return boolean
---@return orrery.SchemaError[]? errors
function schema.validate(value, given, opts)
  return schema.get(given, opts):validate(value)
end

return schema
