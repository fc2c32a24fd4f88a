-- Writes down what a run rested on, so that unchanged.clean can answer the next one. Any run that
-- ended well is remembered when each of its steps has a result in the cache: then the next
-- run with the same facts would find every step clean. Facts are noted where they are used:
-- a step's files with the digests that its key and its record have, all other files by the
-- index, which digests them; environment, globs and directories here.
-- What cannot be written down (conditions, bodies, services, results that are functions …)
-- makes the run one that is not remembered.
local cacheable = require("orrery.run.keys.cacheable")
local clean = require("orrery.run.unchanged.clean")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local lazy = require("orrery.kernel.lazy")
local links = require("orrery.run.keys.links")
local load = require("orrery.model.load")
local locks = lazy("orrery.run.memo.locks")
local pack = require("orrery.core.pack")
local plan = require("orrery.core.plan")
local proc = require("orrery.core.proc")
local state = require("orrery.run.records.state")

local remember = {}
local Consulted = {}
Consulted.__index = Consulted

-- Events that a run in which nothing changes has too, or that only tell how steps ran.
local quiet = { run_started = true, plan = true, hits = true, group_finished = true,
  run_finished = true, step_started = true, step_finished = true, step_retry = true,
  output = true }

local function is_empty(t) return t == nil or next(t) == nil end

---------------------------------------------------------------------------
-- which runs

local function step_fits(run, step)
  local cache = cacheable.settings(run, step)
  if step.kind ~= "run" or step.when ~= nil or step.fan or step.temp or step.tty or step.final
    or cache == false or (type(cache) == "table" and cache.ttl)
    or (step.gate and type(step.gate.check) == "string") or type(step.resources) == "function" then
    return false
  end
  for _, list in ipairs({ step.inputs or {}, step.outputs or {} }) do
    for _, spec in ipairs(list) do
      if spec.path:find(".orrery", 1, true) or spec.path:find("{{%s*run%f[%W]") then
        return false
      end
    end
  end
  return true
end

local function workflow_fits(run, chosen)
  local wf = run.workflow
  if wf.body or wf.result ~= nil or wf.form == "agents" or wf.artifactual
    or not is_empty(wf.secrets) or not is_empty(wf.unchecked)
    or (wf.top and wf.top.policy) then return false end
  for _, m in ipairs(wf.warnings or {}) do
    if m.level ~= "note" then return false end
  end
  for _, g in ipairs(wf.groups or {}) do
    if g.policy or g.when ~= nil or #(g.finally or {}) > 0 then return false end
  end
  for _, step in ipairs(wf.steps) do
    if (not chosen or chosen[step.id]) and not step_fits(run, step) then return false end
  end
  return true
end

-- The environment, noting which names are asked for.
local function noted(self, real)
  return setmetatable({}, {
    __index = function(_, name)
      local value = real[name]
      self.env[name] = value or false
      return value
    end,
    __pairs = function()
      self.opaque = "the whole environment is read"
      return next, real, nil
    end,
  })
end

-- The events of groups are the same when nothing runs.
local function listen(self, ev)
  if ev.ev == "group_finished" then
    self.ended[#self.ended + 1] = { ev = ev.ev, v = ev.v, t = 0, id = ev.id, status = ev.status,
      policy = ev.policy, passed = ev.passed, failed = ev.failed, skipped = ev.skipped }
  elseif not quiet[ev.ev] then
    self.opaque = self.opaque or ev.ev
  end
end

--- Begins to note what a run consults; nil when it is none that can be remembered.
---@param run orrery.Run opened, nothing run yet
---@param chosen table<string, true>? the selection
---@return table?
function remember.begin(run, chosen)
  local asked = run.opts.remember
  if not run.store or asked.root ~= run.root or not is_empty(run.config.secrets)
    or not workflow_fits(run, chosen) then return nil end
  local self = setmetatable({ run = run, asked = asked, env = {}, globs = {}, types = {},
    stats = {}, tools = {}, ended = {}, steps = {}, noted = 0, files = {}, paths = {},
    digests = {}, exec = {} }, Consulted)
  run.process_env = noted(self, run.process_env)
  self.cache = state.cache_dir(run.root, run.process_env, run.config)
  local sinks = run.journal.sinks
  sinks[#sinks + 1] = function(ev) listen(self, ev) end
  return self
end

---------------------------------------------------------------------------
-- noting, while it runs

local function digest_of(list) return hash.sha256(table.concat(list, "\0")) end

local function add_glob(self, g)
  local id = pack.digest({ g.patterns, g.root, g.ignore == false, g.hidden == false })
  local known = self.globs[id]
  if known and known.digest ~= g.digest then self.opaque = "a glob changed meanwhile" end
  self.globs[id] = g
end

--- Notes what a glob of inputs gave.
---@param patterns string[]
---@param found string[]
---@param facts orrery.GlobFacts
function Consulted:glob(patterns, found, facts)
  add_glob(self, { patterns = patterns, root = self.run.root, digest = digest_of(found),
    dirs = facts.dirs, ignore_files = facts.ignore_files })
end

--- Notes that an input without a wildcard was a directory.
---@param path string relative to the root
function Consulted:dir(path) self.types[self.run.root .. "/" .. path] = "dir" end

-- A relative entry of PATH would mean another directory for each step.
local function is_relative(path)
  for entry in (path .. ":"):gmatch("([^:]*):") do
    if entry:sub(1, 1) ~= "/" then return true end
  end
  return false
end

--- Notes which program a name meant.
---@param name string
---@param path string? PATH
---@param cwd string
---@param found string?
---@param digest string|false of what it leads to
function Consulted:tool(name, path, cwd, found, digest)
  local slash = name:find("/", 1, true) ~= nil
  local id = name .. "\0" .. (slash and cwd or path or "")
  local known = self.tools[id]
  if known then
    if known.digest ~= digest then self.opaque = name end
    return
  end
  if not slash and (not path or is_relative(path)) then self.opaque = "PATH" end
  self.tools[id] = { name = name, path = not slash and path or false, cwd = slash and cwd or false,
    found = found or false, digest = digest }
end

-- Notes one file of a step: what its content and its bits were when they counted.
local function add_file(self, list, path, digest, exec)
  if path:sub(1, 1) ~= "/" then path = self.run.root .. "/" .. path end
  local n = self.files[path]
  if not n then
    n = #self.paths + 1
    self.files[path], self.paths[n], self.digests[n], self.exec[n] = n, path, digest, exec
  else
    local old = self.exec[n]
    local both = (old & 3 == 0 and exec & 3 or old & 3) | (old & 12 == 0 and exec & 12 or old & 12)
    if self.digests[n] ~= digest or both & exec ~= exec then self.opaque = path end
    self.exec[n] = both
  end
  list[#list + 1] = n
end

local function add_inputs(self, list, facts)
  for _, f in ipairs(facts or {}) do
    add_file(self, list, f[1], f[2], f[2] and (f[3] and 2 or 1) or 0)
  end
end

-- The files of a list that a step makes, from number `first` of it on; nil when that takes
-- more to know than its record: it edits one in place, or its key is not known beforehand.
local function made_of(list, first, job)
  if job.full ~= job.base then return nil end
  local read, made = {}, {}
  for i = 1, first - 1 do read[list[i]] = true end
  for i = first, #list do
    if read[list[i]] then return nil end
    made[#made + 1] = list[i]
  end
  return made
end

--- Notes the end of a step: what it rests on, when its result is one that is remembered.
---@param step orrery.Step
---@param job table with its record and full key, if it has them
function Consulted:step(step, job)
  local record = job.record
  if not job.full or not record then
    self.opaque = self.opaque or step.id
    return
  end
  local list = {}
  add_inputs(self, list, job.manifest.inputs)
  add_inputs(self, list, record.facts and record.facts.found)
  local first = #list + 1
  for _, o in ipairs(record.outputs) do
    add_file(self, list, o.path, o.digest or hash.sha256("link:" .. o.link),
      o.digest and (o.mode & 73 ~= 0 and 8 or 4) or 0)
  end
  if not self.steps[step.id] then self.noted = self.noted + 1 end
  self.steps[step.id] = { files = list, full = job.full, made = made_of(list, first, job),
    lock = locks.name(job.outputs) }
end

---------------------------------------------------------------------------
-- what else it rested on, afterwards: looked at again, it must be what was used

-- Notes each symlink on the way to a file, and the file; returns its digest.
local function follow(self, path)
  local real = fs.realpath(path)
  local d, _, _, last = links.follow(self.run.index, path)
  if not d then return nil end
  local a, b = fs.stat(last), real and fs.stat(real)
  return a and b and a.ino == b.ino and a.dev == b.dev and d or nil
end

-- Notes what a path is now: a file's contents, or that there is nothing.
local function any(self, path)
  local st = fs.stat(path)
  if not st then
    self.types[path] = false
  elseif st.type ~= "file" or not follow(self, path) then
    self.opaque = path
  end
end

local function load_reads(self, reads)
  local root = self.run.root
  for path, digest in pairs(reads.files) do
    if follow(self, fs.at(root, path)) ~= digest then self.opaque = path end
  end
  for path in pairs(reads.absent) do
    path = fs.at(root, path)
    self.types[path] = false
    if fs.stat(path) then self.opaque = path end
  end
  for name, value in pairs(reads.env) do
    if (os.getenv(name) or false) ~= value then self.opaque = name end
    self.env[name] = value
  end
  for path, want in pairs(reads.stats) do
    path = fs.at(root, path)
    self.stats[path] = want
    if not clean.stats_as(path, want) then self.opaque = path end
  end
  for dir, digest in pairs(reads.lists) do
    self.lists[#self.lists + 1] = { dir = fs.at(root, dir), digest = digest }
  end
  for _, g in ipairs(reads.globs) do
    add_glob(self, { patterns = type(g.patterns) == "table" and g.patterns or { g.patterns },
      root = fs.at(root, g.root or "."), ignore = g.ignore, hidden = g.hidden,
      digest = g.digest, dirs = g.dirs, ignore_files = g.ignore_files })
  end
end

-- The files among which the words of the command line choose.
local function words(self)
  local root, conf, first = self.run.root, self.run.config, self.asked.words[1]
  local function note(name)
    if name:find("/", 1, true) == 1 or name:find("%.lua$") or name:find("%.ya?ml$") then
      name = fs.at(root, name)
      self.types[name] = (fs.stat(name) or {}).type or false
      return
    end
    for _, ending in ipairs({ "lua", "yaml", "yml" }) do
      local path = ("%s/workflows/%s.%s"):format(root, name, ending)
      self.types[path] = (fs.stat(path) or {}).type or false
    end
  end
  if first then note(first) end
  if conf.default and first ~= conf.default then
    note(conf.default)
    local named = first and load.find(first, root, conf)
    if named and first:sub(1, 1) ~= "/" then self.opaque = "a second workflow was loaded" end
  end
end

local function dotenv(self)
  local run = self.run
  for _, path in ipairs(run.dotenv_files(run.workflow)) do any(self, fs.at(run.root, path)) end
  if pack.digest(run.dotenv_of(run.workflow)) ~= pack.digest(run.dotenv) then
    self.opaque = "a dotenv file changed meanwhile"
  end
end

local function tools(self)
  for _, t in pairs(self.tools) do
    if proc.which(t.name, t.path or nil, t.cwd or nil) ~= (t.found or nil) then
      self.opaque = t.name
    elseif t.found and follow(self, t.found) ~= t.digest then
      self.opaque = t.name
    end
  end
end

-- Which repository's ignore files count: .git, from a directory upwards.
local function repository(self, dir)
  while true do
    local git = (dir == "/" and "" or dir) .. "/.git"
    local st = fs.stat(git)
    self.types[git] = st and st.type or false
    if st and st.type == "file" then
      any(self, git)
      local to = (fs.read(git) or ""):match("^gitdir: ([^\r\n]*)")
      if to then any(self, fs.at(dir, to) .. "/commondir") end
    end
    if st or dir == "/" then return end
    dir = dir:match("^(.*)/[^/]*$")
    if dir == "" then dir = "/" end
  end
end

-- The directories all globs and lists rest on; ignore files are noted.
local function directories(self)
  local seen, dirs, above = {}, {}, {}
  local function add(path)
    if not seen[path] then
      seen[path] = true
      dirs[#dirs + 1] = path
    end
  end
  for _, g in pairs(self.globs) do
    for _, dir in ipairs(g.dirs) do
      add(dir == "." and g.root or fs.at(g.root, dir))
    end
    for _, path in ipairs(g.ignore_files) do self.run.index:digest(fs.at(g.root, path)) end
    if not above[g.root] then
      above[g.root] = true
      repository(self, fs.realpath(g.root) or g.root)
    end
  end
  for _, l in ipairs(self.lists) do add(l.dir) end
  return dirs
end

-- Now that the directories' stats are taken: do they still hold what was used?
local function still_there(self)
  for _, g in pairs(self.globs) do
    local found, facts = fs.glob(g.patterns, { root = g.root, ignore = g.ignore,
      hidden = g.hidden })
    if not found or digest_of(found) ~= g.digest or digest_of(facts.dirs) ~= digest_of(g.dirs)
      or digest_of(facts.ignore_files) ~= digest_of(g.ignore_files) then return false end
  end
  for _, l in ipairs(self.lists) do
    local names = fs.list(l.dir)
    if not names or digest_of(names) ~= l.digest then return false end
  end
  for path, kind in pairs(self.types) do
    local st = fs.stat(path)
    if (st and st.type or false) ~= kind then return false end
  end
  return true
end

---------------------------------------------------------------------------
-- keeping

-- A schema that refers to other files, found by names that are not noted.
local function has_far_schemas(run)
  for _, list in pairs(run.schema_files or {}) do
    if #list > 0 then return true end
  end
  return false
end

--- May a run that ended so be remembered, as far as what it consulted goes?
---@param record orrery.RunRecord
---@return boolean
function Consulted:may_keep(record)
  local run = self.run
  return not self.opaque and record.code == 0 and record.result == nil and not run.cache_off
    and not has_far_schemas(run)
end

--- The run is over: remembers it when all its steps have results that are remembered and
--- nothing moved meanwhile.
---@param record orrery.RunRecord
function Consulted:keep(record)
  local run = self.run
  if run.opts.partial then return run.opts.partial:keep(self, record) end
  if not self:may_keep(record) then return end
  self.lists = {}
  load_reads(self, run.workflow.reads)
  words(self)
  dotenv(self)
  tools(self)
  local dirs = directories(self)
  if self.opaque then return end
  local blob = plan.encode(run.index, run.root, dirs, self.paths, self.digests, self.exec)
  if not blob or not still_there(self) or self.opaque then return end
  run.journal:flush()
  require("orrery.run.unchanged.keeping").put(self, blob)
end

return remember
