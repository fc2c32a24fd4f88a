local check = require("orrery.kernel.check")
local errors = require("orrery.kernel.errors")
local nearest = require("orrery.kernel.nearest")
local sorted = require("orrery.kernel.sorted")

local function raised(f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok)
  return e
end

describe("errors", function()
  it("an error value carries its code and prints as its message", function()
    local e = raised(errors.raise, "usage", "unknown workflow 'x'", { name = "x" })
    assert.are.equal("usage", e.code)
    assert.are.equal("x", e.name)
    assert.are.equal("unknown workflow 'x'", tostring(e))
    assert.is_true(errors.is(e))
  end)

  it("an invalid workflow prints a line for each message", function()
    local e = raised(errors.invalid, {
      { place = { file = "a.lua", line = 3 }, level = "error", text = "bad id", hint = "use x" },
      { place = { file = "a.yaml", line = 4, column = 8 }, level = "warning", text = "odd" },
    })
    assert.are.equal("invalid", e.code)
    assert.are.equal("a.lua:3: error: bad id; use x\na.yaml:4:8: warning: odd", errors.text(e))
  end)

  it("any value has a text", function()
    assert.are.equal("x.lua:1: no", errors.text("x.lua:1: no"))
    assert.are.equal("open x", errors.text({ code = "ENOENT", message = "open x" }))
    assert.is_false(errors.is("x"))
    assert.is_false(errors.is({ code = "x" }))
  end)
end)

describe("sorted", function()
  it("mixed keys come in order: numbers, strings, booleans", function()
    local seen = {}
    for k in sorted.pairs({ b = 1, [2] = 1, a = 1, [true] = 1, [-1.5] = 1, [false] = 1 }) do
      seen[#seen + 1] = k
    end
    assert.are.same({ -1.5, 2, "a", "b", false, true }, seen)
  end)

  it("an entry removed on the way is not visited", function()
    local t, seen = { a = 1, b = 2, c = 3 }, {}
    for k in sorted.pairs(t) do
      seen[#seen + 1] = k
      t.b = nil
    end
    assert.are.same({ "a", "c" }, seen)
  end)

  it("two keys that are tables are refused, one is not", function()
    assert.are.equal(1, #sorted.keys({ [{}] = 1 }))
    assert.truthy(tostring(raised(sorted.keys, { [{}] = 1, [{ 1 }] = 2 })):find("no order"))
  end)
end)

describe("nearest", function()
  it("a word near a candidate finds it, one far from all finds none", function()
    assert.are.equal("needs", nearest.find("neds", { "needs", "env" }))
    assert.are.equal("inputs", nearest.find("inptus", { outputs = 1, inputs = 1 }))
    assert.is_nil(nearest.find("zebra", { "needs", "env" }))
    assert.are.equal("run", nearest.find("RUN", { "run" }))
    assert.are.equal("did you mean 'env'?", nearest.hint("enb", { "env" }))
  end)
end)

describe("check", function()
  it("an unknown option is an error that names the near one", function()
    local e = raised(check.options, { limt = 1 }, { limit = "integer" }, "group.run")
    assert.truthy(e:find("group.run: unknown option 'limt'; did you mean 'limit'?", 1, true))
  end)

  it("a wrong type, a wrong word and a missing option are errors", function()
    local spec = { n = "!integer", how = "=stop|=finish" }
    assert.truthy(raised(check.options, {}, spec, "f"):find("f: option 'n' is required", 1, true))
    assert.truthy(raised(check.options, { n = 1.5 }, spec, "f")
      :find("f: option 'n' must be integer, not number", 1, true))
    assert.truthy(raised(check.options, { n = 1, how = "x" }, spec, "f")
      :find('f: option \'how\' must be "stop" or "finish", not string', 1, true))
    assert.are.same({ n = 1, how = "stop" }, check.options({ n = 1, how = "stop" }, spec, "f"))
  end)
end)

describe("sys.caller", function()
  local sys = require("orrery.core.sys")

  it("tells what debug.getinfo would, and passes over what is one's own", function()
    local info = debug.getinfo(1, "Sl")
    local file, line = sys.caller(1, "@nothing of ours")
    assert.same({ info.source:sub(2), info.currentline + 1 }, { file, line })
    local inner = assert(load("local f = ... ; local a, b = f(1, '@own') ; return a, b",
      "@own/a.lua"))
    local at = debug.getinfo(1, "l").currentline
    local outer, there = inner(sys.caller)
    assert.same({ info.source:sub(2), at + 1 }, { outer, there })
  end)

  it("ends at a C function, and takes a level and a text only", function()
    local found = { pcall(sys.caller, 1, "") }
    assert.same({ true }, found)
    assert.has_error(function() sys.caller("x", "") end)
    assert.has_error(function() sys.caller(1) end)
  end)
end)
