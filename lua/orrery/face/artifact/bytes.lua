-- The bytes of an artifact: its file while that is as it was registered, else what the cache
-- keeps of it.
local environ = require("orrery.run.keys.environ")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local state = require("orrery.run.records.state")

local bytes = {}

--- Where an artifact's file is.
---@param root string
---@param a core.Artifact
---@return string
function bytes.path(root, a)
  return fs.at(root, a.path or a.name)
end

local function kept(root, a, config)
  local store = state.store(state.cache_dir(root, environ.process(), config), config)
  if not store then return nil end
  local text = store:get_blob(a.digest)
  store:close()
  return text
end

--- Reads them. Raises code "state" when they are nowhere.
---@param root string
---@param a core.Artifact
---@param config orrery.Config?
---@return string
function bytes.of(root, a, config)
  if not fs.inside(a.path or a.name) then
    errors.raise("state", ("%s: its file %s is outside of %s"):format(a.id, a.path or a.name, root))
  end
  local text = fs.read(bytes.path(root, a))
  if text and (not a.digest or hash.sha256(text) == a.digest) then return text end
  local old = a.digest and kept(root, a, config)
  if old then return old end
  errors.raise("state", text and ("%s has changed since it was registered"):format(a.id)
    or ("%s: its file %s is gone"):format(a.id, a.path or a.name),
    { hint = "orrery run puts back what the cache has" })
end

return bytes
