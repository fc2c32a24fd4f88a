-- What a workflow file may read while it loads, each read recorded: fs, require's files,
-- os.getenv. The loaded plan can then be remembered until one of them changes.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local pack = require("orrery.core.pack")

local reading = {}

--- An empty record of reads.
---@return table
function reading.new()
  return { files = {}, absent = {}, env = {}, globs = {}, modules = {}, stats = {}, lists = {} }
end

local function digest_of(list)
  return hash.sha256(table.concat(list, "\0"))
end

-- A box may see files as an earlier commit had them: `box.past` says what has changed since
-- (changes.definitions). nil: as it is now; false: it was not there.
local function as_it_was(box, path)
  local text = box.past and box.past:file(path)
  if text ~= false then return text end
  return false, errors.new("ENOENT", ("open %s: no such file then"):format(path))
end

--- Reads a file for a load and records it, or its absence.
---@param box orrery.Box
---@param path string relative to the root
---@param limit? integer more bytes than this are refused
---@return string?, orrery.Err?
function reading.file(box, path, limit)
  local full = fs.at(box.root, path)
  local text, why = as_it_was(box, path)
  if text == nil then text, why = fs.read(full, limit and limit + 1) end
  if not text then
    if why.code == "ENOENT" or why.code == "ENOTDIR" then box.reads.absent[path] = true end
    return nil, why
  end
  if limit and #text > limit then
    return nil, errors.new("EFBIG", ("%s is larger than %d MiB"):format(path, limit >> 20))
  end
  box.reads.files[path] = hash.sha256(text)
  return text
end

local function check_path(name, path)
  if type(path) ~= "string" or path == "" or path:find("\0", 1, true) then
    error(("%s needs a path"):format(name), 3)
  end
end

local function glob(box)
  return function(patterns, opts)
    if type(patterns) ~= "string" and type(patterns) ~= "table" then
      error("fs.glob needs a pattern or a list of them", 2)
    end
    opts = opts or {}
    local found, facts = fs.glob(patterns, { root = fs.at(box.root, opts.root or "."),
      ignore = opts.ignore, hidden = opts.hidden })
    if not found then error(facts.message, 2) end
    if box.past then found = box.past:glob(patterns, found, opts.root) end
    local globs = box.reads.globs
    globs[#globs + 1] = { patterns = patterns, root = opts.root, ignore = opts.ignore,
      hidden = opts.hidden, dirs = facts.dirs, ignore_files = facts.ignore_files,
      digest = digest_of(found) }
    return found
  end
end

local function stat(box)
  return function(path)
    check_path("fs.stat", path)
    if box.past then box.past:look(path) end
    local st = fs.stat(fs.at(box.root, path))
    box.reads.stats[path] = st and ("%s %d %o"):format(st.type, st.size, st.mode) or false
    return st and { type = st.type, size = st.size, mode = st.mode } or nil
  end
end

--- The `fs` a workflow file gets from require("orrery.fs"): reading only, paths relative to
--- the root. What fails raises, with the place in the file.
---@param box orrery.Box
---@return table
function reading.fs(box)
  local view = { glob = glob(box), stat = stat(box), match = fs.match, normal = fs.normal,
    inside = fs.inside }
  function view.read(path)
    check_path("fs.read", path)
    local text, why = reading.file(box, path)
    if not text then error(why.message, 2) end
    return text
  end
  function view.exists(path)
    check_path("fs.exists", path)
    if box.past then box.past:look(path) end
    local there = fs.stat(fs.at(box.root, path)) ~= nil
    if not there then box.reads.absent[path] = true
    elseif not box.reads.files[path] and not box.reads.stats[path] then
      box.reads.stats[path] = "exists"
    end
    return there
  end
  function view.list(dir)
    check_path("fs.list", dir)
    if box.past then box.past:look(dir) end
    local names, why = fs.list(fs.at(box.root, dir))
    if not names then error(why.message, 2) end
    box.reads.lists[dir] = digest_of(names)
    return names
  end
  return setmetatable(view, { __index = function(_, k)
    error(("fs.%s is not there while a workflow loads or its body runs: it only reads (glob, "
      .. "read, exists, stat, list); write in a step"):format(tostring(k)), 2)
  end })
end

--- os.getenv, recorded.
---@param box orrery.Box
---@return fun(name: string): string?
function reading.getenv(box)
  return function(name)
    if type(name) ~= "string" then error("os.getenv needs a name", 2) end
    local v = os.getenv(name)
    box.reads.env[name] = v or false
    return v
  end
end

--- Joins two records of reads into the first.
---@param into table
---@param more table
function reading.join(into, more)
  for k, part in pairs(more) do
    if k == "globs" then
      table.move(part, 1, #part, #into.globs + 1, into.globs)
    else
      for name, v in pairs(part) do into[k][name] = v end
    end
  end
end

--- The record as one digest-able value; nil when something in it cannot be packed.
---@param reads table
---@return string?
function reading.digest(reads)
  return (pack.digest(reads))
end

return reading
