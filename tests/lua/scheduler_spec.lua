-- The scheduler through the engine: order, places, groups, skips.
local fakes = dofile("tests/lua/fakes.lua")
local loop = require("orrery.kernel.loop")

local function position(list, id)
  for i, v in ipairs(list) do
    if v == id then return i end
  end
end

describe("the scheduler", function()
  after_each(fakes.clean)

  it("runs what is needed before what needs it", function()
    local record, exec = fakes.run({ { id = "b", needs = "a" }, { id = "a" },
      { id = "c", needs = { "a", "b" } } }, { jobs = 4 })
    assert.are.same({ "a", "b", "c" }, exec.started)
    assert.are.equal(0, record.code)
    assert.are.equal("ok", record.status)
  end)

  it("runs as many at once as there are jobs, and no more", function()
    local members = {}
    for i = 1, 6 do members[i] = { id = "s" .. i, act = { takes = 1 } } end
    local record, exec = fakes.run(members, { jobs = 2 })
    assert.are.equal(2, exec.most)
    assert.are.equal(3, record.seconds)
  end)

  it("gives a place on that was vacated before the end there is worked off", function()
    local said = {}
    local exec = { step = function(run, step)
      local node = loop.current("test").node
      run.slots:tell(run.journal, { ev = "step_started", id = step.id })
      said[#said + 1] = "starts " .. step.id
      loop.sleep(step.act.takes)
      if run.slots:wanted(node) then run.slots:vacate(node) end
      said[#said + 1] = "is done " .. step.id
      local r = { ok = true, status = "ok", outputs = {}, seconds = 0, attempts = 1 }
      run.journal:finished(step, r)
      return r
    end }
    local members = { { id = "a", act = { takes = 1 } }, { id = "b", act = { takes = 1 } },
      { id = "c", act = { takes = 2 } }, { id = "d", act = { takes = 1 } } }
    local _, _, events = fakes.run(members, { jobs = 2, exec = exec })
    assert.are.same({ "starts a", "starts b", "starts c", "is done a", "starts d", "is done b",
      "is done d", "is done c" }, said)
    local told = {}
    for _, ev in ipairs(events) do
      if ev.ev:find("^step_") then told[#told + 1] = ev.ev:sub(6) .. " " .. ev.id end
    end
    assert.are.same({ "started a", "started b", "finished a", "started c", "finished b",
      "started d", "finished d", "finished c" }, told)
    said = {}
    fakes.run(members, { jobs = 1, exec = exec })
    assert.are.same({ "starts a", "is done a", "starts b", "is done b", "starts c", "is done c",
      "starts d", "is done d" }, said)
  end)

  it("starts the longest path first", function()
    local _, exec = fakes.run({ { id = "lone" }, { id = "head" }, { id = "tail", needs = "head" } },
      { jobs = 1 })
    assert.are.equal("head", exec.started[1])
  end)

  it("prefers what took long in earlier runs", function()
    local root = fakes.root()
    local function members()
      return { { id = "short", act = { takes = 1 } }, { id = "long", act = { takes = 9 } } }
    end
    local _, first = fakes.run(members(), { jobs = 1 }, { root = root })
    assert.are.equal("short", first.started[1])
    local _, second = fakes.run(members(), { jobs = 1 }, { root = root })
    assert.are.equal("long", second.started[1])
  end)

  it("skips what needs a failure, and names the root of it", function()
    local record, exec, events = fakes.run({ { id = "a", act = { fails = true } },
      { id = "b", needs = "a" }, { id = "c", needs = "b" }, { id = "d" } },
      { jobs = 1, keep_going = true })
    assert.are.equal(1, record.code)
    assert.are.same({ "a" }, record.failed)
    assert.is_nil(position(exec.started, "b"))
    assert.is_truthy(position(exec.started, "d"))
    local skips = {}
    for _, ev in ipairs(events) do
      if ev.ev == "step_skipped" then skips[ev.id] = ev.why .. " " .. ev.cause end
    end
    assert.are.same({ b = "failed a", c = "failed a" }, skips)
  end)

  it("lets what is ordered by after run whatever came before", function()
    local record, exec = fakes.run({ { id = "a", act = { fails = true } },
      { id = "b", after = "a" } }, { keep_going = true })
    assert.are.same({ "a", "b" }, exec.started)
    assert.are.equal(1, record.code)
  end)

  it("does not let a step skipped by its own condition block others", function()
    local record, exec = fakes.run({ { id = "a", when = false }, { id = "b", needs = "a" } })
    assert.are.same({ "b" }, exec.started)
    assert.are.equal("skipped", record.steps.a.status)
    assert.are.equal(0, record.code)
  end)

  it("does not let an allowed failure block or fail anything", function()
    local record, exec = fakes.run({ { id = "a", allow_failure = true, act = { fails = true } },
      { id = "b", needs = "a" } })
    assert.are.same({ "a", "b" }, exec.started)
    assert.are.equal(0, record.code)
  end)

  it("runs a step with a status word although what it needs failed", function()
    local _, exec = fakes.run({ { id = "a", act = { fails = true } },
      { id = "b", needs = "a", status_word = true }, { id = "c", needs = "a" } })
    assert.are.same({ "a", "b" }, exec.started)
  end)

  it("counts an error out of the executor as that step's failure", function()
    local record = fakes.run({ { id = "a", act = { raises = "no way" } } })
    assert.are.equal("failed", record.steps.a.status)
    assert.are.equal("boom", record.steps.a.error.class)
    assert.matches("no way", record.steps.a.error.message)
  end)

  it("runs a chain longer than Lua can recurse", function()
    local members = { { id = "s1" } }
    for i = 2, 3000 do members[i] = { id = "s" .. i, needs = "s" .. i - 1 } end
    local record, exec = fakes.run(members)
    assert.are.equal(3000, #exec.started)
    assert.are.equal(0, record.code)
  end)
end)

describe("groups", function()
  after_each(fakes.clean)

  it("without a policy are transparent, and have a record", function()
    local record, exec = fakes.run({
      { id = "g", members = { { id = "a", act = { value = 1 } }, { id = "b", needs = "z",
        act = { value = 2 } } } },
      { id = "z" }, { id = "last", needs = "g" } }, { jobs = 1 })
    assert.are.equal("last", exec.started[4])
    local g = record.results.g
    assert.is_true(g.ok)
    assert.are.same({ 1, 2 }, { g.values[1], g.values[2] })
    assert.are.same({ "a", "b" }, { g.passed[1], g.passed[2] })
  end)

  it("that are transparent fail with their members, and block", function()
    local record, exec = fakes.run({ { id = "g", members = { { id = "a", act = { fails = true } },
      { id = "b" } } }, { id = "z", needs = "g" } }, { keep_going = true })
    assert.is_nil(position(exec.started, "z"))
    assert.are.equal("failed", record.results.g.status)
    assert.are.equal("a", record.results.z.cause)
  end)

  it("run at most limit members at once", function()
    local members = {}
    for i = 1, 6 do members[i] = { id = "m" .. i, act = { takes = 1 } } end
    local record, exec = fakes.run({ { id = "g", limit = 2, members = members } }, { jobs = 8 })
    assert.are.equal(2, exec.most)
    assert.are.equal(3, record.seconds)
  end)

  it("with a limit let a failure of theirs stop the others at once", function()
    local _, exec = fakes.run({
      { id = "g", limit = 4, members = { { id = "a", act = { takes = 1, fails = true } },
        { id = "b", act = { takes = 9 } } } },
      { id = "x", act = { takes = 2 } }, { id = "y", needs = "x" } }, { jobs = 8 })
    assert.is_nil(position(exec.started, "y"))
  end)

  it("begin when what they need has ended", function()
    local _, exec = fakes.run({ { id = "g", needs = "z", members = { { id = "a" } } },
      { id = "z", act = { takes = 3 } } }, { jobs = 8 })
    assert.are.equal(3, exec.now.a)
  end)

  it("skip all their members when what they need failed", function()
    local record = fakes.run({ { id = "g", needs = "z", members = { { id = "a" },
      { id = "h", members = { { id = "b" } } } } }, { id = "z", act = { fails = true } } })
    assert.are.equal("skipped", record.results.a.status)
    assert.are.equal("skipped", record.results.b.status)
    assert.are.equal("z", record.results.b.cause)
    assert.are.equal("skipped", record.results.h.status)
  end)

  it("take no job slot", function()
    local record = fakes.run({ { id = "g", limit = 1, members = { { id = "h", limit = 1,
      members = { { id = "a", act = { takes = 1 } } } } } } }, { jobs = 1 })
    assert.are.equal(0, record.code)
  end)

  it("that wait for each other are an error, not a hang", function()
    local record = fakes.run({
      { id = "g", limit = 1, members = { { id = "a", needs = "b" } } },
      { id = "h", needs = "g", members = { { id = "b" } } } })
    assert.are.equal(1, record.code)
    assert.matches("nothing runs and nothing can start: 'a' waits for 'b'",
      record.results.g.error.message)
  end)
end)

describe("finally", function()
  after_each(fakes.clean)

  it("runs in order after all else, also after a failure", function()
    local record, exec = fakes.run({ { id = "a", act = { fails = true, takes = 1 } },
      { id = "b", act = { takes = 5 } } },
      { jobs = 4 }, { finally = { { id = "f1", act = { takes = 1 } }, { id = "f2" } } })
    assert.are.same({ "a", "b", "f1", "f2" }, exec.started)
    assert.are.equal(5, exec.now.f1)
    assert.are.equal(6, exec.now.f2)
    assert.are.same({ "a" }, record.failed)
  end)

  it("that fails fails the run, and never hides the first failure", function()
    local record = fakes.run({ { id = "a" } }, {}, { finally = { { id = "f",
      act = { fails = true } } } })
    assert.are.equal(1, record.code)
    assert.are.same({ "f" }, record.failed)
    local both = fakes.run({ { id = "a", act = { fails = true } } }, {},
      { finally = { { id = "f", act = { fails = true } } } })
    assert.are.same({ "a", "f" }, both.failed)
  end)

  it("of a group runs when the group is over, before what needs the group", function()
    local _, exec = fakes.run({ { id = "g", members = { { id = "a" } },
      finally = { { id = "f" } } }, { id = "z", needs = "g" } })
    assert.are.same({ "a", "f", "z" }, exec.started)
  end)
end)

describe("a run that is interrupted", function()
  after_each(fakes.clean)

  it("by its time limit cancels what runs, runs finally, and exits 124", function()
    local record, exec = fakes.run({ { id = "a", act = { takes = 100 } }, { id = "b",
      needs = "a" } }, { timeout = 5 }, { finally = { { id = "f" } } })
    assert.are.equal(124, record.code)
    assert.are.equal("interrupted", record.status)
    assert.are.equal("cancelled", record.steps.a.status)
    assert.are.equal("skipped", record.steps.b.status)
    assert.are.same({ "a", "f" }, exec.started)
    assert.are.equal(5, record.seconds)
  end)

  it("by Ctrl-C exits 130, and the second one ends finally too", function()
    local core = require("orrery.kernel.virtual").new()
    local engine = require("orrery.run.engine")
    local exec = fakes.exec()
    local step = exec.step
    function exec.step(run, s)
      core:emit({ kind = "signal", id = core.INT, name = "INT" })
      return step(run, s)
    end
    local wf = fakes.workflow({ { id = "a", act = { takes = 50 } } },
      { finally = { { id = "f", act = { takes = 50 } }, { id = "f2" } } })
    local record = engine.run(wf, { core = core, exec = exec, cache = "off" })
    assert.are.equal(130, record.code)
    assert.are.equal("cancelled", record.steps.a.status)
    assert.are.equal("cancelled", record.steps.f.status)
    assert.are.equal("skipped", record.steps.f2.status)
    assert.are.equal(0, record.seconds)
  end)
end)

describe("approval", function()
  after_each(fakes.clean)

  it("that is awaited lets independent steps finish, puts finally off, exits 8", function()
    local record, exec = fakes.run({ { id = "ask", kind = "approve", act = { waiting = true } },
      { id = "ship", needs = "ask" }, { id = "other" } }, {}, { finally = { { id = "f" } } })
    assert.are.equal(8, record.code)
    assert.are.equal("waiting", record.status)
    assert.is_truthy(position(exec.started, "other"))
    assert.is_nil(position(exec.started, "ship"))
    assert.is_nil(position(exec.started, "f"))
  end)
end)

describe("targets", function()
  after_each(fakes.clean)
  local function members()
    return { { id = "a" }, { id = "b", needs = "a" }, { id = "c", needs = "b" },
      { id = "x:1" }, { id = "x:2" } }
  end

  it("run with what they need", function()
    local _, exec = fakes.run(members(), { targets = { "b" } })
    assert.are.same({ "a", "b" }, exec.started)
  end)

  it("may be globs", function()
    local _, exec = fakes.run(members(), { targets = { "x:*" }, jobs = 1 })
    assert.are.same({ "x:1", "x:2" }, exec.started)
  end)

  it("run alone with only", function()
    local _, exec = fakes.run(members(), { targets = { "c" }, only = true })
    assert.are.same({ "c" }, exec.started)
  end)

  it("begin at from", function()
    local _, exec = fakes.run(members(), { from = "b" })
    assert.are.same({ "b", "c" }, exec.started)
  end)

  it("that do not exist are a usage error with a guess", function()
    local ok, err = pcall(fakes.run, { { id = "build" } }, { targets = { "biuld" } })
    assert.is_false(ok)
    assert.are.equal("usage", err.code)
    assert.matches("build", err.hint)
  end)
end)
