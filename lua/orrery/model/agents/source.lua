-- The decoded YAML of an agent workflow with the place and the exact text of its scalars.
local null = require("orrery.core.pack").null

local source = {}

---@class orrery.agents.Source
---@field file string
---@field facts orrery.YamlInfo
---@field report orrery.Messages
local Source = {}
Source.__index = Source

--- A reader over what core.yaml decoded.
---@param file string as the user named it
---@param facts orrery.YamlInfo
---@param report orrery.Messages
---@return orrery.agents.Source
function source.new(file, facts, report)
  return setmetatable({ file = file, facts = facts, report = report }, Source)
end

--- The place of the value under a key.
function Source:place(t, key)
  local packed = self.facts.lines[t] and self.facts.lines[t][key]
  if not packed then return { file = self.file } end
  return { file = self.file, line = packed >> 16, column = packed & 0xffff }
end

--- The exact text of a scalar ("0.10" stays "0.10"); nil for null, lists and maps.
---@return string?
function Source:text(t, key)
  local v = t[key]
  if v == nil or v == null or type(v) == "table" then return nil end
  if type(v) == "string" then return v end
  local texts = self.facts.texts[t]
  return texts and texts[key] or tostring(v)
end

--- A value, null as absent.
function Source.get(_, t, key)
  local v = t[key]
  if v == null then return nil end
  return v
end

--- A map under a key; anything else but absence is an error.
---@return table?
function Source:map(t, key)
  local v = self:get(t, key)
  if v == nil or source.is_map(v) then return v end
  self.report:error(self:place(t, key), ("%s must be a map"):format(key))
end

--- A list under a key; anything else but absence is an error.
---@return table
function Source:list(t, key)
  local v = self:get(t, key)
  if v == nil then return {} end
  if type(v) == "table" and not source.is_map(v) then return v end
  if type(v) == "table" and next(v) == nil then return {} end
  self.report:error(self:place(t, key), ("%s must be a list"):format(key),
    "write each with a dash: - item")
  return {}
end

--- Reports an error, or a warning, at the place of a key.
---@param t table a map of the file
---@param key any
---@param text string
---@param hint? string
function Source:error(t, key, text, hint) self.report:error(self:place(t, key), text, hint) end
function Source:warning(t, key, text, hint) self.report:warning(self:place(t, key), text, hint) end

--- Is it a map of the YAML?
---@param v any
---@return boolean
function source.is_map(v)
  return type(v) == "table" and getmetatable(v) == nil and v[1] == nil
end

return source
