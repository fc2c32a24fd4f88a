-- The world of a function on a worker. Each job gets a fresh environment; what it prints
-- is its log, and whatever else its result could depend on is noted beside the result:
-- files, variables, modules, and uses of the clock, of randomness, of processes.
--
-- host/worker.c calls begin before a job and finish after it. Libraries are copied into an
-- environment when they are first named, so that a small job costs little.
local libs = require("orrery.kernel.recorder.libs")
local modules = require("orrery.kernel.recorder.modules")
local notes = require("orrery.kernel.recorder.notes")
local sorted = require("orrery.kernel.sorted")

local recorder = {}
local Recorder = {}
Recorder.__index = Recorder

local plain = { "string", "table", "utf8", "coroutine" }

local function shallow(t)
  local out = {}
  for k, v in pairs(t) do out[k] = v end
  return out
end

--- A command line that runs in the job's directory.
---@param cmd string
---@return string
function Recorder:in_directory(cmd)
  local cwd = self.place.cwd
  if not cwd or type(cmd) ~= "string" then return cmd end
  return ("cd '%s' || exit; %s"):format(cwd:gsub("'", "'\\''"), cmd)
end

-- load, loadfile, dofile: text only, into the environment that asks.
local function loaders(rec, make)
  function make.load(env)
    return function(chunk, name, _, e)
      return load(chunk, name, "t", e == nil and env or e)
    end
  end
  function make.loadfile(env)
    return function(path, _, e)
      rec.now:file(path)
      return loadfile(rec.now:at(path), "t", e == nil and env or e)
    end
  end
  function make.dofile(env)
    return function(path)
      rec.now:file(path)
      local chunk, why = loadfile(rec.now:at(path), "t", env)
      if not chunk then error(why, 2) end
      return chunk()
    end
  end
end

-- name → function(env): the value of a global in that environment.
local function makers(rec)
  local make = {}
  for name, value in pairs(_G) do
    if type(value) ~= "table" then make[name] = function() return value end end
  end
  for _, name in ipairs(plain) do make[name] = function() return shallow(_G[name]) end end
  for _, name in ipairs { "io", "os", "math", "debug" } do
    local template = libs[name](rec)
    make[name] = function() return shallow(template) end
  end
  -- In the order of the keys: a result must not depend on where a table lies.
  function make.pairs() return sorted.loose_pairs end
  local print = libs.print(rec)
  function make.print() return print end
  function make.warn()
    return function(...) rec.now:print("warning: " .. table.concat({ ... }) .. "\n") end
  end
  function make._G(env) return env end
  function make.require(env)
    return function(name) return modules.require(rec, env, name) end
  end
  function make.package()
    return { path = rec.path, cpath = package.cpath, config = package.config, loaded = {},
      preload = {}, searchpath = package.searchpath }
  end
  loaders(rec, make)
  return make
end

--- A fresh environment.
---@return table
function Recorder:environment() return setmetatable({}, self.meta) end

--- What the submitter says: where the root is, where modules are.
---@param config orrery.WorkerConfig
function Recorder:configure(config)
  local place = self.place
  if place.root ~= config.root or place.cwd ~= config.cwd or self.path ~= config.path then
    self.modules = {}
  end
  place.root, place.cwd = config.root, config.cwd
  self.path = config.path or package.path
  self.digests = config.modules or {}
  modules.expire(self)
end

--- A job begins.
---@return table env
function Recorder:begin()
  self.now = notes.new(self.place)
  self.checked, self.loading = {}, {}
  self.input, self.output = nil, nil
  return self:environment()
end

--- A job ended: what it did, or nil for nothing.
---@return orrery.WorkerFacts?
function Recorder:finish()
  if self.now:empty() then return nil end
  return self.now:facts()
end

--- A recorder for this state, whose real libraries it changes where even Orrery's modules
--- must not reach them: print, os.exit.
---@return { begin: function, finish: function, configure: function }
function recorder.new()
  local place = {}
  local rec = setmetatable({ place = place, modules = {}, ours = {}, checked = {}, digests = {},
    loading = {}, path = package.path }, Recorder)
  rec.now = notes.new(place)
  libs.log_files(rec)
  local make = makers(rec)
  rec.meta = {
    __metatable = false,
    __index = function(env, name)
      local maker = make[name]
      if not maker then return nil end
      local value = maker(env)
      rawset(env, name, value)
      return value
    end,
  }
  getmetatable("").__metatable = false
  print = make.print() -- luacheck: ignore 121
  os.exit = nil -- luacheck: ignore 122
  return {
    begin = function() return rec:begin() end,
    finish = function() return rec:finish() end,
    configure = function(config) rec:configure(config) end,
  }
end

return recorder
