-- A checkout on disk with its cache, and the real binary run in it.
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local proc = require("orrery.proc")
local text = require("tests.property.text")

local world = {}
local World = {}
World.__index = World

local TIMEOUT = 20

--- Writes a file in place, making its parents.
function world.spit(path, bytes)
  local f = io.open(path, "wb")
  if not f then
    fs.mkdir(path:match("^(.*)/"))
    f = assert(io.open(path, "wb"))
  end
  f:write(bytes)
  f:close()
end

-- A file as the model has it: { text, exec } or { link }; nil for anything else.
local function file_at(path)
  local st = fs.lstat(path)
  if not st then return nil end
  if st.type == "link" then return { link = fs.readlink(path) } end
  if st.type ~= "file" then return nil end
  return { text = fs.read(path), exec = st.mode & 73 ~= 0 or nil }
end

world.file_at = file_at

local function walk(dir, prefix, out)
  for _, name in ipairs(fs.list(dir) or {}) do
    local path = dir .. "/" .. name
    local st = fs.lstat(path)
    if st and st.type == "dir" then
      walk(path, prefix .. name .. "/", out)
    else
      out[prefix .. name] = file_at(path)
    end
  end
  return out
end

world.walk = walk

--- A fresh checkout of a graph. `tools` is the directory of mix, `orrery` the binary.
---@param g table
---@param place { base: string, orrery: string, tools: string }
---@param name? string of its folder, with a slash
function world.new(g, place, name)
  local self = setmetatable({ g = g, place = place, dir = place.base .. (name or "/w"), env = {}, params = {},
    cache = place.base .. "/cache", seen = {}, runs = {}, by_hand = {} }, World)
  for path, f in pairs(g.sources) do
    local full = self.dir .. "/" .. path
    if f.link then
      fs.mkdir(full:match("^(.*)/"))
      fs.symlink(f.link, full)
    else
      world.spit(full, f.text)
      if f.exec then fs.chmod(full, 493) end
    end
  end
  fs.mkdir(self.dir .. "/src/sub")
  fs.mkdir(self.dir .. "/bin")
  self:write_workflow()
  return self
end

--- Writes the workflow files of the graph as it is now, where they differ.
function World:write_workflow()
  for path, bytes in pairs(text.files(self.g)) do
    local full = self.dir .. "/" .. path
    if fs.read(full) ~= bytes then world.spit(full, bytes) end
  end
end

--- The cache has lost something: what is in place stays right, but may have to be made again.
function World:forget()
  self.seen, self.pruned = {}, true
end

--- The sources as they are now.
function World:sources()
  local out = walk(self.dir .. "/bin", "bin/", walk(self.dir .. "/src", "src/", {}))
  out[".env"] = file_at(self.dir .. "/.env")
  return out
end

--- The final params of a run.
function World:values()
  local g = self.g.params
  return { p = self.params.p or g.p, q = self.params.q or g.q }
end

function World:environment(more)
  local env = { PATH = ("%s/bin:%s:/usr/bin:/bin"):format(self.dir, self.place.tools), ORRERY_CACHE_DIR = self.cache,
    ORRERY_LUA_DIR = false, ORRERY_NO_PLAN = false, V1 = self.env.V1 or false,
    V2 = self.env.V2 or false, V3 = self.env.V3 or false, MIX_DO = false, ORRERY_STEP = false }
  for k, v in pairs(more or {}) do env[k] = v end
  return env
end

--- The words of a command line of orrery in this world.
function World:words(words)
  local out = { self.place.orrery }
  for _, w in ipairs(words) do out[#out + 1] = w end
  for _, name in ipairs({ "p", "q" }) do
    if self.params[name] then
      out[#out + 1] = "-p"
      out[#out + 1] = name .. "=" .. self.params[name]
    end
  end
  return out
end

--- Runs a command to its end.
---@param argv string[]
---@param env? table more environment
---@return orrery.Exit
function World:exec(argv, env)
  local r = proc.run(argv, { cwd = self.dir, env = self:environment(env), timeout = TIMEOUT })
  if r.timed_out then error("did not end: " .. proc.line(argv), 0) end
  return r
end

local function events_of(path)
  local out = {}
  for line in (fs.read(path) or ""):gmatch("([^\n]*)\n") do
    local ev, why = json.decode(line)
    if type(ev) ~= "table" then error(("journal %s: %s in %s"):format(path, tostring(why), line), 0) end
    out[#out + 1] = ev
  end
  return out
end

--- The journals of runs that were not there when this was asked before.
---@return table[][] events of each
function World:new_journals()
  local out = {}
  local dir = self.dir .. "/.orrery/runs"
  for _, id in ipairs(fs.list(dir) or {}) do
    if not self.runs[id] and fs.stat(dir .. "/" .. id .. "/journal.jsonl") then
      self.runs[id] = true
      out[#out + 1] = events_of(dir .. "/" .. id .. "/journal.jsonl")
    end
  end
  return out
end

--- The processes that still work in this world.
---@return string[]
function World:processes()
  local out = {}
  for _, pid in ipairs(fs.list("/proc") or {}) do
    local cwd = pid:match("^%d+$") and fs.readlink("/proc/" .. pid .. "/cwd")
    if cwd and (cwd == self.dir or cwd:sub(1, #self.dir + 1) == self.dir .. "/") then
      out[#out + 1] = ("%s %s"):format(pid, (fs.read("/proc/" .. pid .. "/cmdline", 400) or "")
        :gsub("\0", " "))
    end
  end
  return out
end

return world
