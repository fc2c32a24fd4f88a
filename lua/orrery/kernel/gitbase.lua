-- From which commit "what changed" is counted: the one asked for; else what the CI names;
-- else the default branch. It always says which was taken and why. What cannot be found is
-- an error with the command that mends it, never "everything".
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local nearest = require("orrery.kernel.nearest")

local gitbase = {}

---@class orrery.git.Base
---@field ref? string         nil: everything counts as changed
---@field why string          where it is from, in words
---@field commit? string      what the ref is
---@field merge_base? string  the commit where HEAD left it: what changes are counted from
---@field all? boolean        everything is new: a first push, no commit yet

local function given(getenv, name)
  local v = getenv(name)
  return v ~= nil and v ~= "" and v or nil
end

local function is_zero(sha) return sha:find("^0+$") ~= nil end

local function from_branch(branch, why)
  return { ref = "origin/" .. branch, branch = branch, why = why }
end

-- A push that made a branch: there is no commit before it.
local function new_branch(branch, default)
  if branch and branch == default then
    return { all = true, why = ("the first push of %s: everything is new"):format(branch) }
  end
  return default and from_branch(default, "a new branch is compared with the default branch")
end

local function pushed(sha, name, branch, default)
  if type(sha) ~= "string" or sha == "" then return nil end
  if is_zero(sha) then return new_branch(branch, default) end
  return { ref = sha, why = ("the commit before the push (%s)"):format(name) }
end

local function github_event(getenv)
  local path = given(getenv, "GITHUB_EVENT_PATH")
  local text = path and fs.read(path)
  local event = text and json.decode(text)
  return type(event) == "table" and event or {}
end

local function field(t, name)
  local v = t[name]
  return type(v) == "table" and v or {}
end

local function github(getenv)
  local target = given(getenv, "GITHUB_BASE_REF")
  if target then return from_branch(target, "GITHUB_BASE_REF, the target of the pull request") end
  local event = github_event(getenv)
  local queued = field(event, "merge_group").base_sha
  if type(queued) == "string" then
    return { ref = queued, why = "the base of the merge queue (GITHUB_EVENT_PATH)" }
  end
  local default = field(event, "repository").default_branch
  return pushed(event.before, "GITHUB_EVENT_PATH", given(getenv, "GITHUB_REF_NAME"),
    type(default) == "string" and default or nil)
end

local function gitlab(getenv)
  local base = given(getenv, "CI_MERGE_REQUEST_DIFF_BASE_SHA")
  if base then
    return { ref = base, why = "CI_MERGE_REQUEST_DIFF_BASE_SHA, the base of the merge request" }
  end
  local target = given(getenv, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
  if target then
    return from_branch(target, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME, the target of the merge "
      .. "request")
  end
  return pushed(given(getenv, "CI_COMMIT_BEFORE_SHA"), "CI_COMMIT_BEFORE_SHA",
    given(getenv, "CI_COMMIT_BRANCH"), given(getenv, "CI_DEFAULT_BRANCH"))
end

local usual = { { "origin/HEAD", "the default branch of origin" },
  { "origin/main", "there is no origin/HEAD" }, { "origin/master", "there is no origin/main" },
  { "main", "there is no remote branch" }, { "master", "there is no main" } }

local function by_name(repo)
  local known = {}
  for _, name in ipairs(repo:refs() or {}) do known[name] = true end
  for _, one in ipairs(usual) do
    if known[one[1]] then return { ref = one[1], why = one[2] } end
  end
  errors.raise("usage", "nothing says what changes are counted from: there is no origin/HEAD, "
    .. "origin/main, origin/master, main or master", { hint = "name a base: --base=REF" })
end

-- What brings the history that is missing.
local function cure(base, getenv)
  local command = base.branch and ("git fetch --unshallow origin %s:refs/remotes/origin/%s")
    :format(base.branch, base.branch) or "git fetch --unshallow"
  local text = "run: " .. command
  if given(getenv, "GITHUB_ACTIONS") then
    text = text .. "   (or give actions/checkout fetch-depth: 0)"
  elseif given(getenv, "GITLAB_CI") then
    text = text .. "   (or set the variable GIT_DEPTH to 0)"
  end
  return text
end

local function bring(base, getenv, repo)
  if repo:is_shallow() then return cure(base, getenv) end
  if base.branch then
    return ("run: git fetch origin %s:refs/remotes/origin/%s"):format(base.branch, base.branch)
  end
  if base.ref:find("^%x+$") and #base.ref >= 40 then return "run: git fetch origin " .. base.ref end
end

-- The asked base as a branch of origin, so that its cure can be a command.
local function with_branch(base)
  base.branch = base.branch or base.ref:match("^origin/(.+)$")
  if base.branch == "HEAD" then base.branch = nil end
  return base
end

local MOST_REFS = 12

local function some_refs(repo)
  local refs = repo:refs() or {}
  local text = table.concat(refs, ", ", 1, math.min(#refs, MOST_REFS))
  return #refs == 0 and "it has no branches"
    or "the refs are: " .. text .. (#refs > MOST_REFS and " …" or "")
end

local function resolve(repo, base, getenv)
  local id, why = repo:resolve(base.ref)
  if id then return id end
  if why.code ~= "ENOENT" then errors.raise("usage", why.message) end
  local shallow = repo:is_shallow()
  local guess = nearest.hint(base.ref, repo:refs() or {})
  errors.raise(shallow and "state" or "usage", ("the base '%s' (%s) is not in this clone%s")
    :format(base.ref, base.why, shallow and ", which is shallow" or ""),
    { hint = not shallow and guess or bring(base, getenv, repo)
      or some_refs(repo) })
end

local function merge_base(repo, base, getenv)
  local id, why = repo:merge_base(base.commit, "HEAD")
  if id then return id end
  if why.code ~= "ENOENT" then errors.raise("state", why.message) end
  if repo:is_shallow() then
    errors.raise("state", ("this clone is shallow: its history ends before the commit where HEAD "
      .. "left '%s' (%s)"):format(base.ref, base.why), { hint = cure(base, getenv) })
  end
  errors.raise("usage", ("'%s' (%s) and HEAD have no common commit"):format(base.ref, base.why),
    { hint = "name another base: --base=REF" })
end

--- The base of a repository. Raises code "usage" for an unknown one, "state" when the clone
--- is too shallow; both say what mends it.
---@param repo core.Repo
---@param asked? string a ref
---@param getenv? fun(name: string): string? default: os.getenv
---@return orrery.git.Base
function gitbase.find(repo, asked, getenv)
  getenv = getenv or os.getenv
  if not repo:head() then
    return { all = true, why = "there is no commit yet: every file is new" }
  end
  local base = asked and { ref = asked, why = "as asked" } or github(getenv) or gitlab(getenv)
    or by_name(repo)
  if base.all then return base end
  with_branch(base)
  base.commit = resolve(repo, base, getenv)
  base.merge_base = merge_base(repo, base, getenv)
  base.branch = nil
  return base
end

return gitbase
