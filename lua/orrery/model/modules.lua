-- require inside a workflow file: Orrery's own modules, as far as they fit there, and the
-- user's, found in lua/, workflows/ and the path of orrery.lua, evaluated in the same box.
local build = require("orrery.model.build")
local hash = require("orrery.core.hash")
local lazy = require("orrery.kernel.lazy")
local nearest = lazy("orrery.kernel.nearest")
local reading = require("orrery.model.reading")

local modules = {}

-- always: functions of their arguments. body: also for bodies, not while a file loads.
local public = {
  json = "always", yaml = "always", schema = "always", time = "always", hash = "always",
  regex = "always", git = "body", cache = "body", registry = "body", log = "body",
  proc = "body", pool = "body", http = "body",
}

local public_names = { "orrery", "orrery.fs" }
for name in pairs(public) do public_names[#public_names + 1] = "orrery." .. name end
table.sort(public_names)

-- A copy whose functions refuse to run while a file loads: the plan would depend on them.
local function guarded(box, name, real)
  local copy = {}
  for k, v in pairs(real) do
    copy[k] = type(v) ~= "function" and v or function(...)
      if box.loading then
        error(("%s.%s is not there while a workflow loads; use it in a body, or in the "
          .. "function of a step"):format(name:gsub("^orrery%.", ""), k), 2)
      end
      return v(...)
    end
  end
  return copy
end

local function shallow(t)
  local out = {}
  for k, v in pairs(t) do out[k] = v end
  return out
end

-- What looks at the clock or at files nobody records is not for a file that loads.
local withheld = { time = { now = true, mono = true }, hash = { file = true, files = true },
  schema = { get = true } }

-- Schema files are named from the root, wherever the user stands.
local function rooted(box, copy)
  local get = copy.get
  function copy.get(given, opts)
    local seen = shallow(opts or {})
    seen.root = seen.root or box.root
    return get(given, seen)
  end
  function copy.validate(value, given, opts) return copy.get(given, opts):validate(value) end
  return copy
end

local function pure(box, name, real)
  local short = name:gsub("^orrery%.", "")
  local copy = shallow(real)
  for k in pairs(withheld[short] or {}) do
    copy[k] = function(...)
      if box.loading then
        error(("%s.%s is not there while a workflow loads: the loaded plan is remembered")
          :format(short, k), 2)
      end
      return real[k](...)
    end
  end
  if short == "schema" then return rooted(box, copy) end
  if (short == "json" or short == "yaml") and real.read then
    copy.read = function(path)
      local text, why = reading.file(box, path)
      if not text then error(why.message, 2) end
      return real.decode(text, { name = path })
    end
  end
  return copy
end

local function constructors(box)
  local o = build.new()
  for _, name in ipairs { "load", "plan", "run", "open_run", "simulate" } do
    o[name] = function()
      error(("o.%s is for scripts and the REPL; a workflow file only describes"):format(name), 2)
    end
  end
  box.constructors = o
  return o
end

local function ours(box, name)
  if name == "orrery" then return constructors(box) end
  if name == "orrery.fs" then return reading.fs(box) end
  local how = public[name:match("^orrery%.([%w_]+)$") or ""]
  if not how then
    local hint = nearest.hint(name, public_names)
    return nil, ("there is no module '%s'%s"):format(name, hint and "; " .. hint or "")
  end
  local there, real = pcall(require, name)
  if not there then return nil, ("module '%s' cannot be loaded: %s"):format(name, real) end
  return how == "always" and pure(box, name, real) or guarded(box, name, real)
end

--- The places where a module would be, in order, relative to the root.
---@param box orrery.Box
---@param name string
---@return string[]
function modules.candidates(box, name)
  local file, out = name:gsub("%.", "/"), {}
  for _, dir in ipairs(box.path) do
    local prefix = dir == "." and "" or dir .. "/"
    out[#out + 1] = prefix .. file .. ".lua"
    out[#out + 1] = prefix .. file .. "/init.lua"
  end
  return out
end

--- Finds a module of the user without evaluating it.
---@param box orrery.Box
---@param name string
---@return string? path, string? text
function modules.find(box, name)
  if name:find("[^%w_%.%-]") or name:find("..", 1, true) then return nil end
  for _, path in ipairs(modules.candidates(box, name)) do
    local text = reading.file(box, path, box.max_file)
    if text then return path, text end
  end
end

local function not_found(box, name)
  local standard = rawget(box.env, name)
  if type(standard) == "table" then return standard end
  local hint = nearest.hint(name, public_names)
  return nil, ("module '%s' not found; looked for %s%s"):format(name,
    table.concat(modules.candidates(box, name), ", "), hint and "; " .. hint or "")
end

-- Evaluates a module of the user once. Its digest covers what it requires in turn.
local function evaluate(box, name, path, text)
  box.reads.modules[name] = hash.sha256(text)
  local outer = box.parts
  box.parts, box.requiring[name] = { box.reads.modules[name] }, true
  local value = box:evaluate(text, path, name, path)
  box.digests[name] = hash.sha256(table.concat(box.parts, " "))
  box.parts, box.requiring[name] = outer, nil
  return value == nil and true or value
end

local function theirs(box, name)
  local path, text = modules.find(box, name)
  if not path then return not_found(box, name) end
  return evaluate(box, name, path, text)
end

--- The value of a file of the user that is no module, evaluated once, and the digest of it and
--- of what it requires; nil when there is none.
---@param box orrery.Box
---@param path string relative to the root
---@return any value
---@return string? digest
function modules.file(box, path)
  if box.loaded[path] == nil then
    local text = reading.file(box, path, box.max_file)
    if not text then return nil end
    box.loaded[path] = evaluate(box, path, path, text)
  end
  return box.loaded[path], box.digests[path]
end

-- Notes for the module that is being evaluated that it requires this one.
local function note(box, name)
  if box.parts and box.digests[name] then box.parts[#box.parts + 1] = box.digests[name] end
end

--- The module's value. Raises at `level` (as for error) when there is none.
---@param box orrery.Box
---@param name string
---@param level? integer
---@return any
function modules.require(box, name, level)
  level = (level or 1) + 1
  if type(name) ~= "string" then error("require needs a name", level) end
  local known = box.loaded[name]
  if known ~= nil then
    note(box, name)
    return known
  end
  if box.requiring[name] then error(("module '%s' requires itself"):format(name), level) end
  local value, why
  if name == "orrery" or name:sub(1, 7) == "orrery." then
    value, why = ours(box, name)
  elseif name == "cjson" then
    value = shallow(require("cjson"))
  else
    value, why = theirs(box, name)
  end
  if value == nil then error(why, level) end
  box.loaded[name] = value
  note(box, name)
  return value
end

return modules
