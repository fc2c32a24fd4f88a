-- Policies: the built-in ones, and users' own.
local fakes = dofile("tests/lua/fakes.lua")
local fs = require("orrery.core.fs")

local function has(list, id)
  for _, v in ipairs(list) do
    if v == id then return true end
  end
  return false
end

describe("stop", function()
  after_each(fakes.clean)

  it("starts nothing new after a failure and lets what runs finish", function()
    local record, exec = fakes.run({ { id = "a", act = { takes = 1, fails = true } },
      { id = "b", act = { takes = 3 } }, { id = "c", act = { takes = 1 } } }, { jobs = 2 })
    assert.are.same({ "a", "b" }, exec.started)
    assert.are.equal("ok", record.steps.b.status)
    assert.are.equal("skipped", record.steps.c.status)
    assert.are.equal("a", record.steps.c.cause)
  end)
end)

describe("settled", function()
  after_each(fakes.clean)

  it("runs all that does not need the failed", function()
    local record, exec = fakes.run({ { id = "a", act = { fails = true } }, { id = "b" },
      { id = "c", needs = "a" } }, { jobs = 1 }, { policy = "settled" })
    assert.are.same({ "a", "b" }, exec.started)
    assert.are.same({ "a" }, record.failed)
  end)

  it("is what -k makes of the top group, and those that inherit from it", function()
    local _, exec = fakes.run({ { id = "g", limit = 1, members = {
      { id = "a", act = { fails = true } }, { id = "b" } } }, { id = "c" } },
      { jobs = 1, keep_going = true })
    assert.is_true(has(exec.started, "b"))
    assert.is_true(has(exec.started, "c"))
  end)
end)

describe("fail_fast", function()
  after_each(fakes.clean)

  it("cancels what runs at the first failure", function()
    local record = fakes.run({ { id = "a", act = { takes = 1, fails = true } },
      { id = "b", act = { takes = 30 } }, { id = "c", needs = "b" } }, { jobs = 4 },
      { policy = "fail_fast" })
    assert.are.equal(1, record.seconds)
    assert.are.equal("cancelled", record.steps.b.status)
    assert.are.equal("skipped", record.steps.c.status)
    assert.are.same({ "a" }, record.failed)
  end)

  it("reaches into groups that inherit it", function()
    local record = fakes.run({ { id = "g", limit = 3, members = {
      { id = "a", act = { takes = 1, fails = true } }, { id = "b", act = { takes = 30 } } } },
      { id = "c", act = { takes = 30 } } }, { jobs = 4 }, { policy = "fail_fast" })
    assert.are.equal(1, record.seconds)
    assert.are.equal("cancelled", record.steps.b.status)
    assert.are.equal("cancelled", record.steps.c.status)
  end)
end)

describe("race", function()
  after_each(fakes.clean)
  local function racers(a, b, c)
    return { { id = "g", policy = "race", members = { { id = "a", act = a }, { id = "b", act = b },
      { id = "c", act = c } } } }
  end

  it("is won by the first success; the rest is cancelled", function()
    local record = fakes.run(racers({ takes = 5, value = "A" }, { takes = 2, value = "B" },
      { takes = 1, fails = true }), { jobs = 4 })
    local g = record.results.g
    assert.is_true(g.ok)
    assert.are.equal("b", g.winner)
    assert.are.equal("B", g.value)
    assert.are.equal("cancelled", record.steps.a.status)
    assert.are.equal(2, record.seconds)
    assert.are.equal(0, record.code)
  end)

  it("is won at once by a remembered success", function()
    local record, exec = fakes.run(racers({ cached = "hit", value = 1 }, { takes = 5 },
      { takes = 5 }), { jobs = 4 })
    assert.are.same({ "a" }, exec.started)
    assert.are.equal(0, record.seconds)
    assert.are.equal("a", record.results.g.winner)
  end)

  it("fails when all have failed", function()
    local record = fakes.run(racers({ fails = true }, { fails = true }, { fails = true }))
    assert.are.equal("failed", record.results.g.status)
    assert.are.equal(1, record.code)
  end)
end)

describe("quorum", function()
  after_each(fakes.clean)
  local function group(options, fails, n)
    local members = {}
    for i = 1, n do
      members[i] = { id = "m" .. i, act = { takes = i, fails = i <= fails, value = i } }
    end
    return { { id = "g", policy = { module = "quorum", options = options }, members = members } }
  end

  it("is good when enough succeed, and lets the rest finish", function()
    local record = fakes.run(group({ need = "80%" }, 1, 5), { jobs = 8 })
    local g = record.results.g
    assert.is_true(g.ok)
    assert.are.equal(4, #g.values)
    assert.are.same({ "m1" }, { g.failed[1] })
    assert.are.equal(5, record.seconds)
    assert.are.equal(0, record.code)
  end)

  it("cancels the rest when told so", function()
    local record = fakes.run(group({ need = 2, rest = "cancel" }, 0, 5), { jobs = 8 })
    assert.are.equal(2, record.seconds)
    assert.are.equal(2, #record.results.g.passed)
    assert.are.equal(0, record.code)
  end)

  it("fails as soon as it is out of reach", function()
    local record, exec = fakes.run(group({ need = 4 }, 2, 5), { jobs = 1 })
    assert.are.equal(2, #exec.started)
    assert.matches("0 of 5 succeeded, 4 were needed", record.results.g.error.message)
  end)
end)

describe("a user's policy", function()
  after_each(fakes.clean)

  local CANARY = [[
return function(g, opt)
  for step in g:ready() do
    g:start(step)
    if g.started == opt.first then
      if not g:wait(step).ok then return g:fail(step.id .. " failed as canary") end
      g:sleep(opt.pause)
    end
  end
  return g:settle()
end]]

  local function rollout(root, fails)
    assert(fs.mkdir(root .. "/vendor/acme/lua/acme"))
    assert(fs.write_atomic(root .. "/vendor/acme/lua/acme/canary.lua", CANARY))
    return fakes.run({ { id = "rollout",
      policy = { module = "acme.canary", options = { first = 1, pause = 300 } }, members = {
        { id = "eu", act = { takes = 1, fails = fails } }, { id = "us", act = { takes = 1 } },
        { id = "ap", act = { takes = 1 } } } } },
      { jobs = 8, config = { path = { "vendor/acme/lua" } } }, { root = root })
  end

  it("is found by its module name: the first alone, a pause, then the rest", function()
    local record, exec = rollout(fakes.root(), false)
    assert.are.equal(0, record.code)
    assert.are.equal(0, exec.now.eu)
    assert.are.equal(301, exec.now.us)
    assert.are.equal(301, exec.now.ap)
  end)

  it("is offered units as they are written, whatever took long before", function()
    local root = fakes.root()
    local function once()
      return fakes.run({ { id = "a", act = { takes = 1 } }, { id = "b", act = { takes = 9 } } },
        { jobs = 1 }, { root = root, policy = function(g)
          for s in g:ready() do g:start(s) end
        end })
    end
    once()
    local _, exec = once()
    assert.are.same({ "a", "b" }, exec.started)
  end)

  it("may fail the group with a text of its own", function()
    local record, exec = rollout(fakes.root(), true)
    assert.are.same({ "eu" }, exec.started)
    assert.are.equal("eu failed as canary", record.results.rollout.error.message)
    assert.are.equal(1, record.code)
  end)

  it("may change the order of starts", function()
    local lifo = function(g)
      for s in g:ready { order = "last" } do g:start(s) end
      return g:settle()
    end
    local _, exec = fakes.run({ { id = "a" }, { id = "b" }, { id = "c" } }, { jobs = 1 },
      { policy = lifo })
    assert.are.same({ "c", "b", "a" }, exec.started)
  end)

  it("may leave units out; they are skipped", function()
    local one = function(g)
      for s in g:ready() do
        if s.id == "b" then g:start(s) end
      end
      return g:settle()
    end
    local record, exec = fakes.run({ { id = "a" }, { id = "b" } }, { jobs = 1 }, { policy = one })
    assert.are.same({ "b" }, exec.started)
    assert.are.equal("skipped", record.steps.a.status)
    assert.are.equal(0, record.code)
  end)

  it("may start what it passed over later", function()
    local later = function(g)
      local kept
      for s in g:ready() do
        if s.id == "a" then kept = s else g:start(s) end
      end
      g:start(kept)
      return g:settle()
    end
    local _, exec = fakes.run({ { id = "a" }, { id = "b" } }, { jobs = 1 }, { policy = later })
    assert.are.same({ "b", "a" }, exec.started)
  end)

  local function message(policy, members)
    local record = fakes.run({ { id = "g", policy = policy, members = members or
      { { id = "a" }, { id = "b", needs = "a" } } } }, { jobs = 2 })
    assert.are.equal(1, record.code)
    return record.results.g.error.message
  end

  it("that starts a unit twice is told so", function()
    assert.matches("'a' started twice", message(function(g)
      for s in g:ready() do
        g:start(s)
        g:start(s)
      end
    end))
  end)

  it("that starts a unit too early is told what that waits for", function()
    assert.matches("'b' is not ready, it waits for 'a'", message(function(g)
      local first
      for s in g:ready() do
        first = first or g:start(g.node.members[2].unit)
        g:start(s)
      end
    end))
  end)

  it("that waits for what never started is told so", function()
    assert.matches("'a' has not started", message(function(g)
      for s in g:ready() do g:wait(s) end
    end))
  end)

  it("that passes over what others need is told that nothing can start", function()
    assert.matches("nothing runs and nothing can start", message(function(g)
      for _ in g:ready() do g.seen = true end
      return g:settle()
    end))
  end)

  it("that raises fails its group and ends what runs", function()
    local record = fakes.run({ { id = "g", members = { { id = "a", act = { takes = 60 } } },
      policy = function(g)
        for s in g:ready() do g:start(s) end
        error("my mistake")
      end } }, { jobs = 2 })
    assert.matches("my mistake", record.results.g.error.message)
    assert.are.equal("cancelled", record.steps.a.status)
    assert.are.equal(0, record.seconds)
  end)

  it("that does not exist is an error that names it", function()
    assert.matches("no module 'acme.nowhere'", message({ module = "acme.nowhere", options = {} }))
  end)
end)
