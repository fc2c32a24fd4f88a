-- What a loaded step takes: plain steps share what they have in common.
local build = require("orrery.model.build")
local project = require("tests.lua.project")

local SHARED = { "needs", "after", "implied", "input_names", "output_names", "outputs" }

describe("a loaded step", function()
  it("shares its empty lists with the others", function()
    local wf = project.flow('o.step "a" { run = "x" }, o.step "b" { run = "x" }')
    for _, name in ipairs(SHARED) do
      assert.equal(build.none, wf.by_id.a[name])
      assert.equal(build.none, wf.by_id.b[name])
    end
  end)

  it("has lists of its own where there is something in them", function()
    project.flow('o.step "a" { run = "x", outputs = { "a.txt" } }, '
      .. 'o.step "b" { run = "x", inputs = { "a.txt" }, after = "c" }, '
      .. 'o.group "g" { needs = "a", o.step "d" { run = "x" } }, o.step "c" { run = "x" }, '
      .. 'finally = { o.step "e" { run = "x" } }')
    assert.is_nil(next(build.none))
  end)

  it("has no fields for what it does not ask for", function()
    local a = project.flow('o.step "a" { run = "x" }').by_id.a
    local n = 0
    for _ in pairs(a) do n = n + 1 end
    assert.is_true(n <= 16, n .. " fields: more than 16 double the table")
  end)
end)
