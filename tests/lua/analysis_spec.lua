-- Work, wall, saved and the critical path, from events alone.
local analysis = require("orrery.run.records.analysis")
local fakes = dofile("tests/lua/fakes.lua")
local journal = require("orrery.run.records.journal")

local function plan(steps, groups) return { ev = "plan", steps = steps, groups = groups or {} } end
local function done(id, seconds, more)
  local ev = { ev = "step_finished", id = id, status = "ok", seconds = seconds }
  for k, v in pairs(more or {}) do ev[k] = v end
  return ev
end

describe("the analysis", function()
  after_each(fakes.clean)

  it("finds the longest path along real edges", function()
    local r = analysis.of({ plan({ { id = "a", kind = "run", needs = {} },
      { id = "b", kind = "run", needs = { "a" } }, { id = "c", kind = "run", needs = { "a" } },
      { id = "d", kind = "run", needs = { "b", "c" } }, { id = "e", kind = "run", needs = {} } }),
      done("e", 5), done("a", 1), done("c", 1), done("b", 3), done("d", 2) })
    assert.are.same({ seconds = 6, path = { "a", "b", "d" } }, r.critical)
  end)

  it("takes saved to be work less wall, also when that is negative", function()
    local r = analysis.of({ plan({ { id = "a", kind = "run", needs = {} },
      { id = "b", kind = "run", needs = {} } }), done("a", 2), done("b", 3),
      { ev = "run_finished", wall = 3.5 } })
    assert.are.same({ 5, 3.5, 1.5 }, { r.work, r.wall, r.saved })
    local slow = analysis.of({ done("a", 1, { kind = "run" }), { ev = "run_finished", wall = 2 } })
    assert.are.equal(-1, slow.saved)
  end)

  it("goes through groups: what they need, and their members", function()
    local r = analysis.of({ plan({ { id = "z", kind = "run", needs = {} },
      { id = "m", kind = "run", group = "g", needs = {} },
      { id = "n", kind = "run", group = "g", needs = {} },
      { id = "last", kind = "run", needs = { "g" } } },
      { { id = "g", needs = { "z" } } }),
      done("z", 1), done("n", 1), done("m", 4), done("last", 1) })
    assert.are.same({ seconds = 6, path = { "z", "m", "last" } }, r.critical)
  end)

  it("goes through members of a fan-out", function()
    local r = analysis.of({ plan({ { id = "f", kind = "run", needs = {} },
      { id = "last", kind = "run", needs = { "f" } } }),
      { ev = "step_added", id = "f[1]", kind = "run", group = "f", needs = {} },
      { ev = "step_added", id = "f[2]", kind = "run", group = "f", needs = {} },
      done("f[1]", 1), done("f[2]", 2), done("last", 1) })
    assert.are.same({ seconds = 3, path = { "f[2]", "last" } }, r.critical)
  end)

  it("counts the time of inner steps once, and names them in the path", function()
    local r = analysis.of({ plan({ { id = "a", kind = "run", needs = {} },
      { id = "w", kind = "workflow", needs = { "a" } } }),
      done("a", 1), { ev = "step_added", id = "w/x", kind = "run", needs = {} },
      { ev = "step_added", id = "w/y", kind = "run", needs = { "w/x" } },
      done("w/x", 2), done("w/y", 3), done("w", 5) })
    assert.are.equal(6, r.work)
    assert.are.same({ seconds = 6, path = { "a", "w/x", "w/y" } }, r.critical)
  end)

  it("does not count waiting for people as work", function()
    local r = analysis.of({ plan({ { id = "ask", kind = "approve", needs = {} } }),
      done("ask", 3600) })
    assert.are.equal(0, r.work)
  end)

  it("counts what became of steps", function()
    local r = analysis.of({ { ev = "hits", ids = { "a", "b" } }, done("c", 1, { cached = "hit" }),
      done("d", 1), done("e", 1, { status = "failed" }), { ev = "step_skipped", id = "f" },
      done("g", 1, { status = "cancelled" }) })
    assert.are.same({ ok = 4, failed = 1, skipped = 1, cancelled = 1, cached = 3, ran = 3 },
      r.counts)
  end)

  it("says the same of a run while it goes on and of its journal afterwards", function()
    local record = fakes.run({ { id = "a", act = { takes = 1 } },
      { id = "g", limit = 2, members = { { id = "b", needs = "a", act = { takes = 2 } },
        { id = "c", act = { takes = 9 } } } }, { id = "d", needs = "g", act = { takes = 1 } } },
      { jobs = 4 })
    assert.are.same({ "c", "d" }, record.report.critical.path)
    assert.are.equal(13, record.report.work)
    assert.are.equal(10, record.report.wall)
    assert.are.equal(3, record.report.saved)
    local events = journal.read(record.dir .. "/journal.jsonl")
    assert.are.same(record.report, analysis.of(events))
  end)

  it("keeps of a step that ended only what somebody may ask for", function()
    local a = analysis.new()
    a:take(plan({ { id = "a", kind = "run", needs = {} }, { id = "b", kind = "run", needs = {} },
      { id = "c", kind = "run", needs = { "a" } } }))
    for _, ev in ipairs { done("a", 1), done("b", 1), done("c", 1) } do a:take(ev) end
    assert.is_table(a.units.a)
    assert.is_nil(a.units.b or a.units.c)
    assert.is_nil(next(a.known))
    assert.are.same({ "a", "c" }, a:report().critical.path)
  end)
end)
