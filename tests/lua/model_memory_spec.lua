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

  local function own_fields(t)
    local n = 0
    for _ in next, t do n = n + 1 end
    return n
  end

  it("has no fields for what it does not ask for, nor for what its neighbours have", function()
    local wf = project.flow('o.step "a" { run = "x" }, '
      .. 'o.step "b" { run = "x", inputs = { "a" }, outputs = { "b" } }')
    assert.is_true(own_fields(wf.by_id.a) <= 5)
    assert.is_true(own_fields(wf.by_id.b) <= 7, "with one more while loading it doubles")
    assert.equal(getmetatable(wf.by_id.a), getmetatable(wf.by_id.b))
  end)

  it("shares its place with those of the same line", function()
    local wf = project.load([[local o = require("orrery")
      local steps = {}
      for i = 1, 3 do steps[i] = o.step("s" .. i) { run = "x" } end
      return o.workflow { steps, o.step "other" { run = "x" } }]])
    assert.equal(wf.by_id.s1.place, wf.by_id.s3.place)
    assert.equal(3, wf.by_id.s3.place.line)
    assert.equal(4, wf.by_id.other.place.line)
  end)

  it("keeps nothing that was only needed while loading", function()
    local wf = project.flow('o.step "a" { run = "x" }, o.group "g" { o.step "b" { run = "x" } }')
    assert.is_nil(wf.node or wf.declared or wf.by_id.a.node or wf.by_id.g.node)
    assert.is_nil(next(wf.graph))
    assert.is_true(wf.graph:is_before("a", "b") == false)
  end)

  it("takes little memory, its own fields included", function()
    local text = [[local o = require("orrery")
      local steps = {}
      for i = 1, %d do steps[i] = o.step("s" .. i) { run = "x" } end
      return o.workflow { steps }]]
    local function size(n)
      collectgarbage()
      local before = collectgarbage("count")
      local wf = project.load(text:format(n))
      collectgarbage()
      return collectgarbage("count") - before, wf
    end
    local few, many = size(100), size(2100)
    assert.is_true((many - few) / 2000 < 0.75, (many - few) / 2000 .. " KB a step")
  end)
end)
