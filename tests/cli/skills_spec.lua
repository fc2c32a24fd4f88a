-- Skills: named, versioned units in skills/, checked before and after, remembered.
local cli = require("tests.cli.harness")

local RATE = [[
return { version = "%s", doc = "Rates a text.", ttl = %q,
  params = { type = "object", required = { "text" },
    properties = { text = { type = "string" }, n = { type = "integer" } } },
  result = { type = "object", required = { "score" } },
  run = function(ctx)
    print("rating " .. ctx.with.text)
    if ctx.with.text == "bad" then return {} end
    return { score = #ctx.with.text, n = ctx.with.n }
  end }
]]

local PROGRAM = [[#!/bin/sh
echo "call" >> calls
cat > request
echo '{"value": {"n": 7}}'
]]

local function project(more)
  local out = { ["orrery.lua"] = "return {}", ["skills/rate.lua"] = RATE:format("1.2", "2h"),
    ["skills/up.lua"] = "return function(ctx) return (ctx.with.text or ''):upper() end",
    ["skills/count"] = PROGRAM,
    ["skills/count.json"] = [[{ "version": 3, "doc": "Counts.", "ttl": "10m",
      "params": { "required": ["of"] }, "result": { "properties": { "n": { "type": "integer" } } } }]],
    ["workflows/w.lua"] = [[local o = require("orrery")
return o.workflow "w" {
  o.step "a" { skill = "rate", with = { text = "abc" } },
  o.step "b" { skill = "rate", with = { text = "abc" } },
  o.step "c" { skill = "count", with = { of = "x" } },
  o.step "d" { skill = "count", with = { of = "x" } },
  o.step "e" { skill = "count", with = { of = "y" } } }
]] }
  for k, v in pairs(more or {}) do out[k] = v end
  return out
end

local function test(t)
  t.files = project(t.files)
  return cli.run(t)
end

local function within(files, check)
  return function() cli.within(check, project(files)) end
end

local function lines(text) return select(2, (text or ""):gsub("\n", "")) end

describe("orrery agents skill", function()
  it("lists names, versions and what they are for", test { args = "agents skill list", code = 0,
    stdout = { "count  3    Counts.", "rate   1.2  Rates a text.", "up" } })
  it("says how to make one where there is none", cli.run { files = { ["orrery.lua"] = "return {}" },
    args = "agents skill list", code = 0, stderr = "there are no skills here; one is skills/NAME.lua" })
  it("lists as JSON, with schemas and ttl in seconds", test { args = "agents skill list --json",
    code = 0, stdout = { '"version": "1.2"', '"ttl": 7200', '"ttl": 600', '"required": [' } })
  it("runs one with params of the types its schema says", test {
    args = "agents skill run rate -p text=abc -p n=3", code = 0, stdout = { '"n": 3', '"score": 3' },
    stderr = "rating abc" })
  it("takes params from standard input", test { args = "agents skill run rate -p - --json",
    stdin = '{"text": "four"}', code = 0, stdout = { '"score": 4', '"version": "1.2"' } })
  it("is checked for its params before anything runs", test { args = "check w", code = 3,
    files = project { ["workflows/w.lua"] = [[local o = require("orrery")
return o.workflow "w" {
  o.step "a" { skill = "rate", with = { text = 3 } },
  o.step "b" { skill = "rate", needs = "a", with = { text = "{{results.a.value}}" } },
  o.step "c" { skill = "count" },
  o.step "d" { skill = "up" } }
]] }, stderr = { "workflows/w.lua:3: error: a: the params of skill rate are wrong: /text: ",
      "workflows/w.lua:5: error: c: the params of skill count are wrong: params: ", "!:4:", "!:6:" } })
  it("that cannot be read is an error of check", test { args = "check w", code = 3,
    files = project { ["skills/rate.lua"] = "return { run = 1 }" },
    stderr = "skills/rate.lua: error: a skill returns a function of ctx" })
  it("refuses wrong params before it runs", test { args = "agents skill run rate -p n=x", code = 2,
    stderr = { "the params of skill rate are wrong", "'text' is missing",
      "/n: expected integer, got string" } })
  it("refuses a result that does not fit", test { args = "agents skill run rate -p text=bad",
    code = 1, stderr = { "the result of skill rate is wrong", "'score' is missing" } })
  it("suggests a name", test { args = "agents skill run rat", code = 2,
    stderr = "there is no skill 'rat'; did you mean 'rate'?" })
  it("refuses words a skill does not have", test { files = { ["skills/up.lua"] =
    "return { run = function() end, parms = {} }" }, args = "agents skill run up", code = 3,
    stderr = "skills/up.lua: error: unknown field 'parms' of a skill; did you mean 'params'?" })
  it("refuses a ttl that is none, and says so in the list", test { files = { ["skills/count.json"] =
    '{ "ttl": "soon" }' }, args = "agents skill list", code = 0,
    stdout = "ttl 'soon' is not a duration" })
  it("names the line of a file beside a program that is no JSON", test { files = {
    ["skills/count.json"] = '{\n "ttl" }' }, args = "agents skill run count", code = 3,
    stderr = "skills/count.json" })
end)

describe("a skill in a workflow", function()
  it("runs once for equal calls of one run, and not again in the next", within(nil, function(dir)
    local first = cli.exec(dir, "run w")
    assert.are.equal(0, first.code, first.stderr)
    assert.are.equal(2, lines(cli.read(dir .. "/calls")))
    assert.are.equal(1, select(2, (first.stdout .. first.stderr):gsub("rating abc", "")))
    assert.are.equal(0, cli.exec(dir, "run w").code)
    assert.are.equal(2, lines(cli.read(dir .. "/calls")))
    assert.truthy(cli.read(dir .. "/request"):find('"version":"3"', 1, true))
  end))

  it("runs again when its version changes", within(nil, function(dir)
    cli.exec(dir, "run w")
    cli.write(dir .. "/skills/count.json", '{ "version": 4 }')
    assert.are.equal(0, cli.exec(dir, "run w").code)
    assert.are.equal(4, lines(cli.read(dir .. "/calls")))
  end))

  it("runs again when its own ttl is over, unless the step's says longer", within({
    ["skills/count.json"] = '{ "ttl": 1e-6 }',
    ["workflows/long.lua"] = [[local o = require("orrery")
return o.workflow "long" { o.step "a" { skill = "count", with = { of = "z" }, cache = { ttl = "1h" } } }]] },
    function(dir)
      cli.exec(dir, "agents skill run count -p of=x")
      cli.exec(dir, "agents skill run count -p of=x")
      assert.are.equal(2, lines(cli.read(dir .. "/calls")))
      cli.exec(dir, "run long")
      cli.exec(dir, "run long")
      assert.are.equal(3, lines(cli.read(dir .. "/calls")))
    end))

  it("runs once when two processes call it at the same time", within(nil, function(dir)
    local one = "$orrery agents skill run count -p of=x"
    local r = cli.exec(dir, "", { shell = one .. " & " .. one .. "; wait" })
    assert.are.equal(2, select(2, r.stdout:gsub('"n": 7', "")), r.stderr)
    assert.are.equal(1, lines(cli.read(dir .. "/calls")))
  end))

  it("fails at its place when its params do not fit", test { files = { ["workflows/x.lua"] = [[
local o = require("orrery")
return o.workflow "x" {
  o.step "a" { skill = "rate", with = { text = 5 } } }
]] }, args = "run x", code = 1, stderr = { "x.lua:3", "/text: expected string, got integer" } })
end)

describe("require('orrery.skills')", function()
  it("lists, gets and runs by the same code", test { files = { ["s.lua"] = [[
local skills = require("orrery.skills")
print(#skills.list(), skills.get("rate").version, skills.run("rate", { text = "hey" }).score)
local ok, err = pcall(skills.run, "rate", {})
print(ok, err.class)
]] }, args = "lua s.lua", code = 0, stdout = { "3\t1.2\t3", "false\tparams" } })
end)
