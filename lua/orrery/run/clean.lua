-- The run in which nothing changed, without loading the workflow: what the last clean run of
-- the same words rested on is looked at again, and when all of it is so still, this run is
-- what that one was. run.remember writes down what is read here. Whatever is in doubt is no
-- answer: then the workflow is loaded and each step asked, as ever.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local plan = require("orrery.core.plan")
local proc = require("orrery.core.proc")
local roots = require("orrery.model.root")
local runs = require("orrery.run.runs")
local state = require("orrery.run.state")
local sys = require("orrery.core.sys")

local clean = {}

-- The last line of a journal that says all was clean is shorter.
local TAIL = 16 * 1024

--- The format of what is kept; another one is not read.
clean.VERSION = 1

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
    words[1] = fs.normal(first:sub(1, 1) == "/" and first or dir .. "/" .. first)
    dir = words[1]:match("^(.*)/") or "/"
  end
  local exe = fs.stat("/proc/self/exe")
  if not exe then return nil end
  local root = roots.find(dir)
  local key = pack.digest({ v = clean.VERSION, version = sys.version, cpus = sys.cpus(),
    exe = { exe.dev, exe.ino, exe.size, exe.mtime }, root = root, words = words, flags = own,
    rest = rest })
  return key and { root = root, key = key, words = words }
end

--- The cache's segments as stat sees them: a record that is gone was clean yesterday.
---@param dir string of the cache
---@return string
function clean.segments(dir)
  local out = {}
  for i, name in ipairs(fs.list(dir .. "/seg") or {}) do
    local st = fs.stat(dir .. "/seg/" .. name)
    out[i] = st and ("%s %d %d %.6f"):format(name, st.ino, st.size, st.mtime) or name
  end
  return table.concat(out, "\n")
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

-- The first thing outside the blob that is not what it was.
local function differing(kept)
  if kept.day ~= clean.today() then return "the day" end
  for name, value in pairs(kept.env) do
    if (os.getenv(name) or false) ~= value then return "env " .. name end
  end
  for path, kind in pairs(kept.types) do
    local st = fs.stat(path)
    if (st and st.type or false) ~= kind then return path end
  end
  for path, want in pairs(kept.stats) do
    if not clean.stats_as(path, want) then return path end
  end
  for _, tool in pairs(kept.tools) do
    if (proc.which(tool.name, tool.path or nil, tool.cwd or nil) or false) ~= tool.found then
      return tool.name
    end
  end
  if clean.segments(kept.cache) ~= kept.segments then return kept.cache end
end

--- Where the journal and the registry of a remembered run lie.
---@param root string
---@param run string its id
---@return string journal
---@return string registry
function clean.files(root, run)
  local base = ("%s/.orrery/plans/%s"):format(root, run)
  return base .. ".jsonl", base .. ".registry"
end

-- The journal's first line, its middle as it is, and its last line.
local function split(text)
  local first, from = text:match("^([^\n]+)\n()")
  local at = math.max(1, #text - TAIL)
  local cut, last = text:sub(at):match("^.*()\n([^\n]+)\n$")
  local to = cut and at + cut - 1
  if not first or not last or to < from then return nil end
  local start, finish = json.decode(first), json.decode(last)
  if type(start) ~= "table" or start.ev ~= "run_started" then return nil end
  if type(finish) ~= "table" or finish.ev ~= "run_finished" then return nil end
  return start, text:sub(from, to), finish
end

local function whole(root, kept)
  local path, registry = clean.files(root, kept.run)
  local text = fs.read(path)
  if not text or #text ~= kept.journal_size then return nil end
  local there = fs.stat(registry)
  if (there and there.size or false) ~= kept.registry_size then return nil end
  local start, middle, finish = split(text)
  return start and { start = start, middle = middle, finish = finish,
    registry = there and registry or nil }
end

--- The remembered run of what is asked, when everything it rested on is as it was.
---@param asked table from clean.asked
---@return table? found for clean.replay
---@return string? why not: the first difference
function clean.find(asked)
  local path = asked.root .. "/.orrery/index"
  if not fs.stat(path) then return nil end
  local index <close> = state.index(asked.root)
  local bytes = index:get("plan:" .. asked.key)
  local kept = bytes and pack.decode(bytes)
  if type(kept) ~= "table" or kept.v ~= clean.VERSION then return nil end
  local other = differing(kept)
  if other then return nil, other end
  local same, why = plan.check(index, kept.blob)
  if not same then return nil, errors.text(why) end
  local found = whole(asked.root, kept)
  if not found then return nil, "its journal" end
  index:flush()
  found.root = asked.root
  return found
end

local HITS = '{"ev":"hits",'

-- The events between the first and the last; the line of the plan is long, and only reports
-- need it.
local function events_of(middle, all)
  local out, from = {}, 1
  while from <= #middle do
    local to = middle:find("\n", from, true)
    if all or middle:sub(from, from + #HITS - 1) == HITS then
      out[#out + 1] = assert(json.decode(middle:sub(from, to - 1)))
    end
    from = to + 1
  end
  return out
end

-- Tells the displays, to whom a run without its plan is one of so many steps.
local function show(start, events, all, sink)
  local shown, steps = {}, 0
  for _, ev in ipairs(events) do steps = steps + (ev.ev == "hits" and #ev.ids or 0) end
  for k, v in pairs(start) do shown[k] = v end
  if not all then shown.steps = steps end
  sink(shown)
  for _, ev in ipairs(events) do sink(ev) end
end

--- Makes the run: its directory, journal and registry, and its events.
---@param found table from clean.find
---@param opts { argv?: string[], began: number, sink: fun(ev: table), all?: boolean }
---  all: also the events that only reports read
function clean.replay(found, opts)
  local start, finish = found.start, found.finish
  local id, dir = runs.create(found.root)
  start.run, start.wall, start.pid, start.argv = id, sys.wall(), sys.pid(), opts.argv
  start.t = 0
  show(start, events_of(found.middle, opts.all), opts.all, opts.sink)
  local wall = math.floor((sys.mono() - opts.began) * 1e6 + 0.5) / 1e6
  finish.saved = finish.saved and finish.saved + finish.wall - wall
  finish.wall, finish.t = wall, wall
  local ok, why = fs.append(dir .. "/journal.jsonl", json.encode(start, { lossy = true }) .. "\n"
    .. found.middle .. json.encode(finish, { lossy = true }) .. "\n")
  if ok and found.registry then ok, why = fs.copy(found.registry, dir .. "/registry.json") end
  if not ok then
    errors.raise("state", ("the run cannot be recorded in %s: %s"):format(dir, errors.text(why)),
      { exit = 5 })
  end
  opts.sink(finish)
  runs.prune(found.root)
end

return clean
