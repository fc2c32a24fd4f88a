-- orrery cache [stats | list | verify | prune | clear | doctor]
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local sorted = require("orrery.kernel.sorted")
local state = require("orrery.run.records.state")
local sys = require("orrery.core.sys")
local target = require("orrery.face.target")
local units = require("orrery.model.units")
local verbs = require("orrery.face.verbs")
local words = require("orrery.face.words")

local cache = {}

cache.usage = "orrery cache [stats | list [GLOB…] | verify | prune | clear | doctor]"
cache.about = [[
Says how much is remembered, lists it, checks every record and blob (exit 5 when one is
damaged; it is dropped), removes what is old, forgets everything, or says why so little comes
from the cache. ORRERY_CACHE_DIR, or cache = { dir = … } in orrery.lua, moves it.]]
cache.flags = { "json", "max-size", "max-age", "limit" }
cache.examples = { { "orrery cache", "how much there is" },
  { "orrery cache list 'test*'", "the records of some steps, the newest first" },
  { "orrery cache doctor", "why is nothing, or so little, remembered?" },
  { "orrery cache prune --max-size=2G", "no more than that, the least used first to go" },
  { "orrery cache prune --max-age=7d", "what was used within a week" },
  { "orrery cache clear", "everything; the next run does all its work again" } }

-- Looking at a cache that is not there must not make one.
local function open()
  local root, conf = target.root()
  local dir = state.cache_dir(root, sys.environ(), conf)
  if not fs.stat(dir) then return nil, dir end
  local store, why = state.store(dir, conf)
  if not store then
    errors.raise("state", "the cache cannot be used: " .. errors.text(why),
      { hint = "orrery cache doctor says more" })
  end
  return store, dir
end

local function rate(hits, misses)
  local all = hits + misses
  return all > 0 and ("%d of %d look-ups served"):format(hits, all) or ""
end

local function say(c, value, text)
  c.out(c.opts.json and json.encode(value, { lossy = true, indent = 2 }) .. "\n" or text)
end

local function stats(c)
  local store, dir = open()
  local s = store and store:stats() or { records = 0, blobs = 0, bytes = 0, spaces = {} }
  if store then store:close() end
  s.dir = dir
  local now = sys.wall()
  local rows = { { "where", dir }, { "size", words.bytes(s.bytes) },
    { "records", tostring(s.records) }, { "files", tostring(s.blobs) } }
  if s.oldest then rows[#rows + 1] = { "oldest", words.ago(math.max(0, now - s.oldest)) } end
  for name, space in sorted.pairs(s.spaces or {}) do
    rows[#rows + 1] = { "  " .. name, ("%s, %s  %s"):format(words.count(space.records, "record"),
      words.bytes(space.bytes), rate(space.hits or 0, space.misses or 0)) }
  end
  say(c, s, table.concat(words.columns(rows), "\n") .. "\n")
  return 0
end

local function size_of(c)
  local text = c.opts["max-size"]
  local n = text and units.bytes(text)
  if text and not n then
    errors.raise("usage", ("--max-size: '%s' is no size; write 500M or 10G"):format(text))
  end
  return n
end

-- Does one thing to the store, when there is one.
local function upkeep(nothing, verb, ...)
  local store = open()
  if not store then return nothing end
  local got, why = store[verb](store, ...)
  store:close()
  if got == nil then errors.raise("state", errors.text(why)) end
  return got
end

local function prune(c)
  local got = upkeep({ removed = 0, bytes = 0 }, "prune", { max_bytes = size_of(c),
    max_age = c.opts["max-age"], expired = true })
  say(c, got, ("%s removed, %s freed\n"):format(words.count(got.removed, "record"),
    words.bytes(got.bytes)))
  return 0
end

local MEND = [[
What was damaged is dropped: the next run does that work again, nothing else is lost. When it
comes back, the disk or its memory is failing (dmesg, smartctl), or something edits the files.
]]

local function verify(c)
  local got = upkeep({ checked = 0, corrupt = 0, missing = 0 }, "verify")
  local bad = got.corrupt + got.missing
  local text = ("%d checked, %d damaged, %d missing\n"):format(got.checked, got.corrupt,
    got.missing)
  got.ok = bad == 0
  if bad > 0 then got.advice = MEND:gsub("\n", " "):gsub(" $", "") end
  say(c, got, bad > 0 and text .. MEND or text)
  return bad > 0 and 5 or 0
end

local function clear(c)
  local n = upkeep(0, "clear")
  say(c, { removed = n }, words.count(n, "record") .. " removed\n")
  return 0
end

local function list(c)
  local store = open()
  local code = require("orrery.face.cache.list").print(c, store, sys.wall())
  if store then store:close() end
  return code
end

local function doctor(c)
  local root, conf = target.root()
  local env = sys.environ()
  return require("orrery.face.findings").print(c, require("orrery.face.cache.doctor").look({
    root = root, config = conf, env = env, dir = state.cache_dir(root, env, conf),
    now = sys.wall() }))
end

local known = { stats = stats, list = list, prune = prune, verify = verify, clear = clear,
  doctor = doctor }

--- Does what its first word says.
---@param c table the invocation
---@return integer
function cache.main(c)
  local verb = c.words[1]
  if verb ~= "list" and c.words[2] then
    errors.raise("usage", ("cache %s takes no '%s'"):format(verb, c.words[2]))
  end
  return verbs.go(c, "cache", cache.usage, known, "stats")
end

return cache
