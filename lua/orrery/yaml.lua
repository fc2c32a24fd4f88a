-- YAML 1.2 documents as Lua values. Only true, false, null, ~ and numbers are anything but
-- text: `no`, `on` and dates are strings; keys always are.
local check = require("orrery.kernel.check")
local core = require("orrery.core.yaml")
local fs = require("orrery.fs")

local yaml = {}

--- Decodes one document. Lists are array-marked, null is json.null; raises an error with
--- line and column for what is not YAML, duplicate keys and several documents.
---
---     yaml.decode("on: [1, 0x1F]") --> { on = { 1, 31 } }
---@param text string
---@param opts? { name?: string } what messages call the text
---@return any value
---@return orrery.YamlInfo info where each value stands and how it was written
function yaml.decode(text, opts)
  opts = check.options(opts, { name = "string" }, "yaml.decode")
  local value, info = core.decode(text, opts)
  if value == nil then error(info, 0) end
  return value, info
end

--- Decodes a file; messages name it.
---
---     yaml.read("config.yaml").port --> 8080
---@param path string
---@return any value
---@return orrery.YamlInfo info
function yaml.read(path)
  return yaml.decode(fs.read(path), { name = path })
end

return yaml
