-- What is kept of a step's result when it has ended, and where no result may be cut.
local fakes = dofile("tests/lua/fakes.lua")
local node = require("orrery.run.graph.node")
local project = require("tests.lua.project")
local remains = require("orrery.run.graph.remains")

local function may_cut(inner, opts)
  local wf = project.flow(inner)
  return remains.are_few({ workflow = wf, prefix = "", opts = opts or { brief = true } })
end

local function sched_of() return { nodes = {}, order = {} } end

describe("results of a run", function()
  after_each(fakes.clean)

  it("are cut where all steps are commands and nobody asked for a record", function()
    local flow = 'o.step "a" { run = "x" }, o.step "b" { run = "y", needs = "a" }'
    assert.is_true(may_cut(flow))
    assert.is_false(may_cut(flow, {}))
  end)

  it("are whole where something may read them", function()
    for _, inner in ipairs {
      'o.step "a" { run = "x" }, o.step "b" { run = "echo {{results.a.stdout}}", needs = "a" }',
      'o.step "a" { run = "x" }, o.step "b" { run = "y", needs = "a", '
        .. 'when = function(ctx) return ctx.results.a.ok end }',
      'o.step "a" { call = function() return 1 end }',
      'o.step "a" { run = "x" }, o.step "b" { run = "y", needs = "a", '
        .. 'env = { V = "{{results.a.exit}}" } }',
      'result = "{{results.a.stdout}}", o.step "a" { run = "x" }',
      'o.step "a" { run = "x" }, o.group "g" { needs = "a", when = "results.a.ok", '
        .. 'o.step "b" { run = "y" } }',
    } do
      assert.is_false(may_cut(inner), inner)
    end
  end)

  it("keep digest and outputs of a step that something waits for", function()
    local sched = sched_of()
    local owner = node.new(sched, { id = "g" }, "group")
    local a = node.new(sched, { id = "a", kind = "run" }, "step", owner)
    local result = { ok = true, status = "ok", digest = "d", outputs = { "o" }, stdout = "long" }
    assert.is_nil(remains.of(a, result))
    owner.outs = { {} }
    assert.same({ ok = true, status = "ok", digest = "d", outputs = { "o" } },
      remains.of(a, result))
  end)

  it("keep all of what did not go well", function()
    local a = node.new(sched_of(), { id = "a", kind = "run" }, "step")
    local failed = { ok = false, status = "failed", stdout = "long" }
    assert.equal(failed, remains.of(a, failed))
  end)

  it("are in the record of a run in a script, each as it was", function()
    local record = fakes.run({ { id = "a", act = { value = 7 } } })
    assert.equal(7, record.steps.a.value)
    assert.equal(7, record.results.a.value)
  end)
end)

describe("the nodes of a scheduler", function()
  it("keep once what neighbours have in common", function()
    local sched = sched_of()
    local a = node.new(sched, { id = "a", kind = "run" }, "step")
    local b = node.new(sched, { id = "b", kind = "run" }, "step")
    for _, n in ipairs { a, b } do node.rank(n, 3) end
    assert.equal(getmetatable(a), getmetatable(b))
    assert.is_nil(rawget(a, "prio") or rawget(b, "prio") or rawget(a, "sched"))
    node.rank(b, 5)
    assert.same({ 3, 5 }, { a.prio, b.prio })
  end)
end)
