-- Orrery's own modules as a function on a worker sees them: copies whose functions note
-- what they read or use. Modules that only compute are given as they are.
local views = require("orrery.kernel.views")

local guards = {}

local function first_path(kind)
  return function(rec, path) rec.now:look(kind, path) end
end

-- What each function of orrery.fs and orrery.core.fs means, and how many of its arguments
-- are paths.
local fs = {
  read = { function(rec, path) rec.now:file(path) end, 1 },
  exists = { first_path("stat"), 1 },
  stat = { first_path("stat"), 1 },
  lstat = { first_path("stat"), 1 },
  readlink = { first_path("stat"), 1 },
  realpath = { first_path("stat"), 1 },
  list = { first_path("list"), 1 },
  copy = { function(rec, path)
    rec.now:file(path)
    rec.now:impure("write", "fs.copy")
  end, 2 },
}
for name, paths in pairs { write_atomic = 1, write = 1, append = 1, mkdir = 1, remove = 1,
  remove_tree = 1, rename = 2, chmod = 1, safe_parent = 1 } do
  fs[name] = { function(rec) rec.now:impure("write", "fs." .. name) end, paths }
end

local function guarded(rec, real, how)
  local note, paths = how[1], how[2]
  return function(a, b, ...)
    if type(a) == "string" then
      note(rec, a)
      a = rec.now:at(a)
    end
    if paths == 2 and type(b) == "string" then b = rec.now:at(b) end
    return real(a, b, ...)
  end
end

local function glob(rec, real)
  return function(patterns, opts)
    local seen = {}
    for k, v in pairs(opts or {}) do seen[k] = v end
    local list = type(patterns) == "table" and patterns or { patterns }
    rec.now:look("glob", seen.root or ".",
      { patterns = list, ignore = seen.ignore, hidden = seen.hidden })
    seen.root = rec.now:at(seen.root or ".")
    return real(patterns, seen)
  end
end

-- The target of a symlink is text, only its place is a path.
local function symlink(rec, real)
  return function(target, path)
    rec.now:impure("write", "fs.symlink")
    return real(target, type(path) == "string" and rec.now:at(path) or path)
  end
end

local function files(rec, real)
  local out = {}
  for name, fn in pairs(real) do
    out[name] = fs[name] and guarded(rec, fn, fs[name]) or fn
  end
  if real.glob then out.glob = glob(rec, real.glob) end
  if real.symlink then out.symlink = symlink(rec, real.symlink) end
  return out
end

-- Modules all or some of whose functions make a result no function of its inputs.
local all = setmetatable({}, { __index = function() return true end })
local impure = {
  ["orrery.core.sys"] = { clock = { mono = true, wall = true, usage = true },
    random = { random = true }, process = { pid = true, cwd = true, environ = true } },
  ["orrery.time"] = { clock = all },
  ["orrery.proc"] = { process = all },
  ["orrery.http"] = { http = all },
  ["orrery.git"] = { git = all },
  ["orrery.core.git"] = { git = all },
  ["orrery.cache"] = { cache = all },
  ["orrery.core.store"] = { cache = all },
}

local function noted(rec, real, module)
  local out = {}
  for name, fn in pairs(real) do
    out[name] = fn
    for kind, names in pairs(impure[module]) do
      if names[name] and type(fn) == "function" then
        local what = module:gsub("^orrery%.", "") .. "." .. name
        out[name] = function(...)
          rec.now:impure(kind, what)
          return fn(...)
        end
      end
    end
  end
  return out
end

-- Hashing a file reads it.
local function hash(rec, real)
  local out = {}
  for name, fn in pairs(real) do out[name] = fn end
  function out.file(path)
    rec.now:file(path)
    return real.file(rec.now:at(path))
  end
  if real.files then
    function out.files(paths, threads)
      local at = {}
      for i, path in ipairs(paths) do
        rec.now:file(path)
        at[i] = rec.now:at(path)
      end
      return real.files(at, threads)
    end
  end
  return out
end

-- A schema's own file and those it refers to count as read.
local function schema(rec, real)
  local out = {}
  function out.get(given, opts)
    local seen = {}
    for k, v in pairs(opts or {}) do seen[k] = v end
    local root = seen.root or "."
    seen.root = rec.now:at(root)
    local validator = real.get(given, seen)
    for path in pairs(validator.files) do
      rec.now:file(require("orrery.core.fs").at(root, path))
    end
    return validator
  end
  function out.validate(value, given, opts) return out.get(given, opts):validate(value) end
  return out
end

-- ctx.params and the like become JSON as what they stand for.
local function json(_, real)
  local out = {}
  for name, fn in pairs(real) do out[name] = fn end
  function out.encode(value, opts) return real.encode(views.plain(value), opts) end
  return out
end

local special = { ["orrery.schema"] = schema, ["orrery.json"] = json,
  ["orrery.fs"] = files, ["orrery.core.fs"] = files,
  ["orrery.hash"] = hash, ["orrery.core.hash"] = hash }

--- One of Orrery's modules, as a job may see it.
---@param rec table the recorder
---@param name string
---@return any
function guards.require(rec, name)
  local real = require(name)
  if type(real) ~= "table" then return real end
  if special[name] then return special[name](rec, real) end
  if impure[name] then return noted(rec, real, name) end
  return real
end

return guards
