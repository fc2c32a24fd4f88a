-- Run directories: ids, lists, bounds.
local fakes = dofile("tests/lua/fakes.lua")
local fs = require("orrery.core.fs")
local runs = require("orrery.run.records.runs")

local DAY = 24 * 3600

-- A run of that age with that last event.
local function past(root, wall, last, suffix)
  local id = runs.new_id(wall):gsub("%x+$", suffix or "%0")
  local dir = runs.dir(root) .. "/" .. id
  assert(fs.mkdir(dir))
  assert(fs.write_atomic(dir .. "/journal.jsonl",
    ('{"ev":"run_started","workflow":"w","wall":%.3f}\n'):format(wall) .. (last or "") .. "\n"))
  return id
end

local DONE = '{"ev":"run_finished","status":"failed","code":1,"wall":2.5}'

describe("runs", function()
  after_each(fakes.clean)

  it("have ids that sort by time and tell it", function()
    local a, b = runs.new_id(1795363832.664), runs.new_id(1795363832.665)
    assert.is_true(a < b)
    assert.is_true(math.abs(runs.time_of(a) - 1795363832.664) < 0.002)
    assert.is_true(runs.new_id(1e9) < runs.new_id(2e9))
  end)

  it("are listed newest first, with what they came to", function()
    local root = fakes.root()
    local old = past(root, 1000000000, DONE)
    local new = past(root, 1500000000, '{"ev":"step_started","t":3}')
    local list = runs.list(root)
    assert.are.same({ new, old }, { list[1].id, list[2].id })
    assert.are.equal("crashed", list[1].status)
    assert.are.same({ "failed", 1, 2.5, "w" },
      { list[2].status, list[2].code, list[2].seconds, list[2].workflow })
    assert.are.equal(1, #runs.list(root, 1))
  end)

  it("are found by last, by their beginning or by their end", function()
    local root = fakes.root()
    local a = past(root, 1000000000, DONE, "aaaa")
    local b = past(root, 1500000000, DONE, "bbbb")
    assert.are.equal(b, runs.find(root))
    assert.are.equal(b, runs.find(root, "last"))
    assert.are.equal(a, runs.find(root, "aaaa"))
    assert.are.equal(b, runs.find(root, b:sub(1, 6)))
    local none, why = runs.find(root, "cccc")
    assert.is_nil(none)
    assert.matches("no run 'cccc'", why)
  end)

  it("that a name fits several times are named", function()
    local root = fakes.root()
    past(root, 1000000000, DONE, "aaaa")
    past(root, 1500000000, DONE, "aaaa")
    local none, why = runs.find(root, "aaaa")
    assert.is_nil(none)
    assert.matches("fits several runs", why)
  end)

  it("are kept to fifty", function()
    local root = fakes.root()
    local now = 1700000000
    for i = 1, 53 do past(root, now - 100000 - i, DONE) end
    assert.are.equal(3, runs.prune(root, now))
    assert.are.equal(50, #runs.ids(root))
  end)

  it("are removed several at once after a run", function()
    local root = fakes.root()
    local now = 1700000000
    for i = 1, 60 do past(root, now - 100000 - i, DONE) end
    assert.are.equal(0, runs.tidy(root, now))
    past(root, now - 1, DONE)
    assert.are.equal(11, runs.tidy(root, now))
    assert.are.equal(50, #runs.ids(root))
    past(root, now - 31 * DAY, DONE)
    assert.are.equal(1, runs.tidy(root, now))
  end)

  it("are kept for thirty days", function()
    local root = fakes.root()
    local now = 1700000000
    past(root, now - 31 * DAY, DONE)
    local kept = past(root, now - 29 * DAY, DONE)
    assert.are.equal(1, runs.prune(root, now))
    assert.are.same({ kept }, runs.ids(root))
  end)

  it("that may still be going on, or wait for approval, are never removed for their number",
    function()
    local root = fakes.root()
    local now = 1700000000
    local going = past(root, now - 5000, '{"ev":"step_started"}')
    local waiting = past(root, now - 6000, '{"ev":"run_finished","status":"waiting","code":8}')
    for i = 1, 50 do past(root, now - i, DONE) end
    assert.are.equal(0, runs.prune(root, now))
    local ids = runs.ids(root)
    assert.are.same({ going, waiting }, { ids[51], ids[52] })
  end)

  it("whose directory cannot be made are refused with code state, exit 5", function()
    local root = fakes.root()
    assert(fs.write_atomic(root .. "/.orrery", "a file"))
    local ok, err = pcall(fakes.run, { { id = "a" } }, {}, { root = root })
    assert.is_false(ok)
    assert.are.same({ "state", 5 }, { err.code, err.exit })
  end)

  it("make .orrery ignored by git", function()
    local root = fakes.root()
    fakes.run({ { id = "a" } }, {}, { root = root })
    assert.are.equal("*\n", fs.read(root .. "/.orrery/.gitignore"))
  end)

  it("go on without a cache that cannot be used, and say so once", function()
    local root = fakes.root()
    local engine = require("orrery.run.engine")
    assert(fs.mkdir(root .. "/.orrery"))
    assert(fs.write_atomic(root .. "/.orrery/cache", "a file"))
    local events = {}
    local record = engine.run(fakes.workflow({ { id = "a" }, { id = "b" } }, { root = root }),
      { exec = fakes.exec(), core = require("orrery.kernel.virtual").new(), signals = false,
        sinks = { function(ev) if ev.ev == "cache_off" then events[#events + 1] = ev end end } })
    assert.are.equal(0, record.code)
    assert.are.equal(1, #events)
    assert.matches("the cache cannot be used", events[1].why)
  end)
end)
