-- The files that changed: since a base, up to the files as they are now, or as a list says.
-- Paths are relative to the root; a file of the repository outside it begins with "../".
local core = require("orrery.core.git")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local gitbase = require("orrery.kernel.gitbase")

local changes = {}
local Changes = {}
Changes.__index = Changes

---@class orrery.Changes
---@field base? string         a ref; nil: a list, or everything is new
---@field merge_base? string   the commit changes are counted from
---@field why string           why this base
---@field files string[]       sorted
---@field status table<string, string>  path → letter: A M D T U, "?" untracked, "L" listed
---@field all? boolean         everything is new
---@field outside string[]     listed paths that are not below the root

local function add(self, path, status)
  if not self.status[path] then self.files[#self.files + 1] = path end
  self.status[path] = status
end

-- A submodule, or a repository in the repository, is told as one path: all in it may have
-- changed.
local function add_folder(self, path)
  path = path:gsub("/$", "")
  add(self, path, "M")
  for _, name in ipairs(fs.glob(path .. "/**", { root = self.root, ignore = false }) or {}) do
    add(self, name, "M")
  end
end

local function add_file(self, file, place)
  local path = place(file.path)
  if file.old_path then add(self, place(file.old_path), "D") end
  local st = (file.status == "M" or file.status == "?" or file.status == "A")
    and fs.lstat(self.root .. "/" .. path)
  if st and st.type == "dir" then
    add_folder(self, path)
  else
    add(self, path, file.status == "R" and "A" or file.status)
  end
end

-- From a path of the repository to one of the root, which lies 'prefix' below it.
local function placing(prefix)
  if prefix == "" then return function(path) return path end end
  return function(path)
    if path:sub(1, #prefix) == prefix then return path:sub(#prefix + 1) end
    local here, up = prefix, ""
    while here ~= "" and path:sub(1, #here) ~= here do
      here, up = here:match("^(.*/)[^/]+/$") or "", up .. "../"
    end
    return up .. path:sub(#here + 1)
  end
end

local function must(value, why)
  if value ~= nil then return value end
  errors.raise(why.code == "EGIT" and "state" or "usage", why.message)
end

local AS_LIST = "give the changed files as a list: … | orrery affected -"

local function repository(root)
  local repo, why = core.shared(root)
  if repo then return repo end
  if why.code ~= "ENOENT" then errors.raise("state", why.message) end
  errors.raise("usage", ("%s is in no git repository; what changed is known only there")
    :format(root), { hint = AS_LIST })
end

local function new(root)
  return setmetatable({ root = root, files = {}, status = {}, outside = {} }, Changes)
end

--- What changed since a base: committed, staged, in the files, and not yet known to git.
--- Raises as gitbase.find does.
---@param root string absolute
---@param asked? string a ref; default: the CI's, or the default branch
---@return orrery.Changes
function changes.since(root, asked)
  local self = new(root)
  local repo = repository(root)
  if not repo:root() then
    errors.raise("usage", "this repository is bare: it has no files to compare",
      { hint = AS_LIST })
  end
  local base = gitbase.find(repo, asked)
  self.base, self.merge_base, self.why, self.all = base.ref, base.merge_base, base.why, base.all
  self.repo, self.prefix = repo, repo:prefix()
  local diff = must(repo:diff({ from = base.merge_base, patch = false }))
  local place = placing(self.prefix)
  for _, file in ipairs(diff.files) do add_file(self, file, place) end
  table.sort(self.files)
  return self
end

-- A name as git quotes unusual ones: "gr\303\274n".
local escapes = { a = "\a", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", v = "\v" }

local function unquote(line)
  local inside = line:match('^"(.*)"$')
  if not inside then return line end
  return (inside:gsub("\\(%d%d%d)", function(oct) return string.char(tonumber(oct, 8) & 255) end)
    :gsub("\\(.)", function(c) return escapes[c] or c end))
end

local function names_in(text)
  local out = {}
  if text:find("\0", 1, true) then
    for name in text:gmatch("[^%z]+") do out[#out + 1] = name end
  else
    for line in text:gmatch("[^\r\n]+") do out[#out + 1] = unquote(line) end
  end
  return out
end

--- The changes a list tells: a path a line, or NUL-separated, relative to the root. What lies
--- outside is kept apart: `outside`.
---@param root string absolute
---@param text string
---@return orrery.Changes
function changes.listed(root, text)
  local self = new(root)
  self.why = "a list of files"
  for _, name in ipairs(names_in(text)) do
    local path = fs.normal(name)
    if path:sub(1, #root + 1) == root .. "/" then path = path:sub(#root + 2) end
    if fs.inside(path) and path ~= "." and path ~= "" then
      add(self, path, "L")
    else
      self.outside[#self.outside + 1] = name
    end
  end
  table.sort(self.files)
  return self
end

--- How a file changed, in words: "src/a.c was added".
---@param path string
---@return string
function Changes:say(path)
  local s = self.status[path]
  if s == "D" then return path .. " was removed" end
  return path .. ((s == "A" or s == "?") and " was added" or " changed")
end

--- The changed files that match.
---@param glob string|string[]
---@return string[]
function Changes:matching(glob)
  local out = {}
  for _, path in ipairs(self.files) do
    local hit, why = fs.match(glob, path)
    if why then error(why, 0) end
    if hit then out[#out + 1] = path end
  end
  return out
end

--- A file as it was at the merge base; nil when there was none.
---@param path string relative to the root
---@return string?
function Changes:before(path)
  if path:sub(1, 1) == "/" then path = path:sub(#self.root + 2) end
  return (must(self.repo, { code = "usage", message = "a list has no base" })
    :read(self.merge_base, fs.normal(self.prefix .. path)))
end

return changes
