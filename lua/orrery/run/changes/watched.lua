-- What a run has looked at, kept to be asked later: is any of it different now? For watch.
-- Contents decide, never time stamps or events. What the run's own steps produce does not
-- count, but for a file that a step edits in place.
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local inputs = require("orrery.run.keys.inputs")
local memo = require("orrery.run.memo")
local recorded = require("orrery.run.keys.recorded")
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")
local state = require("orrery.run.records.state")

local watched = {}
local Watched = {}
Watched.__index = Watched

--- A memory of what runs in this root look at.
---@param root string
---@return orrery.Watched
function watched.new(root)
  return setmetatable({ root = root, index = state.index(root), files = {}, globs = {},
    looks = {}, load = {}, edited = {}, trees = {} }, Watched)
end

local function full(self, path)
  return fs.at(self.root, path)
end

-- What a file holds now: digest and mode bit, or false. Of a link what it leads to counts.
local function now(self, path)
  local digest, fact = self.index:digest(full(self, path))
  if not digest then return false end
  return digest .. (fact.mode and fact.mode & 64 ~= 0 and "x" or "")
end

---------------------------------------------------------------------------
-- what the load of the workflow rested on

local function text_of(self, path)
  return hash.file(full(self, path)) or false
end

local function names_in(self, g)
  local found = fs.glob(g.patterns, { root = full(self, g.root or "."), ignore = g.ignore,
    hidden = g.hidden })
  return found and hash.sha256(table.concat(found, "\0")) or false
end

local function list_in(self, dir)
  local names = fs.list(full(self, dir))
  return names and hash.sha256(table.concat(names, "\0")) or false
end

local function look(self, path, ask, arg)
  self.load[path] = { ask = ask, arg = arg or path, was = ask(self, arg or path) }
end

local function note_dirs(self, base, dirs)
  for _, dir in ipairs(dirs or {}) do
    self.trees[dir:sub(1, 1) == "/" and dir or fs.normal(full(self, base) .. "/" .. dir)] = true
  end
end

--- A run begins: what was noted of the one before is forgotten.
---@param wf orrery.Workflow
---@param dotenv string[] its files
function Watched:begin(wf, dotenv)
  self.files, self.globs, self.looks, self.load, self.edited, self.trees = {}, {}, {}, {}, {}, {}
  local reads = wf.reads
  for path, digest in pairs(reads.files) do
    self.load[path] = { ask = text_of, arg = path, was = digest }
  end
  for path in pairs(reads.absent) do
    self.load[path] = { ask = text_of, arg = path, was = false }
  end
  for dir, digest in pairs(reads.lists) do
    self.load[dir .. "/"] = { ask = list_in, arg = dir, was = digest }
  end
  for _, g in ipairs(reads.globs) do
    note_dirs(self, g.root or ".", g.dirs)
    self.load["glob " .. pack.encode({ g.patterns, g.root })] = { ask = names_in, arg = g,
      was = g.digest }
  end
  for _, path in ipairs(dotenv) do
    if not self.load[path] then look(self, path, text_of) end
  end
end

--- The workflow could not be loaded: whatever may be part of it is looked at.
---@param paths string[] what is known of it
function Watched:broken(paths)
  self.files, self.globs, self.looks, self.edited = {}, {}, {}, {}
  self.load = {}
  for _, path in ipairs(paths) do
    if path:sub(1, #self.root + 1) == self.root .. "/" then path = path:sub(#self.root + 2) end
    look(self, path, text_of)
  end
  local patterns = { "workflows/**", "lua/**", "*.lua", "*.yaml", "*.yml" }
  local found, facts = fs.glob(patterns, { root = self.root })
  note_dirs(self, ".", facts.dirs)
  for _, path in ipairs(found or {}) do look(self, path, text_of) end
  look(self, "glob workflow files", names_in, { patterns = patterns })
end

---------------------------------------------------------------------------
-- what its steps looked at

local function note_file(self, path, id, was)
  local f = self.files[path]
  if not f then
    f = { was = was, steps = {} }
    self.files[path] = f
  end
  f.steps[id] = true
end

-- Sources, and what the step itself edits.
local function is_source(self, run, step, path)
  local owner = inputs.owner(run, path)
  if owner == step.id then self.edited[path] = true end
  return not owner or owner == step.id
end

--- A glob of a step was expanded: files that belong to no step, and the directories.
---@param run orrery.Run
---@param step orrery.Step
---@param patterns string[]
---@param found string[] what is on disk
---@param dirs string[]
function Watched:glob(run, step, patterns, found, dirs)
  note_dirs(self, ".", dirs)
  local function sources(list)
    local out = {}
    for _, p in ipairs(list) do
      if not inputs.owner(run, p) then out[#out + 1] = p end
    end
    return table.concat(out, "\n")
  end
  self.globs[#self.globs + 1] = { id = run.prefix .. step.id, patterns = patterns,
    was = sources(found), sources = sources }
end

--- Files a step read beyond what it declares.
function Watched:found(run, step, set)
  local id = run.prefix .. step.id
  for _, path in ipairs(set.files or {}) do
    if is_source(self, run, step, path) then note_file(self, path, id, now(self, path)) end
  end
  if set.looks and #set.looks > 0 then
    local facts = function()
      return pack.digest(recorded.facts({ root = self.root }, step, { looks = set.looks }).looks)
    end
    self.looks[#self.looks + 1] = { id = id, ask = facts, was = facts() }
    for _, l in ipairs(set.looks) do
      local dir = l.kind == "stat" and (l.path:match("^(.*)/") or ".") or l.path
      self.trees[fs.normal(full(self, dir))] = true
    end
  end
end

--- A step's key is made: its inputs, as they were seen.
---@param run orrery.Run
---@param step orrery.Step
---@param job table
function Watched:step(run, step, job)
  local id = run.prefix .. step.id
  for _, f in ipairs(job.manifest.inputs or {}) do
    if is_source(self, run, step, f[1]) then
      note_file(self, f[1], id, f[2] and f[2] .. (f[3] and "x" or "") or false)
    end
  end
  if require("orrery.run.keys.job").dynamic(step) then
    for _, set in ipairs(memo.sets(run, job.base)) do self:found(run, step, set) end
  end
end

--- The run is over: what its steps edit is taken as it is now.
function Watched:settle()
  for path in pairs(self.edited) do
    if self.files[path] then self.files[path].was = now(self, path) end
  end
end

---------------------------------------------------------------------------
-- is it so still?

--- What is different from what was seen.
---@return { path: string, reload?: boolean, steps: table<string, true> }[] sorted by path
function Watched:changes()
  local out = {}
  for _, l in sorted.pairs(self.load) do
    if l.ask(self, l.arg) ~= l.was then
      out[#out + 1] = { path = type(l.arg) == "string" and l.arg or "the files of a glob",
        reload = true, steps = {} }
    end
  end
  for path, f in sorted.pairs(self.files) do
    if now(self, path) ~= f.was then out[#out + 1] = { path = path, steps = f.steps } end
  end
  for _, g in ipairs(self.globs) do
    local found, facts = fs.glob(g.patterns, { root = self.root })
    note_dirs(self, ".", found and facts.dirs)
    local list = found and g.sources(found) or ""
    if list ~= g.was then
      out[#out + 1] = { path = table.concat(g.patterns, " "), steps = { [g.id] = true } }
    end
  end
  for _, l in ipairs(self.looks) do
    if l.ask() ~= l.was then out[#out + 1] = { path = l.id, steps = { [l.id] = true } } end
  end
  return out
end

--- Does anything but the load of the workflow count?
---@return boolean
function Watched:has_inputs()
  return next(self.files) ~= nil or #self.globs > 0 or #self.looks > 0
end

-- The nearest directory that is there.
local function existing(dir)
  while dir ~= "" and dir ~= "/" do
    local st = fs.stat(dir)
    if st and st.type == "dir" then return dir, st end
    dir = dir:match("^(.*)/[^/]*$") or ""
  end
  return "/", fs.stat("/")
end

--- The directories whose changes can make a difference.
---@return table<string, integer> dirs path → inode
---@return integer files how many are looked at
function Watched:dirs()
  local dirs, files = {}, 0
  local function add(dir)
    local found, st = existing(dir)
    dirs[found] = st and st.ino or 0
  end
  for _, list in ipairs({ self.files, self.load }) do
    for path, l in pairs(list) do
      if l.ask ~= names_in then
        files = files + 1
        add(l.ask == list_in and full(self, l.arg) or full(self, path):match("^(.*)/"))
      end
    end
  end
  for dir in pairs(self.trees) do add(dir) end
  return dirs, files
end

--- Lets go of what it holds.
function Watched:close() self.index:close() end

return watched
