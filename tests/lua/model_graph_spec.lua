local fan = require("orrery.model.fan")
local graph = require("orrery.model.graph")
local load = require("orrery.model.load")
local project = dofile("tests/lua/project.lua")

local function order(wf)
  local out = {}
  for i, s in ipairs(wf.graph.order) do out[i] = s.id end
  return table.concat(out, " ")
end

local function keys(set)
  local out = {}
  for k in pairs(set) do out[#out + 1] = k end
  table.sort(out)
  return table.concat(out, " ")
end

describe("edges", function()
  it("a literal input implies a need of who writes it", function()
    local wf = project.flow([[
      o.step "use" { run = "x", inputs = { "out/a", "dir/in/b", "gen/x.lua", "all/" } },
      o.step "file" { run = "x", outputs = { "out/a" } },
      o.step "dir" { run = "x", outputs = { "dir/" } },
      o.step "glob" { run = "x", outputs = { "gen/*.lua" } },
      o.step "below" { run = "x", outputs = { "all/of/it" } },
      o.step "other" { run = "x", outputs = { "gen/deep/x.txt" } } ]])
    assert.are.same({ "file", "dir", "glob", "below" }, wf.by_id.use.needs)
    assert.are.same({ file = "out/a", dir = "dir/in/b", glob = "gen/x.lua", below = "all" },
      wf.by_id.use.implied)
  end)

  it("globs and excluded inputs imply nothing, nor does an own output", function()
    local wf = project.flow([[
      o.step "use" { run = "x", inputs = { "out/*", "!out/a", "mine" }, outputs = { "mine" } },
      o.step "file" { run = "x", outputs = { "out/a" } } ]])
    assert.are.same({}, wf.by_id.use.needs)
  end)

  it("templates of params, item and matrix are known while loading", function()
    local wf = project.flow([[ params = { d = "out" },
      o.step "use" { run = "x", inputs = { "out/1" } },
      o.step "make" { run = "x", matrix = { n = { 1, 2 } }, outputs = { "{{params.d}}/{{matrix.n}}" } } ]])
    assert.are.same({ "make[1]" }, wf.by_id.use.needs)
  end)

  it("what a group needs, its members need", function()
    local wf = project.flow([[
      o.step "a" { run = "x" }, o.step "b" { run = "x" },
      o.group "g" { needs = "a", o.group "h" { after = "b", o.step "c" { run = "x", needs = "a" } } } ]])
    assert.are.same({ "a" }, wf.by_id.c.needs)
    assert.are.same({ "b" }, wf.by_id.c.after)
  end)

  it("a step itself stands for its id in needs", function()
    local wf = project.load([[local o = require("orrery")
      local a = o.step "a" { run = "x" }
      return o.workflow { a, o.step "b" { run = "x", needs = { a } } }]])
    assert.are.same({ "a" }, wf.by_id.b.needs)
    assert.are.equal("x", wf.name)
  end)
end)

describe("order", function()
  it("is the file's where it is free", function()
    assert.are.equal("b a c d", order(project.flow([[ o.step "a" { run = "x", needs = "b" },
      o.step "b" { run = "x" }, o.step "c" { run = "x" }, o.step "d" { run = "x" } ]])))
  end)

  it("puts all members before what needs the group, and finally steps after them", function()
    local wf = project.flow([[
      o.step "z" { run = "x", needs = "g" },
      o.group "g" { o.step "a" { run = "x" }, o.step "b" { run = "x" },
        finally = { o.step "f" { run = "x" } } },
      finally = { o.step "y" { run = "x" } } ]])
    assert.are.equal("a b f z y", order(wf))
    assert.are.equal("a b f g", keys(wf.graph:upstream("z")))
    assert.is_true(wf.graph:is_before("a", "z"))
    assert.is_false(wf.graph:is_before("z", "a"))
  end)

  it("a chain of thousands is no deep recursion, a wide group no square of edges", function()
    local wf = project.load([[local o = require("orrery")
      local chain, wide, more = {}, {}, {}
      for i = 1, 3000 do
        chain[i] = o.step("c" .. i) { run = "x", needs = i < 3000 and "c" .. i + 1 or nil }
        wide[i] = o.step("w" .. i) { run = "x" }
        more[i] = o.step("m" .. i) { run = "x" }
      end
      return o.workflow { chain, o.group "wide" { wide }, o.group "more" { needs = "wide", more } }]])
    assert.are.equal("c3000", wf.graph.order[1].id)
    assert.are.equal(9000, #wf.graph.order)
    local edges = 0
    for _, list in pairs(wf.graph.edges) do edges = edges + #list end
    for _, ends in ipairs { wf.graph.start_node, wf.graph.core_node } do
      for _, n in pairs(ends) do edges = edges + #n.before end
    end
    assert.is_true(edges < 40000)
  end)

  it("graph.describe is only asked when there is a loop", function()
    assert.are.same({}, project.flow('o.step "a" { run = "x" }').graph.loops)
    assert.is_function(graph.describe)
  end)
end)

describe("fan-out", function()
  local function labels(f, items)
    local out = {}
    for i, e in ipairs(fan.entries(f, items, { params = {} })) do out[i] = e.label end
    return table.concat(out, " ")
  end

  it("a matrix is a product in sorted order of names, without what is excluded", function()
    assert.are.equal("1,a 1,b 2,b", labels({ kind = "matrix",
      exclude = { { n = 2, o = "a" } } }, { o = { "a", "b" }, n = { 1, 2 } }))
    assert.are.equal("", labels({ kind = "matrix" }, { o = {} }))
  end)

  it("lists, maps, labels and equal labels", function()
    assert.are.equal("x 2 x#2", labels({ kind = "for_each" }, { "x", { 1 }, "x" }))
    assert.are.equal("a b", labels({ kind = "for_each" }, { b = 1, a = 2 }))
    assert.are.equal("<f_1>", labels({ kind = "for_each", label = "<{{item.f}}>" },
      { { f = "f 1" } }))
  end)

  it("limits and wrong items raise", function()
    local function fails(f, items)
      local ok, e = pcall(fan.entries, f, items, { params = {} })
      assert.is_false(ok)
      return e.message
    end
    assert.are.equal("for_each has 3 members, at most 2 are allowed (max)",
      fails({ kind = "for_each", max = 2 }, { 1, 2, 3 }))
    assert.are.equal("for_each needs a list or a map, not a string",
      fails({ kind = "for_each" }, "x"))
    local many = {}
    for i = 1, 400 do many[i] = i end
    assert.are.equal("the matrix has more than 100000 combinations",
      fails({ kind = "matrix" }, { a = many, b = many }))
  end)

  it("a list from params is known while loading; an empty one is an empty group", function()
    local wf = project.flow([[ params = { l = { "p", "q" }, none = {} },
      o.step "a" { run = { "echo", "{{item}}" }, for_each = "{{params.l}}", limit = 1, policy = "race" },
      o.step "b" { run = "x", for_each = "{{params.none}}" },
      o.step "c" { run = "x", needs = { "a", "b" } } ]])
    assert.are.same({ "a[p]", "a[q]", "c" }, { wf.steps[1].id, wf.steps[2].id, wf.steps[3].id })
    assert.are.equal("q", wf.by_id["a[q]"].item)
    assert.are.equal(1, wf.by_id.a.limit)
    assert.are.equal("race", wf.by_id.a.policy.module)
    assert.are.same({}, wf.by_id.b.members)
  end)

  it("a bad item list is an error at its field", function()
    assert.are.equal("x.lua:3: error: for_each needs a list or a map, not a string",
      project.of('params = { l = "x" }, o.step "a" { run = "x",\n  for_each = "{{params.l}}" }'))
  end)
end)

describe("the list of steps", function()
  it("is flattened, with holes, false and nil", function()
    local wf = project.flow([[ false, nil, { o.step "a" { run = "x" }, { nil, o.step "b" { run = "x" } } },
      steps = { false, o.step "c" { run = "x" } } ]])
    assert.are.equal("a b c", order(wf))
  end)

  it("o.step with two arguments is the same, o.merge is deep for maps only", function()
    local wf = project.flow([[ o.step("a", o.merge({ run = { "x", "y" }, env = { A = "1", B = "1" } },
      { run = { "z" }, env = { B = "2" } }, nil, false)) ]])
    assert.are.same({ "z" }, wf.by_id.a.action)
    assert.are.same({ A = "1", B = "2" }, wf.by_id.a.env.set)
  end)
end)

describe("finding workflows", function()
  it("by name, by path, with the names there are; two files of one name are refused", function()
    project.with({ ["workflows/a.lua"] = "", ["workflows/ci/b.yaml"] = "", ["x.lua"] = "",
      ["workflows/c.lua"] = "", ["workflows/c.yaml"] = "" }, function(root)
      assert.are.equal(root .. "/workflows/a.lua", (load.find("a", root)))
      assert.are.equal(root .. "/workflows/ci/b.yaml", (load.find("ci/b", root)))
      assert.are.equal(root .. "/x.lua", (load.find("./x.lua", root)))
      local none, names = load.find("zz", root)
      assert.is_nil(none)
      assert.are.same({ "a", "c", "ci/b" }, names)
      local ok, e = pcall(load.find, "c", root)
      assert.is_false(ok)
      assert.are.equal("workflow 'c' is both workflows/c.lua and workflows/c.yaml", e.message)
    end)
  end)

  it("the list has docs and errors, and leaves modules out", function()
    project.with({
      ["workflows/a.lua"] = 'return require("orrery").workflow { doc = "A.", steps = {} }',
      ["workflows/b.yaml"] = "steps: 1", ["workflows/lib.lua"] = "return {}" }, function(root)
      local list = load.list(root)
      assert.are.equal(2, #list)
      assert.are.equal("A.", list[1].doc)
      assert.are.equal("workflows/b.yaml:1:8: error: steps must be a list of steps", list[2].error)
    end)
  end)
end)

describe("a step given at run time", function()
  local step = require("orrery.model.step")

  it("is made as o.step makes it, in the workflow's environment", function()
    local wf = project.flow('env = { A = "1" }, body = function() end')
    local s = step.one("lint", { run = "x", needs = "y", outputs = { "o/" } },
      { file = "x.lua", line = 9 }, wf)
    assert.are.equal("run", s.kind)
    assert.are.same({ A = "1" }, s.env.set)
    assert.is_true(s.outputs[1].dir)
  end)

  it("is refused with the place that asked", function()
    local wf = project.flow("body = function() end")
    local ok, e = pcall(step.one, "a b", { rnu = "x" }, { file = "x.lua", line = 9 }, wf)
    assert.is_false(ok)
    assert.are.equal("x.lua:9: error: id 'a b' contains a blank; ids have no blanks and no brackets\n"
      .. "x.lua:9: error: unknown field 'rnu'; did you mean 'run'?", e.message)
  end)
end)
