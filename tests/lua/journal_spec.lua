-- The journal: written as things happen, read back after a crash.
local fakes = dofile("tests/lua/fakes.lua")
local fs = require("orrery.core.fs")
local journal = require("orrery.run.records.journal")
local quiet = require("orrery.run.records.quiet")

local function open(sinks)
  local dir, at = fakes.root(), { time = 0 }
  local j = journal.open(dir, { now = function() return at.time end, sinks = sinks })
  return j, dir .. "/journal.jsonl", at, dir
end

describe("the journal", function()
  after_each(fakes.clean)

  it("numbers its format and stamps each line with seconds since the beginning", function()
    local j, path, at = open()
    at.time = 1.23456789
    j:emit({ ev = "message", level = "note", text = "x" })
    j:flush()
    local events = journal.read(path)
    assert.are.equal(1, events[1].v)
    assert.are.equal(1.234568, events[1].t)
  end)

  it("writes nothing before it is flushed, and everything then, in order", function()
    local j, path = open()
    for i = 1, 3 do j:emit({ ev = "message", level = "note", text = tostring(i) }) end
    assert.are.equal("", fs.read(path))
    j:flush()
    local events = journal.read(path)
    assert.are.same({ "1", "2", "3" }, { events[1].text, events[2].text, events[3].text })
  end)

  it("keeps back what is for later until it is asked, or the step says something else", function()
    local said = {}
    local j = open({ function(ev) said[#said + 1] = ev.ev .. " " .. ev.id end })
    local inner = j:under("w/")
    j:later({ ev = "step_started", id = "b" })
    inner:later({ ev = "step_started", id = "c" })
    j:emit({ ev = "step_finished", id = "a" })
    assert.are.same({ "step_finished a" }, said)
    inner:catch_up()
    assert.are.same({ "step_finished a", "step_started b", "step_started w/c" }, said)
    j:later({ ev = "step_started", id = "d" })
    j:emit({ ev = "step_finished", id = "d" })
    j:later({ ev = "step_started", id = "e" })
    j:flush()
    assert.are.same({ "step_started d", "step_finished d", "step_started e" },
      table.move(said, 4, 6, 1, {}))
  end)

  it("leaves out what a repeated step has told, and is the same journal otherwise", function()
    for _, under in ipairs({ false, true }) do
      local said = {}
      local base = open({ function(ev) said[#said + 1] = ev.ev .. " " .. (ev.id or "") end })
      local j = under and base:under("w/") or base
      local run = { journal = j, id = "r" }
      local seen = quiet.run(run, { step_started = true, step_finished = true, hits = true })
      base:later({ ev = "step_started", id = "other" })
      seen.journal:later({ ev = "step_started", id = "a" })
      seen.journal:emit({ ev = "message", id = "a" })
      seen.journal:finished({ id = "a", kind = "run" }, { status = "ok" })
      seen.journal:hit("a")
      seen.journal:flush()
      base:flush()
      assert.are.same({ "message " .. (under and "w/a" or "a"), "step_started other" }, said)
      seen.turns = 2
      assert.are.same({ 2, "r" }, { run.turns, seen.id })
    end
  end)

  it("writes the end of an agent call at once", function()
    local j, path = open()
    j:emit({ ev = "step_finished", id = "a", kind = "agent", status = "ok", seconds = 1 })
    assert.are.equal("a", journal.read(path)[1].id)
  end)

  it("shows live output to sinks and does not write it", function()
    local seen = {}
    local j, path = open({ function(ev) seen[#seen + 1] = ev.ev end })
    j:emit({ ev = "output", id = "a", stream = 1, data = "x" })
    j:flush()
    assert.are.same({ "output" }, seen)
    assert.are.equal("", fs.read(path))
  end)

  it("loses a torn line only, and counts it", function()
    local j, path = open()
    j:emit({ ev = "message", level = "note", text = "whole" })
    j:flush()
    assert(fs.append(path, '{"ev":"step_fin'))
    local events, damaged = journal.read(path)
    assert.are.equal(1, #events)
    assert.are.equal(1, damaged)
  end)

  it("reads on after a damaged line in the middle", function()
    local _, path = open()
    assert(fs.append(path, '{"ev":"message","text":"a"}\n\0\0garbage\n{"ev":"message","text":"b"}\n'))
    local events, damaged = journal.read(path)
    assert.are.same({ "a", "b" }, { events[1].text, events[2].text })
    assert.are.equal(1, damaged)
  end)

  it("puts long and binary texts into files of their own", function()
    local j, path, _, dir = open()
    local long, binary = ("x"):rep(10000), "\255\254\0"
    j:emit({ ev = "step_finished", id = "a", status = "ok", seconds = 0, stdout = long,
      stderr = binary })
    j:flush()
    local ev = journal.read(path)[1]
    assert.is_nil(ev.stdout)
    assert.are.equal(long, journal.text(dir, ev, "stdout"))
    assert.are.equal(binary, journal.text(dir, ev, "stderr"))
  end)

  it("gives back a value that JSON cannot hold", function()
    local j, path = open()
    local value = { [3] = "three", bytes = "\255", big = 1 << 62 }
    j:emit({ ev = "step_finished", id = "a", status = "ok", seconds = 0, value = value })
    j:flush()
    assert.are.same(value, journal.value(journal.read(path)[1]))
  end)

  it("folds neighbouring clean steps into one line", function()
    local j, path = open()
    j:hit("a")
    j:hit("b")
    j:emit({ ev = "message", level = "note", text = "x" })
    j:hit("c")
    j:flush()
    local events = journal.read(path)
    assert.are.same({ "a", "b" }, events[1].ids)
    assert.are.equal("x", events[2].text)
    assert.are.same({ "c" }, events[3].ids)
  end)

  it("gives the ids of a nested workflow its prefix", function()
    local j, path = open()
    local inner = j:under("image/"):under("deep/")
    inner:emit({ ev = "step_added", id = "push", kind = "run", group = "g", needs = { "x" } })
    inner:hit("y")
    j:flush()
    local events = journal.read(path)
    assert.are.equal("image/deep/push", events[1].id)
    assert.are.equal("image/deep/g", events[1].group)
    assert.are.same({ "image/deep/x" }, events[1].needs)
    assert.are.same({ "image/deep/y" }, events[2].ids)
  end)

  it("that cannot be written any more says so once, and the run goes on", function()
    local seen = {}
    local j, _, _, dir = open({ function(ev) seen[#seen + 1] = ev.text end })
    fs.remove_tree(dir)
    for _ = 1, 2 do
      j:emit({ ev = "hits", ids = {} })
      j:flush()
    end
    assert.are.equal(1, #seen)
    assert.matches("the journal cannot be written", seen[1])
  end)
end)
