-- Schemas as gates: what does not fit fails the step, and a schema is part of its key.
local cli = require("tests.cli.harness")
local run, workflow = cli.run, cli.workflow

local reports = workflow [[
  o.step "report" { run = "cp src.json report.json", inputs = { "src.json" }, outputs = { "report.json" },
    gate = { schema = { ["report.json"] = "schemas/report.json" } } },
]]

describe("a schema", function()
  it("refuses a file that does not fit, with the place of each mistake", run {
    files = { ["workflows/w.lua"] = reports, ["src.json"] = '{"lines":[1,"x"]}',
      ["schemas/report.json"] = '{"required":["title"],"properties":{"lines":{"items":{"type":"integer"}}}}' },
    args = "run w", code = 1,
    stderr = { "report.json does not fit its schema", "'title' is missing",
      "/lines/1: expected integer, got string" },
  })

  it("does not take {} for a list in a file", run {
    files = { ["workflows/w.lua"] = reports, ["src.json"] = "{}",
      ["schemas/report.json"] = '{"type":"array"}' },
    args = "run w", code = 1, stderr = "expected array, got object",
  })

  it("that cannot work is named with its mistakes", run {
    files = { ["workflows/w.lua"] = reports, ["src.json"] = "{}",
      ["schemas/report.json"] = '{"properties":{"a":{"type":"strin"}}}' },
    args = "run w", code = 1,
    stderr = "schemas/report.json#/properties/a/type: there is no type 'strin'; did you mean 'string'?",
  })

  it("checks anew when a file it refers to changed", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "answer" { inputs = {}, call = function() return { n = 5 } end, returns = "schemas/a.json" },
    ]], ["schemas/a.json"] = '{"properties":{"n":{"$ref":"n.json"}}}',
      ["schemas/n.json"] = '{"type":"integer"}' },
    args = "run w", stdout = "1 ran",
    again = { args = "run w", stdout = "up to date",
      again = { files = { ["schemas/n.json"] = '{"type":"string"}' }, args = "run w", code = 1,
        stderr = "/n: expected string, got integer" } },
  })

  it("that cannot work, or is not there, is known before anything runs", run {
    files = { ["workflows/w.lua"] = [[
local o = require("orrery")
return o.workflow "w" {
  o.step "x" { run = "echo hi", parse = "text", returns = { type = "strin" } },
  o.step "y" { run = "make it", outputs = { "a.json" }, gate = { schema = { ["a.json"] = "none.json" } } },
  o.step "z" { run = "make s.json", outputs = { "s.json" } },
  o.step "u" { needs = "z", run = "use it", parse = "json", returns = "s.json" },
}]] }, args = "check", code = 3, stderr = { "workflows/w.lua:3: error: x: returns: ", "no type 'strin'",
      "workflows/w.lua:4: error: y: gate.schema of a.json: ", "none.json", "!s.json'", "!u: " },
  })
end)

describe("orrery schema", function()
  local title = '{"type":"object","required":["title"],"properties":{"n":{"type":"integer"}}}'

  it("says whether files fit, with both places", run { files = { ["s.json"] = title,
    ["a.json"] = '{"title":1}', ["b.yaml"] = "n: x\n" },
    args = "schema validate s.json a.json b.yaml", code = 1,
    stdout = { "a.json: fits", "b.yaml#/n: expected integer, got string (#/properties/n/type)",
      "b.yaml: " },
    again = { args = "schema validate s.json a.json", again = { stdin = "{", code = 1,
      args = "schema validate s.json - --json", stdout = '"ok": false' } } })

  it("checks formats on request", run { files = { ["a.json"] = '["2024-13-01"]',
    ["s.json"] = '{"items":{"format":"date"}}' }, args = "schema validate s.json a.json",
    stdout = "a.json: fits", again = { args = "schema validate --formats s.json a.json", code = 1,
      stdout = "a.json#/0: ", again = { args = "schema check s.json", stdout = "works" } } })

  it("names what is wrong with a schema", run { files = { ["s.json"] = '{"type":"strin"}',
    ["t.json"] = title }, args = "schema check t.json s.json", code = 3,
    stdout = { "t.json: works", "s.json#/type" }, again = { code = 3, stderr = "s.json#/type",
      args = "schema validate s.json t.json" } })

  it("knows no other verb and no file that is not there", run { files = {}, code = 2,
    args = "schema vaildate a b", stderr = "did you mean 'validate'", again = { code = 2,
      args = "schema check none.json", stderr = "none.json" } })
end)
