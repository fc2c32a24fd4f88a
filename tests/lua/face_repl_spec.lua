local chunk = require("orrery.face.repl.chunk")
local complete = require("orrery.face.repl.complete")
local history = require("orrery.face.repl.history")
local pretty = require("orrery.face.repl.pretty")
local session = require("orrery.face.repl.session")

local function eval(env, text)
  local f, why, incomplete = chunk.load(text, "=prompt", env)
  if not f then return nil, why, incomplete end
  return table.pack(f())
end

describe("what is typed", function()
  it("is an expression, statements, or statements and a last expression", function()
    local env = setmetatable({}, { __index = _G })
    assert.same({ 3, n = 1 }, eval(env, "1 + 2"))
    assert.same({ n = 0 }, eval(env, "x = 4"))
    assert.same({ 4, 16, n = 2 }, eval(env, "y = x * x; x, y"))
    assert.same({ "a;b", n = 1 }, eval(env, "z = 1; 'a;b'"))
  end)

  it("keeps locals of the top as names", function()
    local env = setmetatable({}, { __index = _G })
    eval(env, "local a, b = 1, 2")
    eval(env, "local function f() return f and a + b end")
    assert.same({ 3, n = 1 }, eval(env, "f()"))
    assert.is_nil(rawget(_G, "a"))
  end)

  it("may need more lines", function()
    for _, text in ipairs({ "for i = 1, 2 do", "f(", "1 +", "x = {", "if true then" }) do
      local _, _, incomplete = eval({}, text)
      assert.is_true(incomplete, text)
    end
    for _, text in ipairs({ "x = = 1", "end", "'open" }) do
      local _, why, incomplete = eval({}, text)
      assert.is_string(why)
      assert.is_false(incomplete, text)
    end
  end)
end)

describe("a session", function()
  it("keeps going after an error and says where it was", function()
    local s <close> = session.new()
    local how, e = s:eval("nosuch.field")
    assert.equal("error", how)
    assert.truthy(e.message:find("prompt:1:", 1, true))
    assert.truthy(e.traceback)
    how, e = s:eval("6 * 7")
    assert.equal("ok", how)
    assert.equal(42, e[1])
    assert.equal(42, select(2, s:eval("_"))[1])
  end)

  it("may wait, for it is a task", function()
    local s <close> = session.new()
    local how = s:eval("require('orrery.kernel.loop').sleep(0)")
    assert.equal("ok", how)
  end)

  it("has the primitives by name", function()
    local s <close> = session.new()
    local how, got = s:eval("json.encode({ a = 1 }), fs.stat('/').type, o ~= nil")
    assert.equal("ok", how)
    assert.same({ '{"a":1}', "dir", true, n = 3 }, got)
  end)
end)

describe("values", function()
  it("are shown as one would write them, keys in order", function()
    assert.equal('{ 1, "two", a = { b = true }, ["c d"] = null }', pretty.value({ 1, "two",
      a = { b = true }, ["c d"] = require("orrery.core.pack").null }))
    assert.equal('"a\\nb\\"\\0"', pretty.value('a\nb"\0'))
    assert.equal("{}", pretty.value({}))
  end)

  it("are broken into lines when they are wide", function()
    local long = ("x"):rep(50)
    assert.equal(('{\n  a = "%s",\n  b = "%s",\n}'):format(long, long),
      pretty.value({ a = long, b = long }))
  end)

  it("end where they repeat, go deep or are many", function()
    local t = { name = "t" }
    t.self = t
    assert.equal('{ name = "t", self = (seen above) }', pretty.value(t))
    local many = {}
    for i = 1, 100 do many[i] = 0 end
    assert.truthy(pretty.value(many):find("… and 40 more", 1, true))
    local deep = {}
    for _ = 1, 50 do deep = { deep } end
    assert.truthy(pretty.value(deep):find("{ … }", 1, true))
  end)
end)

describe("completion", function()
  local env = setmetatable({ thing = { first = 1, fill = function() end, other = {} } },
    { __index = _G })

  it("knows names, fields, methods and modules", function()
    assert.same({ { "thing" }, 1 }, { complete.at(env, {}, "thi", 3) })
    assert.same({ { "fill", "first" }, 11 }, { complete.at(env, {}, "x = thing.fi", 12) })
    assert.same({ { "fill" }, 7 }, { complete.at(env, {}, "thing:", 6) })
    assert.same({ { "git" }, 1 }, { complete.at(env, {}, "gi", 2) })
    assert.same({ { "repeat" }, 1 }, { complete.at(env, {}, "rep", 3) })
  end)

  it("knows colon commands", function()
    assert.same({ { "run", "runs" }, 2 }, { complete.at(env, { "list", "run", "runs" }, ":ru", 3) })
  end)

  it("finds nothing in what is not there, and calls nothing", function()
    local called = false
    local shy = setmetatable({ t = setmetatable({}, { __index = function() called = true end }) },
      { __index = _G })
    assert.same({}, (complete.at(shy, {}, "t.x.", 4)))
    assert.same({}, (complete.at(shy, {}, "nosuch.x", 8)))
    assert.is_false(called)
  end)
end)

describe("history", function()
  it("is appended line by line, without repeats, for its owner alone", function()
    local dir = require("tests.cli.harness").folder({})
    local path = dir .. "/state/history"
    local h = history.open(path)
    assert.is_true(h:add("one"))
    assert.is_false(h:add("one"))
    assert.is_false(h:add("  "))
    assert.is_true(h:add("two\nlines"))
    assert.same({ "one", "two lines" }, history.open(path).lines)
    assert.equal(384, require("orrery.core.fs").stat(path).mode)
    require("tests.cli.harness").remove(dir)
  end)
end)
