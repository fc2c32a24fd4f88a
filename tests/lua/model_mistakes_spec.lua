local project = dofile("tests/lua/project.lua")

local head = 'local o = require("orrery")\n'

describe("a first mistake", function()
  it("params while the file loads", function()
    assert.are.equal('x.lua:5: error: params are not known while the file loads; write '
      .. '"git tag v{{params.version}}", or build the steps in steps = function(p) … end',
      project.says(head .. [[
return o.workflow "x" {
  params = { version = "1" },
  o.step "tag" {
    run = "git tag v" .. params.version },
}]]))
  end)

  it("a global function", function()
    assert.are.equal("x.lua:3: error: 'helper' would be a global, which steps on other threads "
      .. "cannot see; write: local function helper",
      project.says(head .. "\nfunction helper() end\nreturn o.workflow { }"))
  end)

  it("a global value", function()
    assert.are.equal("x.lua:2: error: 'count' would be a global, which steps on other threads "
      .. "cannot see; write: local count", project.says(head .. "count = 1"))
  end)

  it("no return", function()
    assert.are.equal("x.lua: error: the file returned nothing; its last statement should be: "
      .. "return o.workflow { … }",
      project.says(head .. 'o.workflow "x" { o.step "a" { run = "b" } }'))
  end)

  it("a step, a number or an unfinished workflow returned", function()
    assert.are.equal("x.lua: error: the file returned a step, not a workflow; its last statement "
      .. "should be: return o.workflow { … }",
      project.says(head .. 'return o.step "a" { run = "b" }'))
    assert.are.equal("x.lua: error: the file returned a number, not a workflow; its last statement "
      .. "should be: return o.workflow { … }", project.says("return 1"))
    assert.are.equal('x.lua: error: o.workflow "a" is not followed by its { … }',
      project.says(head .. 'return o.workflow "a"'))
  end)

  it("a field or a misspelt constructor called as a function", function()
    assert.are.equal("x.lua:2: error: there is no function 'service'; it is a field: o.step "
      .. '"NAME" { service = … }', project.says('local o = require("orrery")\n'
      .. 'return o.workflow "a" { o.service "b" { run = "c" } }'))
    assert.are.equal("x.lua:2: error: there is no function 'workflw'; did you mean 'workflow'?",
      project.says('local o = require("orrery")\nreturn o.workflw "a" {}'))
    assert.are.equal("x.lua:1: error: attempt to call a nil value (field 'zzz')",
      project.says("return ({}).zzz()"))
  end)

  it("a comma missing after a step", function()
    assert.are.equal("x.lua:7: error: a comma is missing after the step that ends on line 6",
      project.says(head .. [[
return o.workflow "x" {
  o.step "a" { run = "b" },
  o.step "c" {
    run = "d",
  }
  o.step "e" { run = "f" },
}]]))
  end)

  it("a comma missing after a group", function()
    assert.are.equal("x.lua:4: error: a comma is missing after the group that ends on line 3",
      project.says(head .. [[
return o.workflow "x" {
  o.group "g" { o.step "a" { run = "}" } }
  o.step "e" { run = "f" },
}]]))
  end)

  it("a comma missing after a field", function()
    assert.are.equal("x.lua:4: error: a comma is missing after '\"b\"' on line 3",
      project.says(head .. [[
return o.workflow "x" { o.step "a" {
  run = "b" -- , not here
  inputs = {} } }]]))
  end)

  it("a colon for '=', '!=' and '&&'", function()
    assert.are.equal("x.lua:2: error: a field is written with '=', not ':'; write: run = …",
      project.says(head .. 'return o.workflow "x" { o.step "a" { run: "b" } }'))
    assert.are.equal("x.lua:2: error: '!' is not Lua; write 'not x', or 'a ~= b'",
      project.says(head .. "if o != 1 then end"))
    assert.are.equal("x.lua:2: error: '&&' is not Lua; write 'and'",
      project.says(head .. "if o && true then end"))
  end)

  it("a module that was not required", function()
    assert.are.equal('x.lua:1: error: \'o\' is not defined; write: local o = require("orrery")',
      project.says('return o.workflow "x" {}'))
    assert.are.equal('x.lua:1: error: \'fs\' is not defined; write: local fs = '
      .. 'require("orrery.fs")', project.says('return fs.glob("*")'))
    assert.are.equal("x.lua:1: error: 'pritn' is not defined; did you mean 'print'?",
      project.says("pritn(1)"))
  end)

  it("count = count + 1 in a call", function()
    assert.are.equal("x.lua:4: error: call assigns 'count', a local outside it; it runs on a "
      .. "copy: return the value instead", project.says(head .. [[
local count = 0
return o.workflow "x" { o.step "a" { call = function()
  count = count + 1
end } }]]))
  end)

  it("an upvalue that cannot travel", function()
    assert.are.equal("x.lua:3: error: call cannot run on a worker: upvalue 'co': cannot pass a "
      .. "coroutine; a function takes along plain values, other local functions and required "
      .. "modules; make the rest inside it", project.says(head .. [[
local co = coroutine.create(function() end)
return o.workflow "x" { o.step "a" { call = function() return co end } }]]))
  end)

  it("a template that is not quoted in YAML", function()
    assert.are.equal('x.yaml:4:10: error: a value that starts with {{ must be quoted: '
      .. '"{{params.x}}"', project.says("name: x\nsteps:\n  - id: a\n    run: {{params.x}}\n",
      { file = "x.yaml" }))
  end)

  it("a syntax error of another kind keeps Lua's words", function()
    assert.are.equal("x.lua:3: error: '}' expected (to close '{' at line 2) near <eof>",
      project.says(head .. 'return o.workflow "x" { doc = "y"\n'))
  end)

  it("a runtime error has its place, in a module too", function()
    assert.are.equal("x.lua:2: error: attempt to index a nil value (local 'y')",
      project.says("local y\nreturn y.z"))
    assert.are.equal("lua/m.lua:3: error: attempt to call a nil value (local 'f')",
      project.says('require("m")', { files = { ["lua/m.lua"] = "\nlocal f\nf()" } }))
  end)

  it("a global read in a call is a warning", function()
    assert.are.equal("x.lua:2: warning: the function reads 'pritn', which is not defined; did you "
      .. "mean 'print'?", project.says(head
      .. 'return o.workflow "x" { o.step "a" { call = function() pritn(1) end } }'))
  end)
end)
