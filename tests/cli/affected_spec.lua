-- orrery affected, in real git repositories.
local harness = require("tests.cli.harness")
local json = require("orrery.core.json")
local repos = require("tests.cli.repos")
local repo, folder = repos.new, repos.folder
local CI, GIT = repos.CI, repos.GIT

describe("orrery affected", function()
  after_each(repos.remove)

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
    local d = assert(json.decode((r:affected("--json"))))
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
      local none, said = r:affected("-", { stdin = "" })
      assert.equal("", none)
      assert.truthy(said:find("no step is affected by a list of files; 0 changed files", 1, true), said)
    end)

    it("works outside of any repository, and takes absolute paths", function()
      local f = folder()
      f:write("workflows/ci.lua", CI)
      f:write("orrery.lua", 'return { default = "ci" }')
      local d = assert(json.decode((f:affected("- --json", { stdin = f.dir .. "/docs/a.md\n./src/x\n" }))))
      assert.same({ "docs/a.md", "src/x" }, table.move(d.files, 1, #d.files, 1, {}))
      assert.equal(require("orrery.core.pack").null, d.base)
    end)

    it("names what lies outside the root, and ignores it", function()
      local out, err = repo():affected("-", { stdin = "/etc/passwd\n../x\nsrc/b.c\n" })
      assert.equal("lint: src/b.c changed\n", out)
      assert.truthy(err:find("outside the root, ignored: /etc/passwd, ../x", 1, true))
    end)

    it("says that a file may be new to a glob of the workflow", function()
      local f = folder()
      f:write("src/a.c", "")
      f:write("workflows/w.lua", [[local o = require("orrery") local fs = require("orrery.fs")
        return o.workflow "w" { o.step "s" { run = "true " .. #fs.glob("src/*.c") } }]])
      assert.equal("s: src/a.c may be new to the workflow's fs.glob 'src/*.c'; without a base it "
        .. "cannot be compared\n", (f:affected("w -", { stdin = "src/a.c\n" })))
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
