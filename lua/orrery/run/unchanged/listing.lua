-- The workflows of a root, without loading those of which it is known what they are for: as
-- long as all that a load had read is as it was, so is what it said.
local clean = require("orrery.run.unchanged.clean")
local fs = require("orrery.core.fs")
local index = require("orrery.core.index")
local load = require("orrery.model.load")
local pack = require("orrery.core.pack")
local sys = require("orrery.core.sys")

local listing = {}

local function is_empty(t) return t == nil or next(t) == nil end

-- Facts that are looked at again in no time: files, absences, stats, the environment.
local function facts_of(reads)
  if not (is_empty(reads.globs) and is_empty(reads.lists)) then return nil end
  return { files = reads.files, absent = reads.absent, env = reads.env, stats = reads.stats }
end

local function as_it_was(ix, root, facts)
  for path, digest in pairs(facts.files) do
    if ix:digest(fs.at(root, path)) ~= digest then return false end
  end
  for path in pairs(facts.absent) do
    if fs.stat(fs.at(root, path)) then return false end
  end
  for path, want in pairs(facts.stats) do
    if not clean.stats_as(fs.at(root, path), want) then return false end
  end
  for name, value in pairs(facts.env) do
    if (os.getenv(name) or false) ~= value then return false end
  end
  return true
end

-- Which program says so: another build may read a file otherwise.
local function build_id()
  local exe = fs.stat("/proc/self/exe")
  return exe and pack.digest({ sys.version, exe.dev, exe.ino, exe.size, exe.mtime })
end

local function recall(ix, root, key)
  local bytes = ix:get(key)
  local known = bytes and pack.decode(bytes)
  return type(known) == "table" and as_it_was(ix, root, known.facts) and known or nil
end

local function note(ix, key, entry)
  local facts = entry.workflow and facts_of(entry.workflow.reads)
  if facts then ix:put(key, pack.encode({ doc = entry.doc, facts = facts })) end
end

--- As model.load.list, but an entry has its workflow only when it had to be loaded. What was
--- learned is kept in .orrery/listing, where there is an .orrery; losing it costs time.
---@param root string
---@param config orrery.Config
---@return { name: string, path: string, doc?: string, error?: string }[]
function listing.of(root, config)
  local dir, id = root .. "/.orrery", build_id()
  local from_source = (os.getenv("ORRERY_LUA_DIR") or "") ~= ""
  local ix <close> = id and not from_source and fs.stat(dir) and index.open(dir .. "/listing")
    or nil
  if not ix then return load.list(root, config) end
  local out = {}
  for _, file in ipairs(load.files(root)) do
    local key = id .. "\0" .. file.path
    local known = recall(ix, root, key)
    if known then
      out[#out + 1] = { name = file.name, path = file.path, doc = known.doc }
    else
      local entry = load.listed(file, root, config)
      out[#out + 1] = entry
      if entry then note(ix, key, entry) end
    end
  end
  ix:flush()
  return out
end

return listing
