-- Resuming, with the real executor on real commands: no finished call is repeated.
local fakes = dofile("tests/lua/fakes.lua")
local engine = require("orrery.run.engine")
local fs = require("orrery.core.fs")
local load = require("orrery.model.load")

local function write(root, files)
  for path, text in pairs(files) do
    assert(fs.mkdir(root .. "/" .. (path:match("^(.*)/") or "")))
    assert(fs.write_atomic(root .. "/" .. path, text))
  end
end

local function run(root, opts)
  local wf = load.file(root .. "/workflows/w.lua", { root = root })
  opts = opts or {}
  opts.signals = false
  return engine.run(wf, opts)
end

local GRAPH = [[
local o = require("orrery")
return o.workflow "w" {
  o.step "first" { run = "echo once >> log" },
  o.step "twin" { needs = "first", run = "echo twin >> log" },
  o.step "second" { needs = "twin", run = "test -e ready && echo second >> log" },
}]]

describe("resume", function()
  after_each(fakes.clean)

  it("does not run again what is done, though it is never remembered", function()
    local root = fakes.root()
    write(root, { ["workflows/w.lua"] = GRAPH })
    local first = run(root)
    assert.are.equal(1, first.code)
    write(root, { ready = "" })
    local second = run(root, { resume = first.id })
    assert.are.equal(0, second.code)
    assert.are.equal("once\ntwin\nsecond\n", fs.read(root .. "/log"))
    assert.are.equal("resumed", second.steps.first.cached)
  end)

  it("without it runs everything again", function()
    local root = fakes.root()
    write(root, { ["workflows/w.lua"] = GRAPH })
    run(root)
    run(root)
    assert.are.equal("once\ntwin\nonce\ntwin\n", fs.read(root .. "/log"))
  end)

  it("goes on after a run that was killed in the middle of a line", function()
    local root = fakes.root()
    write(root, { ["workflows/w.lua"] = GRAPH })
    local first = run(root)
    local path = first.dir .. "/journal.jsonl"
    local text = fs.read(path)
    local cut = text:find('"ev":"run_finished"', 1, true)
    assert(fs.write_atomic(path, text:sub(1, cut + 10)))
    write(root, { ready = "" })
    assert.are.equal(0, run(root, { resume = first.id }).code)
    assert.are.equal("once\ntwin\nsecond\n", fs.read(root .. "/log"))
  end)

  it("of a resumed run knows what the first one did", function()
    local root = fakes.root()
    write(root, { ["workflows/w.lua"] = GRAPH })
    local first = run(root)
    local second = run(root, { resume = first.id })
    write(root, { ready = "" })
    assert.are.equal(0, run(root, { resume = second.id }).code)
    assert.are.equal("once\ntwin\nsecond\n", fs.read(root .. "/log"))
  end)

  it("runs again what was changed or forced", function()
    local root = fakes.root()
    write(root, { ["workflows/w.lua"] = GRAPH })
    local first = run(root)
    write(root, { ready = "", ["workflows/w.lua"] = GRAPH:gsub("echo twin", "echo TWIN") })
    local second = run(root, { resume = first.id, force = { "first" } })
    assert.are.equal(0, second.code)
    assert.are.equal("once\ntwin\nonce\nTWIN\nsecond\n", fs.read(root .. "/log"))
  end)

  it("gives each of several equal calls its own result, by occurrence", function()
    local root = fakes.root()
    write(root, { ["workflows/w.lua"] = [[
local o = require("orrery")
return o.workflow "w" { body = function(w)
  local seen = {}
  for i = 1, 3 do
    seen[i] = tonumber(w:run("echo x >> log; wc -l < log", { parse = "text" }).value)
  end
  w:run("test -e ready")
  return seen
end }]] })
    local first = run(root)
    assert.are.equal(1, first.code)
    write(root, { ready = "" })
    local second = run(root, { resume = first.id })
    assert.are.equal(0, second.code)
    assert.are.same({ 1, 2, 3 }, second.result)
    assert.are.equal("x\nx\nx\n", fs.read(root .. "/log"))
  end)

  it("of a run that does not exist is a usage error", function()
    local root = fakes.root()
    write(root, { ["workflows/w.lua"] = GRAPH })
    local ok, err = pcall(run, root, { resume = "nope" })
    assert.is_false(ok)
    assert.are.equal("usage", err.code)
  end)
end)

describe("a nested workflow", function()
  after_each(fakes.clean)

  it("runs as a step: with gives its params, its result is the value", function()
    local root = fakes.root()
    write(root, { ["workflows/w.lua"] = [[
local o = require("orrery")
return o.workflow "w" { result = "{{results.outer.value}}",
  o.step "outer" { workflow = "inner", with = { who = "you" } } }]],
      ["workflows/inner.lua"] = [[
local o = require("orrery")
return o.workflow "inner" { params = { who = "x" }, result = "{{results.say.value}}",
  o.step "say" { run = { "echo", "hello {{params.who}}" }, parse = "text" } }]] })
    local ids = {}
    local record = run(root, { sinks = { function(ev)
      if ev.ev == "step_finished" then ids[#ids + 1] = ev.id end
    end } })
    assert.are.equal(0, record.code)
    assert.are.equal("hello you", (record.result:gsub("%s+$", "")))
    assert.are.same({ "outer/say", "outer" }, ids)
  end)

  it("that fails fails the step and says which of its steps", function()
    local root = fakes.root()
    write(root, { ["workflows/w.lua"] = [[
local o = require("orrery")
return o.workflow "w" { o.step "outer" { workflow = "inner" } }]],
      ["workflows/inner.lua"] = [[
local o = require("orrery")
return o.workflow "inner" { o.step "bad" { run = { "false" } } }]] })
    local record = run(root)
    assert.are.equal(1, record.code)
    assert.matches("bad failed in inner", record.steps.outer.error.message)
  end)

  it("that contains itself is an error, not a hang", function()
    local root = fakes.root()
    write(root, { ["workflows/w.lua"] = [[
local o = require("orrery")
return o.workflow "w" { o.step "again" { workflow = "w" } }]] })
    local record = run(root)
    assert.are.equal(1, record.code)
  end)
end)
