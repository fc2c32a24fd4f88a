-- orrery artifact import: takes a registry that another tool or `artifact export` wrote into a
-- run. All of it is read and looked at first: what is wrong changes nothing.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local registry = require("orrery.core.registry")
local runs = require("orrery.run.records.runs")

local import = {}

local function read(path)
  local st = fs.stat(path)
  if st and st.type == "dir" then path = path .. "/registry.json" end
  st = fs.stat(path)
  if not st then errors.raise("usage", ("there is no file '%s'"):format(path), { exit = 2 }) end
  local from = registry.new()
  local n, why = from:load(path)
  if not n then errors.raise("state", errors.text(why), { exit = 5 }) end
  return from, path
end

-- The file of an artifact: beside the registry, else in the root. What lies elsewhere is not
-- looked for, wherever a registry points.
local function file_of(a, dir, root)
  local rel = a.path or a.name
  if not fs.inside(rel) then return nil end
  for _, base in ipairs({ dir, root }) do
    local path = base .. "/" .. rel
    local st = fs.lstat(path)
    if st and st.type == "file" then return path end
  end
end

-- Finds the bytes of an artifact; where they have to be copied to goes into `copies`.
local function settle(self, a)
  local path = file_of(a, self.dir, self.root)
  if not path then
    self.bare = self.bare + 1
    return
  end
  local digest = hash.file(path)
  if a.digest and #a.digest == 64 and a.digest ~= digest then
    errors.raise("state", ("%s: %s: its file %s is not what its digest says"):format(self.path,
      a.id, path), { exit = 5 })
  end
  a.digest = digest
  if path == self.root .. "/" .. (a.path or a.name) then return end
  a.path = (".orrery/runs/%s/artifacts/imported/%s/%s"):format(self.run, digest:sub(1, 16),
    a.path or a.name)
  self.copies[#self.copies + 1] = { from = path, to = self.root .. "/" .. a.path }
end

-- Is it there, under its id or, once it was imported, as a later version?
local function is_known(self, a)
  for _, one in ipairs(self.into:versions(a.name)) do
    if one.digest == a.digest and (a.digest or one.id == a.id) then return true end
  end
  return false
end

-- Adds one, as the next version of its name when its id means another one here.
local function add(self, a)
  if is_known(self, a) then
    self.known = self.known + 1
    return
  end
  if self.into:has(a.id) then a.id, a.version = nil, nil end
  local id, why = self.into:add(a)
  if not id then
    errors.raise("state", ("%s: %s"):format(self.path, errors.text(why)), { exit = 5 })
  end
  self.added[#self.added + 1] = id
end

local function copy(self)
  for _, one in ipairs(self.copies) do
    fs.mkdir(one.to:match("^(.*)/"))
    local ok, why = fs.copy(one.from, one.to)
    if not ok then errors.raise("state", errors.text(why), { exit = 5 }) end
  end
end

--- Takes the artifacts of a file into a run that has ended.
---@param root string
---@param run string its id
---@param path string a registry, or a folder with registry.json
---@return { run: string, added: string[], known: integer, bare: integer } known: were there;
---  bare: of those added, without a file
function import.into(root, run, path)
  local status = runs.summary(root, run).status
  if status == "running" or status == "pending" then
    errors.raise("state", ("run %s is still running"):format(run), { exit = 5 })
  end
  local from
  from, path = read(path)
  local file = ("%s/%s/registry.json"):format(runs.dir(root), run)
  local self = { root = root, run = run, path = path,
    dir = fs.realpath(path:match("^(.*)/[^/]*$") or "."),
    into = registry.new(), added = {}, copies = {}, known = 0, bare = 0 }
  if fs.stat(file) then
    local ok, why = self.into:load(file)
    if not ok then errors.raise("state", errors.text(why), { exit = 5 }) end
  end
  for i = 1, from:count() do
    local a, bare = from:at(i), self.bare
    settle(self, a)
    local before = #self.added
    add(self, a)
    if #self.added == before then self.bare = bare end
  end
  copy(self)
  if #self.added > 0 then
    local ok, why = self.into:save(file)
    if not ok then errors.raise("state", errors.text(why), { exit = 5 }) end
  end
  return { run = run, added = self.added, known = self.known, bare = self.bare }
end

return import
