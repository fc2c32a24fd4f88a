-- The states of a run: which may follow which, and what a journal without an end means.
local fakes = dofile("tests/lua/fakes.lua")
local fs = require("orrery.core.fs")
local lock = require("orrery.core.lock")
local loop = require("orrery.kernel.loop")
local runs = require("orrery.run.records.runs")
local states = require("orrery.run.records.states")

describe("a run's state", function()
  after_each(fakes.clean)

  it("goes from pending over running to one end, and no other way", function()
    for _, last in ipairs { "ok", "failed", "refused", "waiting", "interrupted" } do
      local run = {}
      states.move(run, "running")
      states.move(run, last)
      assert.are.equal(last, run.state)
      for _, to in ipairs { "running", "ok", "waiting", "pending" } do
        assert.has_error(function() states.move(run, to) end)
      end
    end
    assert.has_error(function() states.move({}, "ok") end)
    assert.has_error(function() states.move({ state = "running" }, "crashed") end)
  end)

  it("without an end is running while its lock is held, then crashed", function()
    local root = fakes.root()
    local id, dir = runs.create(root)
    assert(fs.write_atomic(dir .. "/journal.jsonl", '{"ev":"run_started","v":1}\n'))
    local file = lock.open(root .. "/.orrery/lock")
    local held = assert(states.hold(file, id))
    assert.are.equal("running", runs.summary(root, id).status)
    held:close()
    assert.are.equal("crashed", runs.summary(root, id).status)
    file:close()
  end)

  it("is claimed by one who goes on with it at a time", function()
    local root = fakes.root()
    local id = runs.create(root)
    local one, two = lock.open(root .. "/.orrery/lock"), lock.open(root .. "/.orrery/lock")
    local l <close> = loop.new()
    local claim = l:run(l:task("one", states.claim, one, id))
    local ok, err = pcall(l.run, l, l:task("two", states.claim, two, id))
    assert.is_false(ok)
    assert.are.equal("state", err.code)
    assert.matches("by another process", err.message)
    claim:close()
    l:run(l:task("two", states.claim, two, id)):close()
    one:close()
    two:close()
  end)

  it("follows the runs that went on to the last one", function()
    local root, ids = fakes.root(), { "m0000001-aaaa", "m0000002-aaaa", "m0000003-aaaa" }
    for i, id in ipairs(ids) do
      local dir = runs.dir(root) .. "/" .. id
      assert(fs.mkdir(dir))
      assert(fs.write_atomic(dir .. "/journal.jsonl", ('{"ev":"run_started","v":1%s}\n'):format(
        i > 1 and (',"resumed":"%s"'):format(ids[i - 1]) or "")))
    end
    assert.are.equal(ids[3], runs.tip(root, ids[1]))
    assert.are.equal(ids[3], runs.tip(root, ids[3]))
  end)
end)
