-- What a schema contributes to a step's key: its own digest and, where it refers to other
-- files, theirs.
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local pack = require("orrery.core.pack")

local schemakeys = {}

-- Might it refer to another file? Most schemas do not, and need not be loaded for a key.
local function refers(run, schema)
  if type(schema) ~= "string" then
    local bytes = pack.encode(schema)
    return bytes and (bytes:find("$ref", 1, true) or bytes:find("Ref", 1, true)) ~= nil
  end
  local text = fs.read(run.root .. "/" .. schema)
  return text ~= nil and text:find('[rR]ef"%s*:%s*"[^#"]') ~= nil
end

local function others(run, schema)
  if not refers(run, schema) then return {} end
  run.schemas = run.schemas or {}
  local schemas = require("orrery.knowledge.schema")
  local validator = schemas.get(schema, { root = run.root, cache = run.schemas })
  local out = {}
  for path in pairs(validator and validator.files or {}) do
    if path ~= schema then out[#out + 1] = path end
  end
  table.sort(out)
  return out
end

-- Found once a run for each content; the digests of those files are looked up each time.
local function known_others(run, schema, own)
  run.schema_files = run.schema_files or {}
  local id = (type(schema) == "string" and schema or "") .. "\0" .. own
  local list = run.schema_files[id]
  if not list then
    list = others(run, schema)
    run.schema_files[id] = list
  end
  return list
end

--- The digest of a schema and of what it refers to; nil when its file is missing.
---@param run orrery.Run
---@param schema string|table|boolean path relative to the root, or the schema itself
---@return string?
function schemakeys.digest(run, schema)
  local own
  if type(schema) == "string" then
    own = run.index:digest(fs.at(run.root, schema))
  else
    own = pack.digest(schema)
  end
  if not own then return nil end
  local list = known_others(run, schema, own)
  if #list == 0 then return own end
  local parts = { own }
  for _, path in ipairs(list) do
    parts[#parts + 1] = path
    parts[#parts + 1] = run.index:digest(fs.at(run.root, path)) or "missing"
  end
  return hash.sha256(table.concat(parts, "\0"))
end

return schemakeys
