-- Results that outlive runs: values by name and params, computed once. In the same store as
-- the memo of steps, so `orrery cache` counts and prunes both.
--
-- The key is the digest of the packed function and params, in the space of the name: no order
-- of a table, no joining of texts can make two of them one. What fails is never stored. A key
-- is computed by one task of one thread of one process at a time; the others wait and take
-- its value. A claim is a lock that dies with its process.
local check = require("orrery.kernel.check")
local errors = require("orrery.kernel.errors")
local func = require("orrery.core.func")
local lazy = require("orrery.kernel.lazy")
local loop = lazy("orrery.kernel.loop")
local pack = require("orrery.core.pack")
local store = require("orrery.core.store")
local sys = require("orrery.core.sys")
local time = require("orrery.time")

local cache = {}

---@class orrery.Cache
---@field private store core.Store
---@field private holders table<string, thread>  who computes which key, by this handle
---@field private waiting table<thread, string>  who waits for which
---@field private known table<function, table>  identities, while what they rest on is the same
---@field private counts table<string, { hits: integer, misses: integer }>
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

local must = errors.must

local function seconds(span)
  return type(span) == "string" and time.parse(span) or span
end

local function space_of(name, verb)
  if type(name) == "string" and name ~= "" then return PREFIX .. name end
  errors.raise("usage", ("cache.%s needs a name first, a text"):format(verb))
end

-- A list, for its packing is cheaper than that of names; no version is none of the versions.
local function key_of(params, version)
  local key, err = pack.digest({ version ~= nil, version or false, params }, "cache")
  if key then return key end
  local text = err.message:gsub("^cache%[3%]", "cache.params"):gsub("^cache%[2%]", "cache.version")
  errors.raise(err.code, text)
end

-- Where `orrery run` in this directory keeps its cache.
local function default_dir()
  local config = require("orrery.model.config")
  local root = config.root(sys.cwd())
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
  st:tidy()
  return setmetatable({ store = st, holders = {}, counts = {},
    waiting = setmetatable({}, { __mode = "k" }), known = setmetatable({}, { __mode = "k" }) },
    Cache)
end

-- When it was put there and its end; else nil; and the value, which may be nil itself.
local function find(self, space, key)
  local box, created, expires = self.store:value(space, key)
  if type(box) == "table" and math.type(created) then return created, box[1], expires end
end

local function keep(self, space, key, value, ttl)
  local bytes, err = pack.encode({ value }, "value")
  if not bytes then
    local text = err.message:gsub("value%[1%]", "value", 1)
    errors.raise(err.code, text, { hint = "a cache keeps plain values" })
  end
  must(self.store:put(space, key, bytes, { ttl = seconds(ttl) }))
end

local function count(self, space, what)
  local c = self.counts[space]
  if not c then
    c = { hits = 0, misses = 0 }
    self.counts[space] = c
  end
  c[what] = c[what] + 1
end

--- The value put under a name and params, and when; nil when there is none, or it expired.
---
---     local value, facts = c:get("page", { url = url })
---@param name string
---@param params any plain values
---@return any value
---@return { created: number, expires?: number }? facts there also when the value is nil
function Cache:get(name, params)
  local space = space_of(name, "get")
  local created, value, expires = find(self, space, key_of(params))
  count(self, space, created and "hits" or "misses")
  return value, created and { created = created, expires = expires }
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

-- Would waiting for a claim never end? It would when its holder waits, in the end, for me.
local function is_deadlock(self, claim, me)
  local holder = self.holders[claim]
  for _ = 1, 1000 do
    if holder == nil then return false end
    if holder == me then return true end
    claim = self.waiting[holder]
    holder = claim and self.holders[claim]
  end
  return false
end

-- Workers have no loop; asking for one there would search the disk.
local function has_loop() return package.loaded["orrery.kernel.loop"] ~= nil end

local function pause(span)
  if has_loop() and coroutine.isyieldable() then loop.sleep(span) else sys.nap(span) end
end

-- Waits until nobody else computes this key. On a worker the thread waits, in a script the
-- task.
local function turn(self, claim, name)
  local wait, me = SOON, coroutine.running()
  while true do
    local lock, err = self.store:try_lock(claim)
    if err then error(err, 0) end
    if lock then return lock, me end
    if is_deadlock(self, claim, me) then
      errors.raise("deadlock", ("cache.get_or_compute: computing '%s' asks for itself, with the "
        .. "same params"):format(name), { hint = "no value is known before it is computed" })
    end
    -- a task of ours holds it, and would never go on while this thread waits
    if self.holders[claim] and not coroutine.isyieldable() then return nil, me end
    self.waiting[me] = claim
    local ok, why = pcall(pause, wait)
    self.waiting[me] = nil
    if not ok then error(why, 0) end
    wait = math.min(wait * 2, LATE)
  end
end

-- Computes a value and keeps it, with the claim held; it is let go in any case.
local function compute(self, space, key, ttl, fn, ...)
  local claim = space .. "\0" .. key
  local _ <close>, me = turn(self, claim, space:sub(#PREFIX + 1))
  local created, value = find(self, space, key)
  if created then
    count(self, space, "hits")
    return value, true
  end
  count(self, space, "misses")
  local _ <close> = setmetatable({}, { __close = function() self.holders[claim] = nil end })
  self.holders[claim] = me
  value = fn(...)
  keep(self, space, key, value, ttl)
  return value, false
end

-- The value of a key, computed when there is none: value, was it there?
local function obtain(self, space, key, ttl, fn, ...)
  local created, value = find(self, space, key)
  if not created then return compute(self, space, key, ttl, fn, ...) end
  count(self, space, "hits")
  return value, true
end

local function is_module(value)
  for _, m in pairs(package.loaded) do
    if rawequal(m, value) then return true end
  end
  return false
end

-- What a function captured, when none of it can change without being another value; nil
-- otherwise: then who it is must be asked each time.
local function captured(fn)
  local list = {}
  for i = 1, 255 do
    local name, v = debug.getupvalue(fn, i)
    if not name then return list end
    local kind = type(v)
    if (kind == "table" and name ~= "_ENV" and not is_module(v)) or kind == "function"
      or kind == "userdata" or kind == "thread" then return nil end
    list[i] = { v, name }
  end
end

local function is_same(fn, list)
  for i = 1, #list do
    local _, v = debug.getupvalue(fn, i)
    if not rawequal(v, list[i][1]) then return false end
  end
  return true
end

-- Who a function is: its code and what it captured.
local function identity(self, fn, verb)
  local known = self and self.known[fn]
  if known and is_same(fn, known.list) then return known.identity end
  local bytes, info = func.dump(fn)
  if not bytes then
    errors.raise("usage", ("cache.%s: %s; say which version of the function it is: version = 1")
      :format(verb, errors.text(info)))
  end
  local list = self and captured(fn)
  if list then
    self.known[fn] = { identity = info.identity, list = list, warned = known and known.warned }
  end
  return info.identity
end

-- A function that changes what it captured has another key from then on, and is never found
-- again: mostly a counter. Said once for each function.
local function warn_changed(self, fn)
  local known = self.known[fn]
  for i, one in ipairs(known and not known.warned and known.list or {}) do
    local _, v = debug.getupvalue(fn, i)
    if not rawequal(v, one[1]) then
      known.warned = true
      local at = debug.getinfo(fn, "S")
      require("orrery.log").warn(("%s:%d: the function given to cache.get_or_compute changed '%s', "
        .. "which it captured and which is in its key: what it made is not found again; say who it "
        .. "is with version = 1, or count outside of it"):format(at.short_src, at.linedefined,
        one[2]))
      return
    end
  end
end

--- The value under a name and params; when there is none, fn(params) gives it. What fn
--- raises is raised and not kept. Who fn is belongs to the key: an edited one, or one that
--- captured something else, computes anew. `version` says it instead.
---
---     c:get_or_compute("loc", { path }, function(p) return count(p[1]) end)
---@param name string
---@param params any
---@param fn fun(params: any): any
---@param opts? { ttl?: number|string, version?: any }
---@return any value
---@return boolean hit
function Cache:get_or_compute(name, params, fn, opts)
  if opts ~= nil then check.options(opts, COMPUTE, "cache.get_or_compute") end
  if type(fn) ~= "function" then
    errors.raise("usage", "cache.get_or_compute(name, params, fn): fn is a function")
  end
  local space, version = space_of(name, "get_or_compute"), opts and opts.version
  if version ~= nil then
    return obtain(self, space, key_of(params, version), opts.ttl, fn, params)
  end
  local key = key_of(params, identity(self, fn, "get_or_compute"))
  local value, hit = obtain(self, space, key, opts and opts.ttl, fn, params)
  if not hit then warn_changed(self, fn) end
  return value, hit
end

local function wrapped(open, fn, opts)
  local space, version = space_of(opts.name, "wrap"), opts.version
  if version == nil then version = identity(nil, fn, "wrap") end
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

--- How much is kept: records, blobs, bytes, between which times it was made (oldest,
--- newest); `spaces` by name, for values "value:NAME", with the hits and misses of this
--- handle. Costs the same at any size.
function Cache:stats()
  local s = self.store:stats()
  for name, c in pairs(self.counts) do
    local space = s.spaces[name] or { records = 0, bytes = 0 }
    s.spaces[name], space.hits, space.misses = space, c.hits, c.misses
  end
  return s
end

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

-- The project's cache for one call: that of the running loop, opened once; where there is
-- no loop, on a worker, one for the call.
local function with_default(verb, ...)
  local ok, task
  if has_loop() then ok, task = pcall(loop.current, "cache") end
  if not ok then
    local c <close> = cache.open()
    return Cache[verb](c, ...)
  end
  local l = task.loop
  l.cache = l.cache or cache.open()
  return Cache[verb](l.cache, ...)
end

-- The rest of a cache's verbs, on the project's cache.
for _, verb in ipairs({ "get", "put", "get_or_compute", "stats", "prune", "clear" }) do
  cache[verb] = function(...) return with_default(verb, ...) end
end

return cache
