-- The root of a project, and orrery.lua in it.
local build = require("orrery.model.build")
local lazy = require("orrery.kernel.lazy")
local clauses = lazy("orrery.model.clauses")
local errors = require("orrery.kernel.errors")
local executor = lazy("orrery.model.executor")
local nearest = lazy("orrery.kernel.nearest")
local paths = lazy("orrery.model.paths")
local reading = require("orrery.model.reading")
local report = require("orrery.model.report")
local find_root = require("orrery.model.root").find
local sandbox = require("orrery.model.sandbox")
local sorted = require("orrery.kernel.sorted")

local config = {}

local FILE = "orrery.lua"

--- The root for a directory, as model.root finds it.
---@param dir string absolute
---@return string
function config.root(dir) return find_root(dir) end

local kinds = { default = "string", path = "table", agents = "table", resources = "table",
  budget = "table", secrets = "table", dotenv = "string|table", cache = "table",
  rules = "string|table", journeys = "string" }

local function list(v)
  local out = {}
  build.flatten(type(v) == "table" and v or { v }, function(item) out[#out + 1] = item end)
  return out
end

local function empty(root)
  return { root = root, path = {}, agents = {}, resources = {}, secrets = {}, dotenv = {},
    cache = {}, reads = reading.new() }
end

local function check_types(value, at, r)
  for k, v in sorted.pairs(value) do
    local kind = kinds[k]
    local where = r:at({ place = at }, tostring(k))
    if not kind then
      r:error(where, ("unknown field '%s' in orrery.lua"):format(tostring(k)),
        nearest.hint(tostring(k), kinds) or "it has " .. table.concat(sorted.keys(kinds), ", "))
    elseif not kind:find(type(v), 1, true) then
      r:error(where, ("'%s' must be a %s, not a %s"):format(k, kind:gsub("|", " or "), type(v)))
    end
  end
end

local function path_of(v, say)
  local out = {}
  for _, dir in ipairs(list(v)) do
    if type(dir) ~= "string" then
      say("it lists directories")
    else
      out[#out + 1] = paths.normal(dir)
    end
  end
  return out
end

local function fill(out, value, at, r)
  local function say(name)
    return function(text, hint) r:error(r:at({ place = at }, name), text, hint) end
  end
  check_types(value, at, r)
  if r.failed then return end
  out.default = value.default
  if next(value.agents or {}) ~= nil then
    out.agents = executor.all(value.agents, say("agents"))
  end
  out.path = path_of(value.path or {}, say("path"))
  out.journeys = value.journeys
  if value.rules then out.rules = path_of(value.rules, say("rules")) end
  out.resources = clauses.resources(value.resources or {}, say("resources"))
  if value.budget then out.budget = clauses.budget(value.budget, say("budget")) end
  out.secrets = clauses.secrets(value.secrets or {}, say("secrets"))
  out.dotenv = list(value.dotenv or {})
  out.cache = clauses.cache_bounds(value.cache or {}, say("cache"))
end

--- Reads orrery.lua of a root; without one, the defaults. Raises code "invalid".
---@param root string absolute
---@param past? table what files were at an earlier commit (changes.definitions)
---@return orrery.Config
function config.load(root, past)
  local box = sandbox.new({ root = root, past = past })
  local out, r = empty(root), report.new(box.sources)
  out.reads = box.reads
  local text, why = reading.file(box, FILE, box.max_file)
  if not text then
    if not box.reads.absent[FILE] then errors.raise("invalid", why.message) end
    return out
  end
  local at = { file = FILE, line = 1 }
  local ok, value = pcall(box.evaluate, box, text, FILE)
  if not ok then
    r:caught(value, { file = FILE })
  elseif type(value) ~= "table" or build.is(value) then
    r:error({ file = FILE }, value == nil and "the file returned nothing"
      or "the file did not return a table", "it should: return { default = … }")
  else
    fill(out, value, at, r)
  end
  r:settle()
  return out
end

return config
