-- git: what changed, for workflows and scripts. Read only: nothing is ever written to the
-- repository, and an answer already known starts no process. A ref is data, never an option
-- and never part of a shell line. GIT_DIR and its like are not looked at: the repository is
-- the one at or above the folder.
--
-- Paths are relative to the folder the repository was opened from (the current one, for the
-- functions of this module), and only what lies below it is told, as `git diff --relative`
-- does: a package in a larger repository sees its own changes.
local check = require("orrery.kernel.check")
local core = require("orrery.core.git")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local gitbase = require("orrery.kernel.gitbase")

local git = {}

---@class orrery.git.DiffOpts
---@field to? string           ref; default: the files as they are now
---@field merge_base? boolean  from the merge base, not from the base itself; default true
---@field patch? boolean       default true
---@field numstat? boolean     additions and deletions; default false
---@field paths? string[]      keep only these files or folders

---@class orrery.git.Repo
---@field private core core.Repo
local Repo = {}
Repo.__index = Repo
Repo.__name = "orrery.git.Repo"

local DIFF_OPTIONS = {
  to = "string", merge_base = "boolean", patch = "boolean", numstat = "boolean", paths = "list",
}

local must = errors.must

local function wrap(raw)
  return setmetatable({ core = raw }, Repo)
end

local function here()
  return wrap(must(core.shared(".")))
end

-- The paths to ask for, relative to the repository's root.
local function under(prefix, paths)
  if not paths then return prefix ~= "" and { prefix } or nil end
  local full = {}
  for i, path in ipairs(paths) do
    if not fs.inside(path) then
      error({ code = "EUNSAFE", message = ("git.diff: path '%s' leaves the folder"):format(path) },
        0)
    end
    full[i] = fs.normal(prefix .. path)
  end
  return full
end

local function strip(diff, prefix)
  if prefix == "" then return diff end
  for _, file in ipairs(diff.files) do
    file.path = file.path:sub(#prefix + 1)
    if file.old_path then file.old_path = file.old_path:sub(#prefix + 1) end
  end
  return diff
end

--- The worktree's folder; nil in a bare repository.
---@return string?
function Repo:root() return self.core:root() end

--- The commit id a ref leads to; raises when there is none, and says what would bring it.
--- repo:resolve("origin/main") --> "1f3c…"
---@param ref string
---@return string
function Repo:resolve(ref) return must(self.core:resolve(ref)) end

--- The commit checked out; nil before the first.
---@return string?
function Repo:head() return must(self.core:head()) end

--- The best common ancestor of two refs.
---@param a string
---@param b string
---@return string
function Repo:merge_base(a, b) return must(self.core:merge_base(a, b)) end

--- What changed. With a base: since the commit where the branch left it (its merge base with
--- HEAD, or with `to`), up to the files as they are now, whether staged, committed or not yet
--- known to git. Without: since HEAD. `to` compares two commits; `merge_base = false` takes the
--- base itself. Files come sorted by path; each has its patch unless `patch = false`.
--- for _, f in ipairs(repo:diff("origin/main").files) do print(f.status, f.path) end
---@param base? string ref
---@param opts? orrery.git.DiffOpts
---@return core.Diff
function Repo:diff(base, opts)
  opts = check.options(opts, DIFF_OPTIONS, "git.diff")
  local prefix = self.core:prefix()
  local merge_base = opts.merge_base
  if merge_base == nil then merge_base = base ~= nil end
  local diff = must(self.core:diff({
    from = base, to = opts.to, merge_base = merge_base, patch = opts.patch ~= false,
    numstat = opts.numstat, paths = under(prefix, opts.paths),
  }))
  return strip(diff, prefix)
end

--- The base that `orrery run --affected` would take: `asked`, else what the CI names, else
--- the default branch. Raises when there is none, and says what mends it.
--- repo:diff(repo:base().merge_base)
---@param asked? string ref
---@return orrery.git.Base
function Repo:base(asked) return gitbase.find(self.core, asked) end

--- A file as a commit has it; nil when it has none. The path is from the opened folder.
--- repo:read("HEAD~1", "package.json")
---@param ref string
---@param path string
---@return string?
function Repo:read(ref, path)
  return must(self.core:read(ref, under(self.core:prefix(), { path })[1]))
end

--- The short names of branches, remote branches and tags, sorted.
---@return string[]
function Repo:refs() return must(self.core:refs()) end

--- The changed paths that match, sorted: those of diff(base), and where a renamed file was.
--- if #repo:changed("src/**", "origin/main") > 0 then … end
--- if #repo:changed { "src/**", "!src/doc/**", base = "origin/main" } > 0 then … end
---@param glob? string|string[] default: all; a list may have a field base
---@param base? string ref; default HEAD
---@return string[]
function Repo:changed(glob, base)
  if type(glob) == "table" then
    base = base or glob.base
    glob = #glob > 0 and table.move(glob, 1, #glob, 1, {}) or nil
  end
  local paths, last = {}, nil
  for _, file in ipairs(self:diff(base, { patch = false }).files) do
    paths[#paths + 1] = file.path
    paths[#paths + 1] = file.old_path
  end
  table.sort(paths)
  local found = {}
  for _, path in ipairs(paths) do
    if path ~= last and (not glob or must(fs.match(glob, path))) then found[#found + 1] = path end
    last = path
  end
  return found
end

--- How many diffs were remembered, how many were made.
---@return { hits: integer, misses: integer }
function Repo:stats() return self.core:stats() end

--- Forgets the repository; the garbage collector does too.
function Repo:close() self.core:close() end
Repo.__close = Repo.close

--- Opens the repository at or above a folder; raises when there is none.
--- local repo <close> = git.open("../other")
---@param path? string default: the current folder
---@return orrery.git.Repo
function git.open(path) return wrap(must(core.open(path or "."))) end

--- Repo:resolve of the current folder's repository.
---@param ref string
---@return string
function git.resolve(ref) return here():resolve(ref) end

--- Repo:diff of the current folder's repository.
--- git.diff("origin/main").files[1].patch
---@param base? string
---@param opts? orrery.git.DiffOpts
---@return core.Diff
function git.diff(base, opts) return here():diff(base, opts) end

--- Repo:changed of the current folder's repository.
---@param glob? string|string[]
---@param base? string
---@return string[]
function git.changed(glob, base) return here():changed(glob, base) end

--- Repo:base of the current folder's repository.
---@param asked? string
---@return orrery.git.Base
function git.base(asked) return here():base(asked) end

return git
