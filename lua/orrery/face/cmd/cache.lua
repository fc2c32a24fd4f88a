-- orrery cache [stats | prune | verify | clear]
local config = require("orrery.model.config")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local nearest = require("orrery.kernel.nearest")
local sorted = require("orrery.kernel.sorted")
local state = require("orrery.run.state")
local sys = require("orrery.core.sys")
local target = require("orrery.face.target")
local words = require("orrery.face.words")

local cache = {}

cache.usage = "orrery cache [stats | prune | verify | clear]"
cache.about = [[
Says how much is remembered, removes what is old, checks every record and blob (exit 5 when
one is damaged; it is dropped), or forgets everything. ORRERY_CACHE_DIR moves the cache.]]
cache.flags = { "json", "max-size", "max-age" }
cache.examples = { { "orrery cache", "how much there is" },
  { "orrery cache prune --max-size=2G", "no more than that, the least used first to go" },
  { "orrery cache prune --max-age=7d", "what was used within a week" },
  { "orrery cache clear", "everything; the next run does all its work again" } }

-- Looking at a cache that is not there must not make one.
local function open(c)
  local root = target.root()
  local dir = state.cache_dir(root, sys.environ())
  if not fs.stat(dir) then return nil, dir end
  local ok, conf = pcall(config.load, root)
  local store, why = state.store(dir, ok and conf or nil)
  if not store then errors.raise("state", why) end
  return store, dir, c
end

local function rate(hits, misses)
  local all = hits + misses
  return all > 0 and ("%d of %d look-ups served"):format(hits, all) or ""
end

local function say(c, value, text)
  c.out(c.opts.json and json.encode(value, { lossy = true, indent = 2 }) .. "\n" or text)
end

local function stats(c)
  local store, dir = open(c)
  local s = store and store:stats() or { records = 0, blobs = 0, bytes = 0, spaces = {} }
  if store then store:close() end
  s.dir = dir
  local rows = { { "where", dir }, { "size", words.bytes(s.bytes) },
    { "records", tostring(s.records) }, { "files", tostring(s.blobs) } }
  for name, space in sorted.pairs(s.spaces or {}) do
    rows[#rows + 1] = { "  " .. name, ("%s, %s  %s"):format(words.count(space.records, "record"),
      words.bytes(space.bytes), rate(space.hits or 0, space.misses or 0)) }
  end
  say(c, s, table.concat(words.columns(rows), "\n") .. "\n")
  return 0
end

local function size_of(c)
  local text = c.opts["max-size"]
  local n = text and words.parse_bytes(text)
  if text and not n then
    errors.raise("usage", ("--max-size: '%s' is no size; write 500M or 10G"):format(text))
  end
  return n
end

local function prune(c)
  local max = size_of(c)
  local store = open(c)
  local got = { removed = 0, bytes = 0 }
  if store then
    local why
    got, why = store:prune({ max_bytes = max, max_age = c.opts["max-age"], expired = true })
    store:close()
    if not got then errors.raise("state", errors.text(why)) end
  end
  say(c, got, ("%s removed, %s freed\n"):format(words.count(got.removed, "record"),
    words.bytes(got.bytes)))
  return 0
end

local function verify(c)
  local store = open(c)
  local got = { checked = 0, corrupt = 0 }
  if store then
    local why
    got, why = store:verify()
    store:close()
    if not got then errors.raise("state", errors.text(why)) end
  end
  say(c, got, ("%d checked, %d damaged%s\n"):format(got.checked, got.corrupt,
    got.corrupt > 0 and " and dropped" or ""))
  return got.corrupt > 0 and 5 or 0
end

local function clear(c)
  local store = open(c)
  local n = 0
  if store then
    local why
    n, why = store:clear()
    store:close()
    if not n then errors.raise("state", errors.text(why)) end
  end
  say(c, { removed = n }, words.count(n, "record") .. " removed\n")
  return 0
end

local verbs = { stats = stats, prune = prune, verify = verify, clear = clear }

--- Does what its first word says.
---@param c table the invocation
---@return integer
function cache.main(c)
  local verb = c.words[1] or "stats"
  if verbs[verb] then return verbs[verb](c) end
  errors.raise("usage", ("cache cannot '%s'"):format(verb),
    { hint = nearest.hint(verb, verbs) or "it can stats, prune, verify and clear" })
end

return cache
