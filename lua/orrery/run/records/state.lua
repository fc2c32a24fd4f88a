-- What a run keeps on disk: .orrery with its ignore file, the index, the cache, the
-- run's own directory. A cache that cannot be used is done without; the rest must be.
local cachedir = require("orrery.model.cachedir")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local index = require("orrery.core.index")
local store = require("orrery.core.store")

local state = {}

local function unusable(what, err)
  errors.raise("state", ("%s: %s"):format(what, errors.text(err)), { exit = 5 })
end

--- Makes .orrery at the root, ignored by git as a whole.
---@param root string
function state.prepare(root)
  local dir = root .. "/.orrery"
  local ok, err = fs.mkdir(dir)
  if not ok then unusable("the run's state cannot be kept in " .. dir, err) end
  if not fs.stat(dir .. "/.gitignore") then fs.write_atomic(dir .. "/.gitignore", "*\n") end
end

--- The checkout's memory. A damaged one is an empty one.
---@param root string
---@return core.Index
function state.index(root)
  local path = root .. "/.orrery/index"
  local ix, err = index.open(path)
  if not ix then unusable("the index cannot be used: " .. path, err) end
  return ix
end

--- Where the cache is.
---@param root string
---@param env table<string, string>
---@param config orrery.Config?
---@return string absolute
function state.cache_dir(root, env, config) return cachedir.of(root, env, config) end

local function bounds(config)
  local c = config and config.cache or {}
  return { max_bytes = c.size, max_age = c.age, spare = true }
end

-- The cache of another worktree may be the first that is made there.
local function prepare_home(dir)
  local root = dir:match("^(.*)/%.orrery/cache$")
  if root and not fs.stat(root .. "/.orrery/.gitignore") and fs.access(root, "write") then
    state.prepare(root)
  end
end

--- The cache; nil and why when it cannot be used.
---@param dir string
---@param config orrery.Config?
---@return core.Store?
---@return string? why
function state.store(dir, config)
  prepare_home(dir)
  local st, err = store.open(dir, bounds(config))
  if st then return st end
  return nil, ("the cache cannot be used (%s); going on without it"):format(errors.text(err))
end

return state
