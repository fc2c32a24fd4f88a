-- What orrery affected counts from: bases, clones without them, odd repositories.
local harness = require("tests.cli.harness")
local repos = require("tests.cli.repos")
local repo, folder = repos.new, repos.folder
local CI, GIT = repos.CI, repos.GIT

describe("the base of orrery affected", function()
  after_each(repos.remove)

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
end)
