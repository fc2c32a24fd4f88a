-- Results that outlive runs: values by name and params, computed once. In the same store as
-- the memo of steps, so `orrery cache` counts and prunes both.
--
-- The key is the digest of the packed { name, params, function }: no order of a table, no
-- joining of texts can make two of them one. What fails is never stored. A key is computed
-- by one task of one process at a time; the others wait and take its value.
local check = require("orrery.kernel.check")
local errors = require("orrery.kernel.errors")
local func = require("orrery.core.func")
local loop = require("orrery.kernel.loop")
local pack = require("orrery.core.pack")
local store = require("orrery.core.store")
local time = require("orrery.time")

local cache = {}

---@class orrery.Cache
---@field private store core.Store
local Cache = { __name = "orrery.Cache" }
Cache.__index = Cache

-- Names of ours among the spaces of the store.
local PREFIX = "value:"
-- Seconds between two looks for another's result: at first, at most.
local SOON, LATE = 0.002, 0.1

local OPEN = { dir = "string", max_bytes = "number", max_age = "number|string" }
local PUT = { ttl = "number|string" }
local COMPUTE = { ttl = "number|string", version = "any" }
local WRAP = { name = "!string", ttl = "number|string", version = "any", dir = "string" }
local PRUNE = { max_bytes = "number", max_age = "number|string", expired = "boolean" }

local function must(value, err)
  if value == nil then error(err, 0) end
  return value
end

local function seconds(span)
  return type(span) == "string" and time.parse(span) or span
end

local function space_of(name, verb)
  if type(name) == "string" and name ~= "" then return PREFIX .. name end
  errors.raise("usage", ("cache.%s needs a name first, a text"):format(verb))
end

local function key_of(params, version)
  return must(pack.digest({ params = params, version = version }, "cache"))
end

-- Where `orrery run` in this directory keeps its cache.
local function default_dir()
  local config = require("orrery.model.config")
  local root = config.root(require("orrery.core.sys").cwd())
  local env = { ORRERY_CACHE_DIR = os.getenv("ORRERY_CACHE_DIR") }
  local conf = config.load(root)
  return require("orrery.model.cachedir").of(root, env, conf), conf.cache
end

--- Opens a cache: that of the project one is in, or one in a directory of its own.
---
---     local c <close> = cache.open { dir = "/var/tmp/mine" }
---@param opts? { dir?: string, max_bytes?: number, max_age?: number|string }
---@return orrery.Cache
function cache.open(opts)
  opts = check.options(opts, OPEN, "cache.open")
  local dir, bounds = opts.dir, {}
  if not dir then dir, bounds = default_dir() end
  local st = must(store.open(dir, { max_bytes = opts.max_bytes or bounds.size,
    max_age = seconds(opts.max_age) or bounds.age }))
  return setmetatable({ store = st }, Cache)
end

local function find(self, space, key)
  local bytes, facts = self.store:get(space, key)
  local box = bytes and pack.decode(bytes)
  if type(box) == "table" then return facts, box[1] end
end

local function keep(self, space, key, value, ttl)
  local bytes = must(pack.encode({ value }, "value"))
  must(self.store:put(space, key, bytes, { ttl = seconds(ttl) }))
end

--- The value put under a name and params, and when; nil when there is none, or it expired.
---
---     local value, facts = c:get("page", { url = url })
---@param name string
---@param params any plain values
---@return any value
---@return { created: number, expires?: number }? facts there also when the value is nil
function Cache:get(name, params)
  local facts, value = find(self, space_of(name, "get"), key_of(params))
  return value, facts
end

--- Keeps a value under a name and params.
---
---     c:put("page", { url = url }, text, { ttl = "1h" })
---@param name string
---@param params any
---@param value any
---@param opts? { ttl?: number|string }
function Cache:put(name, params, value, opts)
  opts = check.options(opts, PUT, "cache.put")
  keep(self, space_of(name, "put"), key_of(params), value, opts.ttl)
end

-- Waits until nobody else computes this key; nil where one cannot wait.
local function turn(self, space, key)
  local wait = SOON
  while true do
    local lock = self.store:try_lock(space .. "\0" .. key)
    if lock or not coroutine.isyieldable() then return lock end
    loop.sleep(wait)
    wait = math.min(wait * 2, LATE)
  end
end

-- The value of a key, computed when there is none: value, was it there?
local function obtain(self, space, key, ttl, fn, ...)
  local facts, value = find(self, space, key)
  if facts then return value, true end
  local _ <close> = turn(self, space, key)
  facts, value = find(self, space, key)
  if facts then return value, true end
  value = fn(...)
  keep(self, space, key, value, ttl)
  return value, false
end

--- The value under a name and params; when there is none, fn(params) gives it. What fn
--- raises is raised and not kept. `version` is part of the key.
---
---     c:get_or_compute("loc", { path }, function(p) return count(p[1]) end)
---@param name string
---@param params any
---@param fn fun(params: any): any
---@param opts? { ttl?: number|string, version?: any }
---@return any value
---@return boolean hit
function Cache:get_or_compute(name, params, fn, opts)
  opts = check.options(opts, COMPUTE, "cache.get_or_compute")
  if type(fn) ~= "function" then
    errors.raise("usage", "cache.get_or_compute(name, params, fn): fn is a function")
  end
  return obtain(self, space_of(name, "get_or_compute"), key_of(params, opts.version), opts.ttl,
    fn, params)
end

-- Who a function is: its code and what it captured.
local function identity(fn)
  local bytes, info = func.dump(fn)
  if bytes then return info.identity end
  errors.raise("usage", ("cache.wrap: %s; say which version of the function it is: version = 1")
    :format(errors.text(info)))
end

local function wrapped(open, fn, opts)
  local space, version = space_of(opts.name, "wrap"), opts.version
  if version == nil then version = identity(fn) end
  return function(...)
    local key = key_of({ n = select("#", ...), ... }, version)
    return (obtain(open(), space, key, opts.ttl, fn, ...))
  end
end

local function check_wrap(fn, opts)
  if type(fn) ~= "function" then
    errors.raise("usage", "cache.wrap(fn, { name = … }): fn is a function")
  end
  return check.options(opts, WRAP, "cache.wrap", 3)
end

--- A function that remembers the first value of fn by its arguments. An edited fn, or one
--- that captured something else, begins anew; `version` says it instead.
---
---     local loc = c:wrap(function(path) return #fs.read(path) end, { name = "loc", ttl = "1h" })
---@param fn function
---@param opts { name: string, ttl?: number|string, version?: any }
---@return function
function Cache:wrap(fn, opts)
  return wrapped(function() return self end, fn, check_wrap(fn, opts))
end

--- How much is kept; `spaces` by name, for values "value:NAME". Costs the same at any size.
function Cache:stats() return self.store:stats() end

--- Removes what expired, what was not used for `max_age`, the oldest over `max_bytes`.
---@param opts? { max_bytes?: number, max_age?: number|string, expired?: boolean }
---@return { removed: integer, bytes: integer }
function Cache:prune(opts)
  opts = check.options(opts, PRUNE, "cache.prune")
  return must(self.store:prune({ max_bytes = opts.max_bytes, expired = opts.expired,
    max_age = seconds(opts.max_age) }))
end

--- Forgets all values of a name.
---@param name string
---@return integer removed
function Cache:clear(name) return must(self.store:clear(space_of(name, "clear"))) end

--- Closes it; what was wrapped with it raises from then on.
function Cache:close() self.store:close() end

Cache.__close = Cache.close

--- As c:wrap, with the project's cache, opened when the function is first called.
---
---     loc = cache.wrap(function(path) return #fs.read(path) end, { name = "loc", ttl = "1h" })
---@param fn function
---@param opts { name: string, ttl?: number|string, version?: any, dir?: string }
---@return function
function cache.wrap(fn, opts)
  opts = check_wrap(fn, opts)
  local opened
  return wrapped(function()
    opened = opened or cache.open({ dir = opts.dir })
    return opened
  end, fn, opts)
end

-- The rest of a cache's verbs, on the project's cache, opened for the one call.
for _, verb in ipairs({ "get", "put", "get_or_compute", "stats", "prune", "clear" }) do
  cache[verb] = function(...)
    local c <close> = cache.open()
    return Cache[verb](c, ...)
  end
end

return cache
