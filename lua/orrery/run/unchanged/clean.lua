-- The run in which nothing changed, without loading the workflow: what the last run of the
-- same words rested on is looked at again, and when all of it is so still, every step is
-- clean. When only files of steps differ, partial asks those steps. remember writes down what
-- is read here. Whatever is in doubt is no answer: then the workflow is loaded and each step
-- asked, as ever.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local lazy = require("orrery.kernel.lazy")
local json = require("orrery.core.json")
local kept = require("orrery.run.unchanged.kept")
local pack = require("orrery.core.pack")
local plan = require("orrery.core.plan")
local putback = lazy("orrery.run.unchanged.putback")
local proc = require("orrery.core.proc")
local roots = require("orrery.model.root")
local runs = require("orrery.run.records.runs")
local state = require("orrery.run.records.state")
local sys = require("orrery.core.sys")

local clean = {}

-- Flags that change neither what is run nor what is clean. Those that are part of the name
-- of what is kept are true; any other flag goes the long way.
local known = { jobs = true, param = true, only = true, from = true, ["keep-going"] = false,
  directory = false, quiet = false, verbose = false, json = false, events = false,
  junit = false, trace = false, report = false, summary = false, output = false,
  timestamps = false, color = false }

local function is_path(word)
  return word:find("^%.?%.?/") ~= nil or word:find("%.lua$") or word:find("%.ya?ml$")
end

local function is_set(name) return (os.getenv(name) or "") ~= "" end

--- What a command line asks for, as the name under which a clean run of it is kept; nil when
--- it is none that may be answered from there.
---@param words string[]
---@param flags table<string, any>
---@param rest? string[] what follows --
---@return { root: string, key: string, words: string[] }?
function clean.asked(words, flags, rest)
  if is_set("ORRERY_NO_PLAN") or is_set("ORRERY_LUA_DIR") then return nil end
  local own = {}
  for name, value in pairs(flags) do
    if known[name] == nil then return nil end
    if known[name] then own[name] = value end
  end
  words = table.move(words, 1, #words, 1, {})
  local dir, first = sys.cwd(), words[1]
  if first and is_path(first) then
    words[1] = fs.normal(fs.at(dir, first))
    dir = words[1]:match("^(.*)/") or "/"
  end
  local exe = fs.stat("/proc/self/exe")
  if not exe then return nil end
  local root = roots.find(dir)
  local key = pack.digest({ v = kept.VERSION, version = sys.version, cpus = sys.cpus(),
    exe = { exe.dev, exe.ino, exe.size, exe.mtime }, root = root, words = words, flags = own,
    rest = rest })
  return key and { root = root, key = key, words = words }
end

--- The cache's segments: name → { inode, size }.
---@param dir string of the cache
---@return table<string, integer[]>
function clean.segments(dir)
  local out = {}
  for _, name in ipairs(fs.list(dir .. "/seg") or {}) do
    local st = fs.stat(dir .. "/seg/" .. name)
    if st then out[name] = { st.ino, st.size } end
  end
  return out
end

--- As segments, when a run is over: closing the store writes to them.
---@param run orrery.Run
---@param dir string
---@return table<string, integer[]>
function clean.segments_at_end(run, dir)
  run.store:close()
  run.store = nil
  return clean.segments(dir)
end

-- Records are only ever appended, or a segment goes as a whole: "same", "grown", or nil.
local function compare_segments(was, now)
  local how = "same"
  for name, old in pairs(was) do
    local one = now[name]
    if not one or one[1] ~= old[1] or one[2] < old[2] then return nil end
    if one[2] > old[2] then how = "grown" end
  end
  for name in pairs(now) do
    if not was[name] then how = "grown" end
  end
  return how
end

--- The day. What is remembered holds for one: the cache forgets what is not used, and only
--- the long way uses it.
---@return integer
function clean.today() return math.floor(sys.wall() / 86400) end

--- Is a path what a workflow's fs.stat, or fs.exists, was told?
---@param path string absolute
---@param want string|false "type size mode", "exists", or false: nothing there
---@return boolean
function clean.stats_as(path, want)
  local st = fs.stat(path)
  if want == "exists" then return st ~= nil end
  return (st and ("%s %d %o"):format(st.type, st.size, st.mode) or false) == want
end

-- The first thing outside the file facts that is not what it was.
local function differing(meta)
  if meta.day ~= clean.today() then return "the day" end
  for name, value in pairs(meta.env) do
    if (os.getenv(name) or false) ~= value then return "env " .. name end
  end
  for path, kind in pairs(meta.types) do
    local st = fs.stat(path)
    if (st and st.type or false) ~= kind then return path end
  end
  for path, want in pairs(meta.stats) do
    if not clean.stats_as(path, want) then return path end
  end
  for _, tool in pairs(meta.tools) do
    if (proc.which(tool.name, tool.path or nil, tool.cwd or nil) or false) ~= tool.found then
      return tool.name
    end
  end
end

-- Others have written to the cache: are the results still there?
local function still_stored(found)
  local store <close> = state.store(found.k.meta.cache, found.k.meta.config)
  if not store then return false end
  for n = 1, #found.k.fulls // 32 do
    if not store:get("memo", kept.full(found.k.fulls, n)) then return false end
  end
  return true
end

-- What became known better is written down for the next time.
local function write_back(found, blob)
  local k = found.k
  kept.write(found.root, found.key, k.meta, k.fulls, blob or k.bytes:sub(k.at))
end

-- The files in doubt, looked at with the index: those that differ remain.
local function sift(found, doubt)
  local k = found.k
  local index = state.index(found.root)
  local changed = plan.check(index, k.bytes, k.at, doubt)
  if changed and #changed == 0 then
    local blob = plan.patch(index, k.bytes, k.at, doubt)
    if blob then
      write_back(found, blob)
      index:flush()
    end
    index:close()
    return blob and changed
  end
  found.index, found.doubt, found.changed = index, doubt, changed
  return changed
end

local function cache_holds(found)
  local meta = found.k.meta
  local now = clean.segments(meta.cache)
  local how = compare_segments(meta.segments, now)
  if how == "grown" then
    if not still_stored(found) then return false end
    meta.segments = now
    found.grown = true
  end
  return how ~= nil
end

--- The remembered run of what is asked, when what it rested on is as it was, but for files.
--- Outputs are put back; otherwise `changed` has their numbers, and then `index` is open and
--- the caller's to close.
---@param asked table from clean.asked
---@return table? found for clean.replay, after unchanged.putback with `restored`, or with `changed`
---  for unchanged.partial
---@return string? why not: the first difference
function clean.find(asked)
  local k = kept.read(asked.root, asked.key)
  if not k then return nil end
  local other = differing(k.meta)
  if other then return nil, other end
  local found = { root = asked.root, key = asked.key, k = k }
  if not cache_holds(found) then return nil, k.meta.cache end
  local doubt = plan.look(k.bytes, k.at)
  if not doubt then return nil, "it is damaged" end
  if #doubt > 0 then
    local changed = sift(found, doubt)
    if not changed then return nil, "something moves" end
    if #changed > 0 and not putback.all(found) then return found end
  elseif found.grown then
    write_back(found)
  end
  found.middle = found.middle or kept.part(found.root, k.meta.middle)
  if not found.middle then return nil, "its journal" end
  return found
end

---------------------------------------------------------------------------
-- the run of which nothing has to be asked

local HITS = '{"ev":"hits",'

-- Tells the events between the first and the last.
local function tell(middle, only_hits, sink)
  local from = 1
  while from <= #middle do
    local to = middle:find("\n", from, true)
    if not only_hits or middle:sub(from, from + #HITS - 1) == HITS then
      sink(assert(json.decode(middle:sub(from, to - 1))))
    end
    from = to + 1
  end
end

-- The line of the plan is long, and only reports need it; whose steps they are that are clean,
-- too, when all are.
local function tell_middle(found, opts)
  if opts.all or found.restored then
    if found.plan and opts.all then tell(found.plan, false, opts.sink) end
    for _, ev in ipairs(found.restored or {}) do opts.sink(ev) end
    tell(found.middle, not opts.all, opts.sink)
  else
    opts.sink({ ev = "hits", v = 1, t = 0, count = found.k.meta.count })
  end
end

local function lines_of(events)
  local out = {}
  for i, ev in ipairs(events or {}) do out[i] = json.encode(ev, { lossy = true }) .. "\n" end
  return table.concat(out)
end

-- Writes a journal in one go.
local function write(path, ...)
  local f, why = io.open(path, "wb")
  if not f then return nil, why end
  local ok
  ok, why = f:write(...)
  if not f:close() or not ok then return nil, why or "it cannot be written" end
  return true
end

--- Makes the run: its directory, journal and registry, and its events.
---@param found table from clean.find
---@param opts { argv?: string[], began: number, sink: fun(ev: table), all?: boolean }
---  all: also the events that only reports read
function clean.replay(found, opts)
  local meta = found.k.meta
  local start, finish = meta.start, meta.finish
  local id, dir = runs.create(found.root)
  start.run, start.wall, start.pid, start.argv = id, sys.wall(), sys.pid(), opts.argv or {}
  start.t = 0
  local shown = {}
  for k, v in pairs(start) do shown[k] = v end
  shown.steps = meta.count
  opts.sink(shown)
  tell_middle(found, opts)
  local wall = math.floor((sys.mono() - opts.began) * 1e6 + 0.5) / 1e6
  finish.wall, finish.t, finish.saved = wall, wall, -wall
  local ok, why = write(dir .. "/journal.jsonl", json.encode(start, { lossy = true }), "\n",
    found.plan or "", lines_of(found.restored), found.middle,
    json.encode(finish, { lossy = true }), "\n")
  if ok and meta.registry then
    ok, why = fs.link(kept.path(found.root, meta.registry.name), dir .. "/registry.json")
  end
  if not ok then
    errors.raise("state", ("the run cannot be recorded in %s: %s"):format(dir, errors.text(why)),
      { exit = 5 })
  end
  opts.sink(finish)
  runs.tidy(found.root)
end

return clean
