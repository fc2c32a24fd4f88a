-- Simulations: a finished run played again on virtual time.
local fakes = dofile("tests/lua/fakes.lua")
local simulate = require("orrery.run.simulate")

local function finished(members, opts)
  return fakes.run(members, opts or { jobs = 1 })
end

local function three()
  return { { id = "a", act = { takes = 4 } }, { id = "b", act = { takes = 2 } },
    { id = "c", needs = "a", act = { takes = 1 } } }
end

describe("a simulation", function()
  after_each(fakes.clean)

  it("of the same run takes what the run took", function()
    local record = finished(three())
    local s = simulate.run(record)
    assert.are.equal(7, record.seconds)
    assert.are.same({ 7, 7, 7 }, { s.wall, s.was, s.work })
    assert.are.same({ "a", "c" }, s.critical.path)
  end)

  it("says what more jobs would bring", function()
    assert.are.equal(5, simulate.run(finished(three()), { jobs = 2 }).wall)
  end)

  it("says what another policy would bring", function()
    local lifo = function(g)
      for s in g:ready { order = "last" } do g:start(s) end
      return g:settle()
    end
    local record = finished({ { id = "long", act = { takes = 9 } }, { id = "x", act = { takes = 4 } },
      { id = "y", act = { takes = 5 } } }, { jobs = 2 })
    assert.are.equal(13, simulate.run(record, { policy = lifo, jobs = 2 }).wall)
    assert.are.equal(9, simulate.run(record, { policy = function(g)
      for s in g:ready { order = "first" } do g:start(s) end
    end, jobs = 2 }).wall)
  end)

  it("plays failures, groups and fan-outs", function()
    local record = finished({ { id = "src", act = { value = { 1, 2, 3 } } },
      { id = "f", needs = "src", fan = { kind = "for_each", items = "{{results.src.value}}" },
        act = { takes = 2 } },
      { id = "g", limit = 1, needs = "f", members = { { id = "p", act = { takes = 1 } },
        { id = "q", act = { takes = 1, fails = true } } } } }, { jobs = 4, keep_going = true })
    assert.are.equal(4, record.seconds)
    assert.are.equal(4, simulate.run(record, { jobs = 4 }).wall)
    assert.are.equal(8, simulate.run(record, { jobs = 1, policy = "settled" }).wall)
  end)

  it("writes nothing", function()
    local record = finished(three())
    local fs = require("orrery.core.fs")
    local before = fs.read(record.dir .. "/journal.jsonl")
    simulate.run(record, { jobs = 3 })
    assert.are.equal(before, fs.read(record.dir .. "/journal.jsonl"))
    assert.are.equal(1, #fs.list(record.dir .. "/.."))
  end)
end)
