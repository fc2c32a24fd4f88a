-- Fan-out at run time: members, limits, records.
local fakes = dofile("tests/lua/fakes.lua")

local function fanned(fan, act, more)
  local u = { id = "f", needs = "src", fan = fan, act = act or {} }
  for k, v in pairs(more or {}) do u[k] = v end
  return { { id = "src", act = { value = { "x", "y", "z" } } }, u, { id = "last", needs = "f" } }
end

local function from_src() return { kind = "for_each", items = "{{results.src.value}}" } end

describe("a fan-out", function()
  after_each(fakes.clean)

  it("runs a member for each item of a result, then what needs it", function()
    local record, exec = fakes.run(fanned(from_src(), { value = 7 }), { jobs = 1 })
    assert.are.same({ "src", "f[x]", "f[y]", "f[z]", "last" }, exec.started)
    local f = record.results.f
    assert.is_true(f.ok)
    assert.are.same({ 7, 7, 7 }, { table.unpack(f.values) })
    assert.are.same({ 7, 7, 7 }, { table.unpack(f.value) })
    assert.are.equal(7, record.results["f[y]"].value)
  end)

  it("announces its members in the journal", function()
    local _, _, events = fakes.run(fanned(from_src()))
    local added, finished = {}, nil
    for _, ev in ipairs(events) do
      if ev.ev == "step_added" then added[#added + 1] = ev.id .. " in " .. ev.group end
      if ev.ev == "group_finished" and ev.id == "f" then finished = ev end
    end
    assert.are.same({ "f[x] in f", "f[y] in f", "f[z] in f" }, added)
    assert.are.equal(3, finished.passed)
  end)

  it("runs at most limit members at once", function()
    local fan = from_src()
    fan.limit = 2
    local _, exec = fakes.run(fanned(fan, { takes = 1 }), { jobs = 8 })
    assert.are.equal(2, exec.most)
  end)

  it("over nothing is ok", function()
    local record, exec = fakes.run(fanned({ kind = "for_each", items = function() return {} end }))
    assert.are.same({ "src", "last" }, exec.started)
    assert.is_true(record.results.f.ok)
    assert.are.equal(0, #record.results.f.values)
  end)

  it("over more than max is an error", function()
    local fan = from_src()
    fan.max = 2
    local record = fakes.run(fanned(fan))
    assert.are.equal(1, record.code)
    assert.matches("3 members, at most 2", record.results.f.error.message)
  end)

  it("over what is absent is an error that names it", function()
    local record = fakes.run(fanned({ kind = "for_each", items = "{{results.src.stdout}}" }))
    assert.are.equal("failed", record.results.f.status)
    assert.are.equal("skipped", record.results.last.status)
  end)

  it("of a matrix has a member for each combination but the excluded", function()
    local _, exec = fakes.run(fanned({ kind = "matrix", matrix = { a = { 1, 2 }, b = { "p", "q" } },
      exclude = { { a = 2, b = "p" } } }), { jobs = 1 })
    assert.are.same({ "src", "f[1,p]", "f[1,q]", "f[2,q]", "last" }, exec.started)
  end)

  it("inherits the policy: a failure stops it, and with settled does not", function()
    local exec = fakes.exec()
    local step = exec.step
    function exec.step(run, s)
      if s.id == "f[x]" then
        s = setmetatable({ act = { fails = true } }, { __index = s })
      end
      return step(run, s)
    end
    fakes.run(fanned(from_src()), { jobs = 1, exec = exec })
    assert.are.same({ "src", "f[x]" }, exec.started)
    exec.started = {}
    local record = fakes.run(fanned(from_src()), { jobs = 1, exec = exec, keep_going = true })
    assert.are.same({ "src", "f[x]", "f[y]", "f[z]" }, exec.started)
    assert.are.same({ "f[x]" }, { table.unpack(record.results.f.failed) })
    assert.are.same({ "f[x]" }, record.failed)
  end)

  it("is skipped as a whole when what it needs failed", function()
    local members = fanned(from_src())
    members[1].act.fails = true
    local record = fakes.run(members, { keep_going = true })
    assert.are.equal("skipped", record.results.f.status)
    assert.are.equal("src", record.results.last.cause)
  end)

  it("lets when decide for each member", function()
    local exec = fakes.exec()
    local step = exec.step
    function exec.step(run, s)
      if s.item == "y" then s = setmetatable({ when = false }, { __index = s }) end
      return step(run, s)
    end
    local record = fakes.run(fanned(from_src()), { jobs = 1, exec = exec })
    assert.are.equal(0, record.code)
    assert.are.same({ "f[y]" }, { table.unpack(record.results.f.skipped) })
    assert.are.same({ "f[x]", "f[z]" }, { table.unpack(record.results.f.passed) })
  end)
end)
