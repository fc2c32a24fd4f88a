-- require on a worker. Modules stay loaded from job to job, each with the notes of what
-- its loading read; a job that requires one gets these notes as its own. A module is
-- loaded anew when a file it was made from changed, or the digest the submitter knows.
local guards = require("orrery.kernel.recorder.guards")
local notes = require("orrery.kernel.recorder.notes")

local modules = {}

local standard = {}
for name in ("string table math io os utf8 coroutine debug package"):gmatch("%a+") do
  standard[name] = true
end

local function is_ours(name) return name == "orrery" or name:sub(1, 7) == "orrery." end

-- What tells one state of a file from another; false when it is not there.
local function signature(path)
  local st = require("orrery.core.fs").stat(path)
  return st and ("%d:%d:%.9f"):format(st.ino, st.size, st.mtime) or false
end

local function is_fresh(entry)
  for path, was in pairs(entry.files) do
    if signature(path) ~= was then return false end
  end
  return true
end

-- Templates are relative to the root, not to the directory of a job.
local function at_root(rec, path)
  local root = rec.place.root
  return root and path:sub(1, 1) ~= "/" and root .. "/" .. path or path
end

-- Reads a module's source, noting also the places where it is not.
local function find(rec, name, entry)
  local tried = {}
  local rel = name:gsub("%.", "/")
  for template in rec.path:gmatch("[^;]+") do
    local path = template:gsub("%?", (rel:gsub("%%", "%%%%")))
    local full = at_root(rec, path)
    rec.now:file(full)
    entry.files[full] = signature(full)
    local file = io.open(full, "rb")
    if file then
      local text = file:read("a")
      file:close()
      if text then return text, path end
    end
    tried[#tried + 1] = "\n\tno file '" .. path .. "'"
  end
  return nil, table.concat(tried)
end

-- A module in C, found by the real require; its file counts as read.
local function native(rec, name, tried)
  if package.preload[name] then return require(name), ":preload:" end
  local path = package.searchpath(name, package.cpath)
  if not path then error(("module '%s' not found:%s"):format(name, tried), 0) end
  rec.now:file(path)
  return require(name), path
end

local function load_module(rec, name, entry)
  local text, path = find(rec, name, entry)
  if not text then return native(rec, name, path) end
  local chunk, why = load(text, "@" .. path, "t", rec:environment())
  if not chunk then
    error(("error loading module '%s' from file '%s':\n\t%s"):format(name, path, why), 0)
  end
  local value = chunk(name, path)
  if value == nil then value = true end
  return value, path
end

-- What a module was made from holds for whatever required it.
local function inherit(rec, entry)
  for i = 1, #rec.loading do
    local files = rec.loading[i].files
    for path, was in pairs(entry.files) do files[path] = was end
  end
end

local function load_anew(rec, name)
  for _, entry in ipairs(rec.loading) do
    if entry.name == name then error(("module '%s' requires itself"):format(name), 0) end
  end
  local outer = rec.now
  local entry = { name = name, files = {}, notes = notes.new(rec.place),
    digest = rec.digests[name] }
  local depth = #rec.loading + 1
  rec.now, rec.loading[depth] = entry.notes, entry
  local ok, value, path = pcall(load_module, rec, name, entry)
  rec.now, rec.loading[depth] = outer, nil
  outer:join(entry.notes)
  if entry.notes.logged > 0 then outer:print(table.concat(entry.notes.log)) end
  if not ok then error(value, 0) end
  entry.value, entry.path = value, path
  inherit(rec, entry)
  return entry
end

--- Forgets the modules whose digest is no longer the one known.
---@param rec table
function modules.expire(rec)
  for name, entry in pairs(rec.modules) do
    if entry.digest ~= rec.digests[name] then rec.modules[name] = nil end
  end
end

-- Checked once a job; afterwards the job keeps what it has.
local function loaded(rec, name)
  local entry = rec.modules[name]
  if not entry then return nil end
  if not rec.checked[name] and not is_fresh(entry) then
    rec.modules[name] = nil
    return nil
  end
  rec.checked[name] = true
  rec.now:join(entry.notes)
  inherit(rec, entry)
  return entry
end

--- The module's value, and where it was found.
---@param rec table
---@param env table the environment asking
---@param name string
function modules.require(rec, env, name)
  if type(name) ~= "string" then error("require needs a name", 3) end
  if name == "_G" then return env end
  if standard[name] then return env[name] end
  if is_ours(name) then
    local value = rec.ours[name]
    if value == nil then
      value = guards.require(rec, name)
      rec.ours[name] = value
    end
    return value, "orrery:" .. name
  end
  local entry = loaded(rec, name)
  if not entry then
    entry = load_anew(rec, name)
    rec.modules[name], rec.checked[name] = entry, true
  end
  return entry.value, entry.path
end

return modules
