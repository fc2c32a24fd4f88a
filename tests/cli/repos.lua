-- Help for tests in git repositories: one made of files and a commit, and what is done in it.
local harness = require("tests.cli.harness")

local repos = {}

--- git, as nobody has set it up; a name and a mail for commits.
repos.GIT = "GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null git -c user.name=n "
  .. "-c user.email=e@x -c init.defaultBranch=main -c commit.gpgsign=false "
  .. "-c protocol.file.allow=always "

--- The workflow that a repository has as "ci", its default.
repos.CI = [[
local o = require("orrery")
return o.workflow "ci" {
  o.step "lint"  { run = "echo lint", inputs = { "src/**" } },
  o.step "build" { run = "cat src/a.c > a.o", inputs = { "src/a.c" }, outputs = { "a.o" } },
  o.step "test"  { needs = "build", run = "echo tested" },
  o.step "pack"  { run = "wc -c a.o", inputs = { "a.o" } },
  o.step "docs"  { run = "echo docs", inputs = { "docs/**", "!docs/old/**" } },
  o.step "free"  { run = "echo free" },
}
]]

local Repo = {}
Repo.__index = Repo

function Repo:sh(script)
  local line = ("cd %s && { %s\n} >/dev/null 2>&1"):format(harness.quote(self.dir), script)
  local ok, _, code = os.execute(line)
  assert(ok, ("exit %s: %s"):format(code, script))
end

function Repo:git(words) self:sh(repos.GIT .. words) end

function Repo:write(path, text) harness.write(self.dir .. "/" .. path, text) end

function Repo:commit(message) self:git("add -A && " .. repos.GIT .. "commit -qm " .. message) end

function Repo:orrery(args, opts) return harness.exec(self.at or self.dir, args, opts) end

-- What `orrery affected` prints; checks the rest.
function Repo:affected(args, opts)
  local r = self:orrery("affected " .. (args or ""), opts)
  harness.check(r, { code = opts and opts.code })
  return r.stdout, r.stderr
end

-- Folders of the test that runs now.
local made = {}

--- Removes what the test made: after_each(repos.remove).
function repos.remove()
  for _, dir in ipairs(made) do harness.remove(dir) end
  made = {}
end

--- A repository of one commit.
---@param files? table<string, string|false> besides CI and what it reads; false: not that one
---@return table repo with sh, git, write, commit, orrery and affected; dir: its folder
function repos.new(files)
  local all = { ["workflows/ci.lua"] = repos.CI, ["orrery.lua"] = 'return { default = "ci" }\n',
    ["src/a.c"] = "a\n", ["src/b.c"] = "b\n", ["docs/x.md"] = "x\n", [".gitignore"] = "*.o\n" }
  for path, text in pairs(files or {}) do all[path] = text or nil end
  local self = setmetatable({ dir = harness.folder(all) }, Repo)
  made[#made + 1] = self.dir
  self:git("init -q")
  self:commit("one")
  return self
end

--- A folder without a repository, for clones and worktrees.
---@return table as from repos.new
function repos.folder()
  local dir = harness.folder()
  made[#made + 1] = dir
  return setmetatable({ dir = dir }, Repo)
end

return repos
