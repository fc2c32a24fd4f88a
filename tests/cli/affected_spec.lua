-- orrery affected and run --affected, in real git repositories.
local harness = require("tests.cli.harness")

local GIT = "GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null git -c user.name=n "
  .. "-c user.email=e@x -c init.defaultBranch=main -c commit.gpgsign=false "
  .. "-c protocol.file.allow=always "

local CI = [[
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

function Repo:git(words) self:sh(GIT .. words) end

function Repo:write(path, text) harness.write(self.dir .. "/" .. path, text) end

function Repo:commit(message) self:git("add -A && " .. GIT .. "commit -qm " .. message) end

function Repo:orrery(args, opts) return harness.exec(self.at or self.dir, args, opts) end

-- What `orrery affected` prints; checks the rest.
function Repo:affected(args, opts)
  local r = self:orrery("affected " .. (args or ""), opts)
  harness.check(r, { code = opts and opts.code })
  return r.stdout, r.stderr
end

local made

local function repo(files)
  local all = { ["workflows/ci.lua"] = CI, ["orrery.lua"] = 'return { default = "ci" }\n',
    ["src/a.c"] = "a\n", ["src/b.c"] = "b\n", ["docs/x.md"] = "x\n", [".gitignore"] = "*.o\n" }
  for path, text in pairs(files or {}) do all[path] = text or nil end
  local self = setmetatable({ dir = harness.folder(all) }, Repo)
  made[#made + 1] = self.dir
  self:git("init -q")
  self:commit("one")
  return self
end

-- A second folder for clones and worktrees.
local function folder()
  local dir = harness.folder()
  made[#made + 1] = dir
  return setmetatable({ dir = dir }, Repo)
end

local function decode(text) return assert(require("orrery.core.json").decode(text)) end

describe("orrery affected", function()
  before_each(function() made = {} end)
  after_each(function()
    for _, dir in ipairs(made) do harness.remove(dir) end
  end)

  it("says nothing when nothing changed", function()
    local out, err = repo():affected("--exit-code")
    assert.equal("", out)
    assert.truthy(err:find("no step is affected since main", 1, true))
  end)

  it("names the steps that read a changed file, those that depend on them, and why", function()
    local r = repo()
    r:write("src/a.c", "new\n")
    assert.equal("lint: src/a.c changed\nbuild: src/a.c changed\ntest: needs build\n"
      .. "pack: reads a.o, an output of build\n", (r:affected()))
  end)

  it("counts committed, staged, edited and untracked files from the merge base", function()
    local r = repo()
    r:git("checkout -q -b side")
    r:write("src/committed.c", "1\n")
    r:commit("two")
    r:git("checkout -q main")
    r:write("docs/main.md", "only on main\n")
    r:commit("three")
    r:git("checkout -q side")
    r:write("src/staged.c", "1\n")
    r:git("add src/staged.c")
    r:write("src/b.c", "edited\n")
    r:write("src/untracked.c", "1\n")
    r:write("src/ignored.o", "1\n")
    local d = decode((r:affected("--json")))
    assert.same({ "src/b.c", "src/committed.c", "src/staged.c", "src/untracked.c" },
      table.move(d.files, 1, #d.files, 1, {}))
    assert.equal("lint", d.steps[1].id)
    assert.equal("src/b.c changed (and 3 more)", d.steps[1].why)
    assert.equal(1, #d.steps)
    assert.equal("main", d.base)
    assert.equal(40, #d.merge_base)
  end)

  it("lets deleted and renamed files count for the globs that matched them", function()
    local r = repo({ ["docs/y.md"] = ("line\n"):rep(30) })
    os.remove(r.dir .. "/src/b.c")
    r:git("mv docs/y.md other.md")
    assert.equal("lint: src/b.c was removed\ndocs: docs/y.md was removed\n", (r:affected()))
  end)

  it("honours excludes, and never chooses a step without inputs by a file", function()
    local r = repo()
    r:write("docs/old/z.md", "1\n")
    r:write("README", "1\n")
    assert.equal("", (r:affected()))
  end)

  it("does not count untracked outputs of steps; tracked ones that changed do", function()
    local r = repo({ [".gitignore"] = "nothing\n" })
    harness.check(r:orrery("run"), {})
    assert.equal("", (r:affected()))
    r:git("add -f a.o && " .. GIT .. "commit -qm out")
    r:write("a.o", "by hand\n")
    assert.equal("build: its output a.o changed\ntest: needs build\n"
      .. "pack: reads a.o, an output of build\n", (r:affected()))
  end)

  it("exits 10 with --exit-code when there is something", function()
    local r = repo()
    r:write("src/b.c", "new\n")
    r:affected("--exit-code", { code = 10 })
    r:affected("", { code = 0 })
  end)

  it("keeps to the named steps and groups", function()
    local r = repo()
    r:write("src/a.c", "new\n")
    assert.equal("lint: src/a.c changed\ntest: needs build\n", (r:affected("ci lint test")))
  end)

  it("takes any ref as base", function()
    local r = repo()
    r:git("tag v1")
    r:write("docs/x.md", "2\n")
    r:commit("two")
    assert.equal("", (r:affected()))
    local out, err = r:affected("--base=v1")
    assert.equal("docs: docs/x.md changed\n", out)
    assert.truthy(err:find("since v1 (as asked; merge base ", 1, true))
    assert.equal("docs: docs/x.md changed\n", (r:affected("--base=HEAD~1")))
  end)

  describe("when the workflow itself changed", function()
    it("names the steps whose definition differs, and new ones", function()
      local r = repo()
      r:write("workflows/ci.lua", (CI:gsub("echo docs", "echo more docs")
        :gsub('o.step "free"', 'o.step "extra" { run = "true" },\n  o.step "free"')))
      assert.equal("docs: its definition changed (workflows/ci.lua changed)\n"
        .. "extra: is new (workflows/ci.lua changed)\n", (r:affected()))
    end)

    it("names none for a comment, a doc or a moved step", function()
      local r = repo()
      r:write("workflows/ci.lua", (CI:gsub('o.step "free"  { ',
        '-- a comment\n  o.step "free" { doc = "Says so.", ')))
      assert.equal("", (r:affected()))
    end)

    it("follows modules into functions", function()
      local r = repo({ ["lua/words.lua"] = "return { hi = function() return 1 end }\n",
        ["workflows/w.lua"] = [[
local o, words = require("orrery"), require("words")
return o.workflow "w" {
  o.step "says" { call = function() return words.hi() end, inputs = {} },
  o.step "other" { run = "true", inputs = { "src/a.c" } },
}]] })
      r:write("lua/words.lua", "return { hi = function() return 2 end }\n")
      assert.equal("says: its definition changed (lua/words.lua changed)\n",
        (r:affected("w says"):gsub("; .-$", "")))
      assert.equal("", (r:affected("w other")))
    end)

    it("follows what the file reads", function()
      local r = repo({ ["list.json"] = '["one"]', ["workflows/w.lua"] = [[
local o, json = require("orrery"), require("orrery.json")
local steps = {}
for _, n in ipairs(json.read("list.json")) do
  steps[#steps + 1] = o.step(n, { run = "echo " .. n, inputs = {} })
end
return o.workflow "w" { steps }]] })
      r:write("list.json", '["one", "two"]')
      assert.equal("two: is new (list.json changed)\n", (r:affected("w")))
    end)

    it("follows params that steps use", function()
      local wf = [[
local o = require("orrery")
return o.workflow "w" { params = { n = "1" },
  o.step "uses" { run = "echo {{params.n}}", inputs = {} },
  o.step "not" { run = "true", inputs = {} },
}]]
      local r = repo({ ["workflows/w.lua"] = wf })
      r:write("workflows/w.lua", (wf:gsub('"1"', '"2"')))
      assert.equal("uses: its definition changed (workflows/w.lua changed)\n",
        (r:affected("w")))
    end)

    it("reaches by orrery.lua what that means: agents for agent steps, no more", function()
      local r = repo({ ["workflows/w.lua"] = [[
local o = require("orrery")
return o.workflow "w" {
  o.step "ask" { agent = "writer", prompt = "hi", inputs = {} },
  o.step "not" { run = "true", inputs = {} },
}]] })
      r:write("orrery.lua", 'return { default = "ci", agents = { writer = { run = {"x"} } } }\n')
      assert.equal("ask: its definition changed (orrery.lua changed)\n", (r:affected("w")))
      r:write("orrery.lua", 'return { default = "w" }\n')
      assert.equal("", (r:affected("w")))
    end)

    it("takes all, and says why, when it cannot be compared or is new", function()
      local r = repo()
      r:write("workflows/ci.lua", "return 1")
      r:commit("broken")
      r:write("workflows/ci.lua", CI)
      local out = r:affected("--base=HEAD")
      assert.truthy(out:find("free: workflows/ci.lua changed; it cannot be compared: ", 1, true))
      r:write("workflows/new.lua", CI)
      assert.truthy(r:affected("new"):find("free: workflows/new.lua was added\n", 1, true))
    end)

    it("names the steps that use a changed schema, or one it refers to", function()
      local r = repo({ ["schemas/a.json"] = '{ "$ref": "b.json" }', ["schemas/b.json"] = "{}",
        ["workflows/w.lua"] = [[
local o = require("orrery")
return o.workflow "w" {
  o.step "checked" { run = "echo 1", parse = "json", returns = "schemas/a.json", inputs = {} },
  o.step "gated" { run = "echo 1 > o.json", inputs = {}, outputs = { "o.json" },
    gate = { schema = { ["o.json"] = "schemas/b.json" } } },
}]] })
      r:write("schemas/a.json", '{ "$ref": "b.json", "title": "t" }')
      assert.equal("checked: schemas/a.json changed\n", (r:affected("w")))
      r:git("checkout -q schemas/a.json")
      r:write("schemas/b.json", '{ "title": "t" }')
      assert.equal("checked: schemas/b.json changed\ngated: schemas/b.json changed\n",
        (r:affected("w")))
    end)

    it("names the steps whose program, ignore file or condition it is", function()
      local r = repo({ ["tools/gen"] = "#!/bin/sh\n", ["workflows/w.lua"] = [[
local o = require("orrery")
return o.workflow "w" {
  o.step "gen" { run = { "./tools/gen" }, inputs = {} },
  o.step "all" { run = "true", inputs = { "docs/**" } },
  o.step "deploy" { run = "true", when = "changed('site/**')" },
}]] })
      r:write("tools/gen", "#!/bin/sh\ntrue\n")
      assert.equal("gen: tools/gen changed\n", (r:affected("w")))
      r:git("checkout -q tools/gen")
      r:write("docs/.gitignore", "x.md\n")
      assert.truthy(r:affected("w"):find("^all: docs/.gitignore was added"))
      os.remove(r.dir .. "/docs/.gitignore")
      r:write(".gitignore", "*.o\n*.p\n")
      assert.equal("all: .gitignore changed, which decides what its globs see\n",
        (r:affected("w")))
      r:git("checkout -q .gitignore")
      r:write("site/i.html", "1")
      assert.equal("deploy: site/i.html was added, which its condition asks about\n",
        (r:affected("w")))
    end)

    it("looks into a nested workflow", function()
      local r = repo({ ["workflows/outer.lua"] = [[
local o = require("orrery")
return o.workflow "outer" { o.step "inner" { workflow = "ci" },
  o.step "next" { needs = "inner", run = "true" } }]] })
      r:write("docs/x.md", "2\n")
      assert.equal("inner: its step docs: docs/x.md changed\nnext: needs inner\n",
        (r:affected("outer")))
    end)
  end)

  it("follows what a function, or a compiler, read the last time", function()
    local wf = [[
local o, fs = require("orrery"), require("orrery.fs")
return o.workflow "w" {
  o.step "count" { call = function() return #fs.read("data.txt") end },
  o.step "cc" { run = "printf 'x.o: x.h\n' > x.d; touch x.o", inputs = { "src/a.c" },
    outputs = { "x.o" }, depfile = "x.d" },
}]]
    local r = repo({ ["workflows/w.lua"] = wf, ["data.txt"] = "1\n", ["x.h"] = "1\n",
      [".gitignore"] = "*.o\n*.d\n" })
    r:write("README", "1\n")
    assert.equal("count: README was added, and what it reads is not known: no record of it is "
      .. "here\ncc: README was added, and what its depfile lists is not known: no record of it "
      .. "is here\n", (r:affected("w")))
    harness.check(r:orrery("run w"), {})
    assert.equal("", (r:affected("w")))
    r:write("data.txt", "22\n")
    assert.equal("count: data.txt changed\n", (r:affected("w")))
    r:git("checkout -q data.txt")
    r:write("x.h", "2\n")
    assert.equal("cc: x.h changed\n", (r:affected("w")))
  end)

  it("counts a step that is only ordered after another when it reads its outputs", function()
    local r = repo({ ["workflows/w.lua"] = [[
local o = require("orrery")
return o.workflow "w" {
  o.step "make" { run = "mkdir -p gen; cp src/a.c gen/a.o", inputs = { "src/a.c" },
    outputs = { "gen/" } },
  o.step "globs" { after = "make", run = "true", inputs = { "gen/**" } },
  o.step "apart" { after = "make", run = "true", inputs = { "docs/**" } },
  o.step "sum" { after = "make", call = function(ctx) return ctx.results.make.ok end,
    inputs = {} },
}]] })
    harness.check(r:orrery("run w"), {})
    r:write("src/a.c", "2\n")
    assert.equal("make: src/a.c changed\nglobs: reads gen, an output of make\n"
      .. "sum: may read the result of make\n", (r:affected("w")))
  end)

  describe("from a list on standard input", function()
    it("reads paths a line, as git quotes them, or NUL-separated", function()
      local r = repo()
      assert.equal("docs: docs/gr\u{fc}n.md changed\n",
        (r:affected("-", { stdin = '"docs/gr\\303\\274n.md"\r\n' })))
      assert.equal("lint: src/a b.c changed (and 1 more)\n",
        (r:affected("ci -", { stdin = "src/a b.c\0src/c.c\0" })))
      assert.equal("", (r:affected("-", { stdin = "" })))
    end)

    it("works outside of any repository, and takes absolute paths", function()
      local f = folder()
      f:write("workflows/ci.lua", CI)
      f:write("orrery.lua", 'return { default = "ci" }')
      local d = decode((f:affected("- --json", { stdin = f.dir .. "/docs/a.md\n./src/x\n" })))
      assert.same({ "docs/a.md", "src/x" }, table.move(d.files, 1, #d.files, 1, {}))
      assert.equal(require("orrery.core.pack").null, d.base)
    end)

    it("names what lies outside the root, and ignores it", function()
      local out, err = repo():affected("-", { stdin = "/etc/passwd\n../x\nsrc/b.c\n" })
      assert.equal("lint: src/b.c changed\n", out)
      assert.truthy(err:find("outside the root, ignored: /etc/passwd, ../x", 1, true))
    end)

    it("has all steps affected by a changed workflow: there is no base", function()
      local out = repo():affected("-", { stdin = "workflows/ci.lua\n" })
      assert.truthy(out:find("free: workflows/ci.lua changed; without a base it cannot be "
        .. "compared\n", 1, true))
    end)

    it("refuses a base beside it", function()
      local r = repo()
      harness.check(r:orrery("affected - --base=main", { stdin = "" }), { code = 2,
        stderr = "a list of files has no base" })
    end)
  end)

  describe("where the base is not to be had", function()
    it("names the nearest ref", function()
      harness.check(repo():orrery("affected --base=mian"), { code = 2,
        stderr = { "the base 'mian' (as asked) is not in this clone", "did you mean 'main'?" } })
    end)

    it("treats a ref as data", function()
      harness.check(repo():orrery("affected --base=--output=x"), { code = 2,
        stderr = "starts with '-'" })
    end)

    it("says what is missing outside of a repository", function()
      local f = folder()
      f:write("workflows/ci.lua", CI)
      harness.check(f:orrery("affected ci"), { code = 2, stderr = "is in no git repository" })
    end)

    it("asks for a base when no usual branch is there", function()
      local r = repo()
      r:git("branch -m trunk")
      harness.check(r:orrery("affected"), { code = 2,
        stderr = { "nothing says what changes are counted from", "--base=REF" } })
      r:affected("--base=trunk")
    end)

    it("takes every file as new before the first commit", function()
      local f = folder()
      f:write("workflows/ci.lua", CI)
      f:git("init -q")
      local out, err = f:affected("ci")
      assert.truthy(out:find("free: there is no commit yet: every file is new\n", 1, true))
      assert.truthy(err:find("6 steps are affected", 1, true))
    end)

    it("says loudly that a clone is too shallow, and its command mends it", function()
      local r, f = repo(), folder()
      r:git("checkout -q -b side")
      r:write("docs/x.md", "2\n")
      r:commit("two")
      f:git("clone -q --depth 1 --branch side file://" .. r.dir .. " c")
      f.at = f.dir .. "/c"
      local got = f:orrery("affected", { env = { GITHUB_BASE_REF = "main" } })
      harness.check(got, { code = 5, stdout = "", stderr = { "the base 'origin/main' "
        .. "(GITHUB_BASE_REF, the target of the pull request)", "is shallow" } })
      assert.equal("", got.stdout)
      local command = got.stderr:match("run: (git fetch [^\n]*)")
      f:sh("cd c && " .. command)
      assert.equal("docs: docs/x.md changed\n", (f:affected("", { env = {
        GITHUB_BASE_REF = "main" } })))
    end)

    it("says so too when the base is there and the history between is not", function()
      local r, f = repo(), folder()
      r:git("checkout -q -b side")
      r:write("docs/x.md", "2\n")
      r:commit("two")
      r:git("checkout -q main")
      r:write("src/a.c", "main\n")
      r:commit("three")
      f:git("clone -q --depth 1 --branch side --no-single-branch file://" .. r.dir .. " c")
      f.at = f.dir .. "/c"
      local got = f:orrery("affected --base=origin/main")
      harness.check(got, { code = 5, stderr = "this clone is shallow: its history ends before" })
      f:sh("cd c && " .. got.stderr:match("run: (git fetch [^\n]*)"))
      assert.equal("docs: docs/x.md changed\n", (f:affected("--base=origin/main")))
    end)
  end)

  describe("by default", function()
    it("takes the CI's word, and says so", function()
      local r = repo()
      r:write("docs/x.md", "2\n")
      r:commit("two")
      r:sh("git rev-parse HEAD~1 > .git/one; git update-ref refs/remotes/origin/dev HEAD~1")
      local before = harness.read(r.dir .. "/.git/one"):gsub("\n", "")
      harness.write(r.dir .. "/.git/event.json", ('{"before":"%s"}'):format(before))
      local cases = {
        { { GITHUB_BASE_REF = "dev" }, "since origin/dev (GITHUB_BASE_REF" },
        { { GITHUB_EVENT_PATH = r.dir .. "/.git/event.json" }, "(the commit before the push" },
        { { CI_MERGE_REQUEST_DIFF_BASE_SHA = before }, "(CI_MERGE_REQUEST_DIFF_BASE_SHA" },
        { { CI_MERGE_REQUEST_TARGET_BRANCH_NAME = "dev" }, "since origin/dev (CI_MERGE_REQ" },
        { { CI_COMMIT_BEFORE_SHA = before }, "before the push (CI_COMMIT_BEFORE_SHA)" },
        { { CI_COMMIT_BEFORE_SHA = ("0"):rep(40), CI_DEFAULT_BRANCH = "dev",
          CI_COMMIT_BRANCH = "x" }, "a new branch is compared with the default branch" },
      }
      for _, case in ipairs(cases) do
        local out, err = r:affected("", { env = case[1] })
        assert.equal("docs: docs/x.md changed\n", out)
        assert.truthy(err:find(case[2], 1, true), err)
      end
    end)

    it("takes everything at the first push of the default branch", function()
      local out = repo():affected("ci free", { env = { CI_COMMIT_BEFORE_SHA = ("0"):rep(40),
        CI_DEFAULT_BRANCH = "main", CI_COMMIT_BRANCH = "main" } })
      assert.equal("free: the first push of main: everything is new\n", out)
    end)

    it("takes a new branch's default branch from GitHub's event", function()
      local r = repo()
      r:sh("git update-ref refs/remotes/origin/dev HEAD")
      harness.write(r.dir .. "/.git/event.json", ('{"before":"%s","repository":'
        .. '{"default_branch":"dev"}}'):format(("0"):rep(40)))
      local _, err = r:affected("", { env = { GITHUB_REF_NAME = "x",
        GITHUB_EVENT_PATH = r.dir .. "/.git/event.json" } })
      assert.truthy(err:find("since origin/dev (a new branch", 1, true))
    end)

    it("takes origin/HEAD, origin/main, origin/master, main, master, in this order", function()
      local r = repo()
      local function since() return (select(2, r:affected()):match("since (%S+)")) end
      assert.equal("main", since())
      r:sh("git update-ref refs/remotes/origin/master HEAD")
      assert.equal("origin/master", since())
      r:sh("git update-ref refs/remotes/origin/main HEAD")
      assert.equal("origin/main", since())
      r:sh("git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main")
      assert.equal("origin/HEAD", since())
      r:git("branch -m master")
      r:sh("rm -rf .git/refs/remotes")
      assert.equal("master", since())
    end)
  end)

  describe("in odd repositories", function()
    it("works with a detached HEAD and in a second worktree", function()
      local r, f = repo(), folder()
      r:git("worktree add -q --detach " .. f.dir .. "/w")
      f.at = f.dir .. "/w"
      f:write("w/docs/n.md", "1\n")
      assert.equal("docs: docs/n.md was added\n", (f:affected()))
      assert.equal("", (r:affected()))
    end)

    it("works where libgit2 refuses, by the git command", function()
      local r = repo()
      r:write("docs/x.md", "2\n")
      r:write("workflows/ci.lua", (CI:gsub("echo free", "echo freed")))
      r:git("config core.repositoryFormatVersion 1")
      r:git("config extensions.worktreeConfig true")
      assert.equal("docs: docs/x.md changed\nfree: its definition changed "
        .. "(workflows/ci.lua changed)\n", (r:affected()))
      harness.check(r:orrery("affected --base=mian"), { code = 2,
        stderr = "did you mean 'main'?" })
    end)

    it("counts files outside of a package's root when a step names them", function()
      local r = repo({ ["pkg/workflows/p.lua"] = [[
local o = require("orrery")
return o.workflow "p" {
  o.step "own" { run = "true", inputs = { "**/*.c" } },
  o.step "far" { run = "true", inputs = { "../shared.h" } },
}]], ["pkg/a.c"] = "1\n", ["shared.h"] = "1\n" })
      r.at = r.dir .. "/pkg"
      r:write("src/a.c", "not of this package\n")
      assert.equal("", (r:affected("p")))
      r:write("shared.h", "2\n")
      assert.equal("far: ../shared.h changed\n", (r:affected("p")))
      r:write("pkg/a.c", "2\n")
      assert.equal("own: a.c changed\nfar: ../shared.h changed\n", (r:affected("p")))
    end)

    it("takes a submodule that moved, or has changes, for all its files", function()
      local lib, r = repo(), repo({ ["workflows/w.lua"] = [[
local o = require("orrery")
return o.workflow "w" { o.step "uses" { run = "true", inputs = { "lib/src/**" } } }]] })
      r:git("submodule add -q file://" .. lib.dir .. " lib")
      r:commit("sub")
      assert.equal("", (r:affected("w")))
      r:sh("cd lib && echo 2 > src/a.c && " .. GIT .. "commit -qam two")
      assert.truthy(r:affected("w"):find("^uses: lib/src/a.c changed"))
    end)
  end)

  it("refuses a bare repository, and says what can be done", function()
    local r, f = repo(), folder()
    f:git("clone -q --bare " .. r.dir .. " b.git")
    f:write("b.git/workflows/ci.lua", CI)
    f.at = f.dir .. "/b.git"
    harness.check(f:orrery("affected ci"), { code = 2, stderr = { "this repository is bare",
      "orrery affected -" } })
    assert.equal("docs: docs/a changed\n", (f:affected("ci -", { stdin = "docs/a" })))
  end)

  it("names the commit of a push that is not here, and how to get it", function()
    local gone = ("ab"):rep(20)
    harness.check(repo():orrery("affected", { env = { CI_COMMIT_BEFORE_SHA = gone } }), {
      code = 2, stderr = { "the commit before the push (CI_COMMIT_BEFORE_SHA)",
        "run: git fetch origin " .. gone } })
  end)

  it("names no more than a dozen refs", function()
    local r = repo()
    r:sh("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do git update-ref refs/tags/t$i HEAD; done")
    harness.check(r:orrery("affected --base=unheard-of"), { code = 2, stderr = { "main, t1, ",
      " …", "!t9" } })
  end)

  it("follows changes of a nested workflow's own definition", function()
    local r = repo({ ["workflows/outer.lua"] = [[
local o = require("orrery")
return o.workflow "outer" { o.step "inner" { workflow = "ci" },
  o.step "apart" { run = "true", inputs = {} } }]] })
    r:write("workflows/ci.lua", (CI:gsub("echo docs", "echo more")))
    assert.equal("inner: its step docs: its definition changed (workflows/ci.lua changed)\n",
      (r:affected("outer")))
  end)

  it("refuses a workflow with a body", function()
    harness.check(repo({ ["workflows/b.lua"] = [[
return require("orrery").workflow "b" { body = function(w) w:run("true") end }]] })
      :orrery("affected b"), { code = 2, stderr = "its steps are known only while it runs" })
  end)

  it("leaves nothing behind, in the repository or beside it", function()
    local r = repo()
    r:write("src/a.c", "2\n")
    r:sh("find .git -type f | sort | xargs cksum > before")
    r:affected()
    r:sh("find .git -type f | sort | xargs cksum | cmp - before; test ! -e .orrery")
  end)
end)

describe("run --affected", function()
  before_each(function() made = {} end)
  after_each(function()
    for _, dir in ipairs(made) do harness.remove(dir) end
  end)

  it("runs the affected steps with what they need, and says why", function()
    local r = repo({ ["workflows/w.lua"] = [[
local o = require("orrery")
return o.workflow "w" {
  o.step "dep" { run = "echo made-dep", inputs = {} },
  o.step "use" { needs = "dep", run = "echo used", inputs = { "docs/**" } },
  o.step "not" { run = "echo never" },
}]] })
    r:write("docs/x.md", "2\n")
    harness.check(r:orrery("run w --affected=main"), { stdout = { "1 step, since main (as asked",
      "use: docs/x.md changed", "made-dep", "used", "!never", "2 steps: 2 ran" } })
    harness.check(r:orrery("run w --affected"), { stdout = { "everything" , "!made-dep" } })
    harness.check(r:orrery("run w --affected --only --force"), { stdout = { "used",
      "!made-dep" } })
    harness.check(r:orrery("plan w --affected"), { stdout = { "hit  dep", "hit  use", "!not" } })
    harness.check(r:orrery("run w dep --affected"), { stdout = { "no step", "!made-dep" } })
  end)

  it("runs nothing, well, when nothing is affected, and writes its reports", function()
    local r = repo()
    local got = r:orrery("run --affected --json --junit j.xml")
    harness.check(got, {})
    local d = decode(got.stdout)
    assert.equal(0, #d.steps)
    assert.equal("main", d.affected.base)
    assert.truthy(harness.read(r.dir .. "/j.xml"):find("<testsuite", 1, true))
  end)

  it("reads a list with --affected=-", function()
    local r = repo()
    harness.check(r:orrery("run --affected=-", { stdin = "docs/q\n" }),
      { stdout = { "docs: docs/q changed", "1 step: 1 ran", "!lint" } })
  end)

  it("resumes what was affected then", function()
    local r = repo({ ["workflows/w.lua"] = [[
local o = require("orrery")
return o.workflow "w" {
  o.step "use" { run = "test -e ok && echo went", inputs = { "docs/**" }, cache = false },
  o.step "not" { run = "echo never" },
}]], [".gitignore"] = "ok\n" })
    r:write("docs/x.md", "2\n")
    harness.check(r:orrery("run w --affected"), { code = 1 })
    r:write("ok", "")
    r:git("checkout -q docs/x.md")
    harness.check(r:orrery("resume"), { stdout = { "went", "!never" } })
  end)

  it("refuses two bases, and an empty one", function()
    local r = repo()
    harness.check(r:orrery("run --affected=main --base=HEAD"), { code = 2,
      stderr = "name two bases" })
    harness.check(r:orrery("run --affected="), { code = 2, stderr = "the base is empty" })
  end)
end)

describe("changed() in a condition", function()
  before_each(function() made = {} end)
  after_each(function()
    for _, dir in ipairs(made) do harness.remove(dir) end
  end)

  local W = [[
local o = require("orrery")
return o.workflow "w" {
  o.step "yes" { when = "changed('docs/**')", run = "echo ran-yes" },
  o.step "no" { when = "changed('src/**')", run = "echo ran-no" },
  o.step "head" { when = "changed('docs/**', 'HEAD')", run = "echo ran-head" },
}]]

  it("counts from the base of --affected, of --base, or the default one", function()
    local r = repo({ ["workflows/w.lua"] = W })
    r:git("checkout -q -b side")
    r:write("docs/x.md", "2\n")
    r:commit("two")
    harness.check(r:orrery("run w"), { stdout = { "ran-yes", "!ran-no", "!ran-head" } })
    harness.check(r:orrery("run w --base=HEAD"), { stdout = { "!ran-yes", "!ran-no" } })
    harness.check(r:orrery("run w --affected=-", { stdin = "src/z\nworkflows/w.lua\n" }),
      { stdout = { "!ran-yes", "ran-no" } })
  end)

  it("is there for agents' conditions", function()
    local r = repo({ ["workflows/g.yaml"] = [[
name: g
steps:
  - step: one
    agent: writer
    condition: "changed('docs/**')"
  - step: two
    agent: writer
    condition: "changed('src/**')"
]] })
    r:write("docs/x.md", "2\n")
    local got = r:orrery("run g --agent mock --json")
    local d, by = decode(got.stdout), {}
    for _, s in ipairs(d.steps) do by[s.id] = s.status end
    assert.same({ one = "ok", two = "skipped" }, by)
  end)

  it("is answered from memory the second time, by the same words of a script", function()
    local r = repo({ ["s.lua"] = [[
local git = require("orrery.git")
local repo = git.open()
local base = repo:base()
print(base.ref, table.concat(repo:changed { "docs/**", base = base.ref }, ","))
-- Files that changed this instant cannot vouch for themselves yet.
local began = os.time()
repeat repo:changed { "docs/**", base = base.ref }
until repo:stats().hits > 0 or os.time() - began > 20
print("remembered", repo:stats().hits)
print(repo:read("HEAD", "docs/x.md"), repo:read("HEAD", "none"), table.concat(repo:refs(), ","))
]] })
    r:git("tag v1")
    r:write("docs/x.md", "2\n")
    r:git("add -A")
    harness.check(r:orrery("lua s.lua"), { stdout = { "main\tdocs/x.md\n", "remembered\t1\n",
      "x\n\tnil\tmain,v1\n" } })
  end)
end)
