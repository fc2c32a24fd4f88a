local project = dofile("tests/lua/project.lua")

local function says(text) return project.says(text, { file = "x.yaml" }) end
local function flow(text, opts)
  opts = opts or {}
  opts.file = "x.yaml"
  return project.load(text, opts)
end

describe("a workflow in YAML", function()
  it("keeps the text of ids, words and values that look like numbers", function()
    local wf = flow([[
steps:
  - { id: 0.10, run: [echo, 1.10, true, 0x1F] }
  - { id: 0.1, needs: 0.10, run: "x", env: { PORT: 08080, V: 1.10, ON: yes } }
  - { id: 2, needs: [0.10, 0.1], run: "x", when: true }
]])
    assert.are.same({ "echo", "1.10", "true", "0x1F" }, wf.by_id["0.10"].action)
    assert.are.same({ PORT = "08080", V = "1.10", ON = "yes" }, wf.by_id["0.1"].env.set)
    assert.are.same({ "0.10", "0.1" }, wf.by_id["2"].needs)
    assert.are.equal("true", wf.by_id["2"].when)
  end)

  it("has groups, with policies that take options", function()
    local wf = flow([[
name: site
doc: Builds.
steps:
  - group: checks
    policy: { name: quorum, need: 2 }
    limit: 3
    steps:
      - { id: a, run: x }
      - { id: b, run: x, needs: a }
    finally:
      - { id: c, run: x }
finally: [ { id: d, run: x } ]
]])
    assert.are.equal("site", wf.name)
    assert.are.same({ module = "quorum", options = { need = 2 } }, wf.by_id.checks.policy)
    assert.are.equal(3, wf.by_id.checks.limit)
    assert.are.equal("checks", wf.by_id.b.group.id)
    assert.is_true(wf.by_id.c.final)
    assert.are.equal("d", wf.top.finally[1].id)
    assert.are.equal("yaml", wf.form)
  end)

  it("has params as defaults or as specs, and a required one", function()
    local wf = flow("params: { n: 4, env: { choices: [a, b], default: a }, m: { x: 1 }, s: ~ }\nsteps: []",
      { params = { n = "5" } })
    assert.are.same({ n = 5, env = "a", m = { x = 1 } }, wf.values)
    local ok, e = pcall(flow, "params: { who: { required: true } }\nsteps: []")
    assert.is_false(ok)
    assert.are.equal("usage", e.code)
  end)

  it("fans out as in Lua", function()
    local wf = flow("steps: [ { id: a, run: x, matrix: { k: [1, 2], exclude: [ { k: 1 } ] } } ]")
    assert.are.equal("a[2]", wf.steps[1].id)
  end)

  it("calls functions of modules", function()
    local wf = flow("steps: [ { id: a, call: \"tool:go\" } ]",
      { files = { ["lua/tool.lua"] = "return { go = function() end }" } })
    assert.are.equal("tool:go", wf.by_id.a.action)
    assert.are.equal('x.yaml:1:25: error: \'return 1\' is no function; name one as '
      .. '"module:function"', says("steps: [ { id: a, call: return 1 } ]"))
  end)

  it("is the default name of its file", function()
    assert.are.equal("x", flow("steps: []").name)
  end)
end)

describe("what is wrong in YAML has line and column", function()
  it("unknown fields, wrong types, duplicates", function()
    assert.are.equal([[
x.yaml:2:34: error: unknown field 'depends_on'; here it is called 'needs'
x.yaml:3:32: error: 'timeout' must be text or a number, not a table
x.yaml:4:5: error: duplicate id 'a'; the first is at x.yaml:2]], says([[
steps:
  - { id: a, run: x, depends_on: b }
  - { id: c, run: x, timeout:  [] }
  - { id: a, run: x }
]]))
  end)

  it("items that are no steps", function()
    assert.are.equal([[
x.yaml:2:5: error: a step is a map with an id, not text; write - { id: name, run: "make" }
x.yaml:3:5: error: the step has no id; write - id: build
x.yaml:4:5: error: the step has no id; write id: name]], says([[
steps:
  - make
  - build: { run: x }
  - run: x
]]))
    assert.are.equal("x.yaml:2:3: error: steps must be a list of steps; write each with a dash: "
      .. "- id: name", says("steps:\n  build: { run: x }"))
  end)

  it("a body, an empty file, a list, and text that is no YAML", function()
    assert.are.equal("x.yaml:1:7: error: a body is Lua; write the workflow as a .lua file, or nest "
      .. "one: workflow: name\nx.yaml:1: error: the workflow has no steps; add o.step \"id\" { run = … }",
      says("body: x"))
    assert.are.equal("x.yaml:1: error: the file is empty; write name:, params: and steps:", says(""))
    assert.are.equal("x.yaml:1: error: a workflow is a map; write name:, params: and steps:",
      says("- a"))
    assert.truthy(says("steps: [\n"):find("^x.yaml:2:1: error: "))
  end)
end)
