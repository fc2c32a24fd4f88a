-- run --affected, and changed() in a condition, in real git repositories.
local harness = require("tests.cli.harness")
local json = require("orrery.core.json")
local repos = require("tests.cli.repos")
local repo = repos.new

describe("run --affected", function()
  after_each(repos.remove)

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
    local d = assert(json.decode(got.stdout))
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
  after_each(repos.remove)

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
    local d, by = assert(json.decode(got.stdout)), {}
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
