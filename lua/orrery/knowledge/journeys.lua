-- Journeys: what people do with a set of workflows and skills, as a registry lists it: each
-- by a workflow, by one skill, or by hand. A registry comes from elsewhere, so its paths are
-- tried as written, without the directory they were kept in, and beside the registry.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local nearest = require("orrery.kernel.nearest")

local journeys = {}

---@class orrery.Journey
---@field id string
---@field name string
---@field description string
---@field category string
---@field mode "workflow"|"skill"|"manual"
---@field workflow? string    as written
---@field skill? string
---@field agents string[]
---@field skills { name: string, type?: string, location?: string, requires_cli: string[] }[]
---@field schemas string[]
---@field triggers string[]
---@field expected string[]
---@field duration? string
---@field doc? string         path of its description

---@class orrery.Journeys
---@field root string
---@field path string         of the registry, absolute
---@field list orrery.Journey[]
---@field remarks string[]    what is odd in the registry
local Journeys = {}
Journeys.__index = Journeys

--- Where a registry is looked for when nobody says.
journeys.FILES = { "journeys/registry.json", "journeys.json",
  ".claude/context/cuj-registry.json" }

local modes = { workflow = "workflow", ["skill-only"] = "skill", skill = "skill",
  ["manual-setup"] = "manual", manual = "manual" }

local function text(v) return type(v) == "string" and v or nil end

local function texts(v)
  local out = {}
  for _, item in ipairs(type(v) == "table" and v or {}) do out[#out + 1] = text(item) end
  return out
end

local function skills_of(v)
  local out = {}
  for _, item in ipairs(type(v) == "table" and v or {}) do
    if type(item) == "string" then item = { name = item } end
    if type(item) == "table" and text(item.name) then
      out[#out + 1] = { name = item.name, type = text(item.type), location = text(item.location),
        requires_cli = texts(item.requires_cli) }
    end
  end
  return out
end

local function journey_of(item, i, remarks)
  if type(item) ~= "table" or not text(item.id) then
    remarks[#remarks + 1] = ("entry %d has no id; left out"):format(i)
    return nil
  end
  local mode = modes[item.execution_mode or (item.workflow and "workflow") or "manual"]
  if not mode then
    remarks[#remarks + 1] = ("%s: there is no mode '%s'; taken as manual"):format(item.id,
      tostring(item.execution_mode))
  end
  return { id = item.id, name = text(item.name) or item.id, mode = mode or "manual",
    description = text(item.description) or "", category = text(item.category) or "",
    workflow = text(item.workflow), skill = text(item.primary_skill),
    agents = texts(item.agents), skills = skills_of(item.skills), schemas = texts(item.schemas),
    triggers = texts(item.triggers), expected = texts(item.expected_outputs),
    duration = text(item.estimated_duration), doc = text(item.file_path) }
end

local function path_of(root, given)
  for _, file in ipairs(given and { given } or journeys.FILES) do
    local path = fs.at(root, file)
    if fs.stat(path) then return path end
  end
  errors.raise("usage", given and ("there is no registry of journeys '%s'"):format(given)
    or "there is no registry of journeys: " .. table.concat(journeys.FILES, ", "),
    { hint = "name it: --registry=FILE, or journeys = \"FILE\" in orrery.lua" })
end

--- Reads a registry. Raises code "invalid" for one that cannot be read.
---@param root string
---@param given? string its path, from the root
---@return orrery.Journeys
function journeys.open(root, given)
  local path = path_of(root, given)
  local bytes, why = fs.read(path)
  local doc
  if bytes then doc, why = json.decode(bytes, { name = given or path, last_wins = true }) end
  local list = type(doc) == "table" and (doc.cujs or doc.journeys)
  if type(list) ~= "table" then
    errors.raise("invalid", why and errors.text(why)
      or ("%s: a registry has a list 'cujs' or 'journeys'"):format(given or path), { exit = 3 })
  end
  local self = setmetatable({ root = root, path = path, list = {}, remarks = {}, by_id = {} },
    Journeys)
  for i, item in ipairs(list) do
    local one = journey_of(item, i, self.remarks)
    if one and self.by_id[one.id] then
      self.remarks[#self.remarks + 1] = ("%s is there twice; the first counts"):format(one.id)
    elseif one then
      self.by_id[one.id] = one
      self.list[#self.list + 1] = one
    end
  end
  return self
end

--- A journey by its id, whatever its case, or by its name. Raises code "usage".
---@param id string
---@return orrery.Journey
function Journeys:get(id)
  local names = {}
  for _, one in ipairs(self.list) do
    if one.id:lower() == id:lower() or one.name:lower() == id:lower() then return one end
    names[#names + 1] = one.id
  end
  errors.raise("usage", ("there is no journey '%s'"):format(id),
    { hint = nearest.hint(id, names) or "orrery agents journey list shows them" })
end

--- Where a path of the registry is: relative to the root as written, without its first
--- directory when that is hidden, or beside the registry. nil: nowhere.
---@param path string
---@return string? relative to the root, or absolute when it is outside
function Journeys:find(path)
  local bare = path:match("^%.[^/]+/(.+)$")
  local beside = self.path:match("^(.*)/[^/]*/[^/]*$")
  for _, full in ipairs({ self.root .. "/" .. path, bare and self.root .. "/" .. bare,
    bare and beside and beside .. "/" .. bare }) do
    if full and fs.stat(full) then
      full = fs.normal(full)
      return full:sub(1, #self.root + 1) == self.root .. "/" and full:sub(#self.root + 2) or full
    end
  end
end

return journeys
