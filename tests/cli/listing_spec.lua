-- orrery list remembers what workflows are for, as long as all that their load read is as it
-- was.
local cli = require("tests.cli.harness")

local function workflow(head, doc)
  return ([[
    %s
    local o = require("orrery")
    return o.workflow "w" { doc = %s, o.step "s" { run = "true" } }
  ]]):format(head, doc)
end

-- Lists, does something, lists again: the second time must show 'want'.
local function changes(head, doc, want, act)
  return function()
    local dir = cli.folder { ["workflows/w.lua"] = workflow(head, doc), ["lua/m.lua"] = 'return "m1"',
      ["data"] = "d1", [".orrery/x"] = "" }
    local first = cli.exec(dir, "list")
    assert.truthy(first.stdout:find("w  %S"), first.stdout .. first.stderr)
    assert.are.equal(first.stdout, cli.exec(dir, "list").stdout)
    local opts = act(dir)
    local again = cli.exec(dir, "list", opts)
    assert.truthy(again.stdout:find(want, 1, true), again.stdout .. again.stderr)
    cli.remove(dir)
  end
end

describe("the list of workflows", function()
  it("sees the file change", changes("", '"one"', "two", function(dir)
    cli.write(dir .. "/workflows/w.lua", workflow("", '"two"'))
  end))
  it("sees a module change", changes("", 'require("m")', "m2", function(dir)
    cli.write(dir .. "/lua/m.lua", 'return "m2"')
  end))
  it("sees a file change that the workflow reads", changes(
    'local fs = require("orrery.fs")', 'fs.read("data")', "d2", function(dir)
      cli.write(dir .. "/data", "d2")
    end))
  it("sees a file appear", changes('local fs = require("orrery.fs")',
    'fs.exists("late") and "late" or "early"', "late", function(dir)
      cli.write(dir .. "/late", "")
    end))
  it("sees files appear in a glob", changes('local fs = require("orrery.fs")',
    'tostring(#fs.glob("da*"))', "2", function(dir) cli.write(dir .. "/data2", "") end))
  it("sees the environment change", changes("", 'os.getenv("WHAT") or "none"', "something",
    function() return { env = { WHAT = "something" } } end))
  it("sees the file break, and be mended", cli.run { files = { ["workflows/w.lua"] =
    workflow("", '"fine"'), [".orrery/x"] = "" }, args = "list", stdout = "fine",
    again = { files = { ["workflows/w.lua"] = "return" }, args = "list",
      stdout = "cannot be loaded", again = { files = { ["workflows/w.lua"] =
        workflow("", '"fine"') }, args = "list", stdout = { "fine", "!cannot" } } } })
  it("loads nothing that is known", function()
    local dir = cli.folder { [".orrery/x"] = "", ["s.lua"] = [[
      package.loaded["orrery.model.yaml"] = nil
      require("orrery.face.main")({ [0] = "orrery", "list" })
      print(package.loaded["orrery.model.yaml"] and "loaded" or "known")]],
      ["workflows/w.yaml"] = "doc: one\nsteps:\n  - id: s\n    run: 'true'\n" }
    assert.truthy(cli.exec(dir, "lua s.lua").stdout:find("w  one\nloaded", 1, true))
    assert.truthy(cli.exec(dir, "lua s.lua").stdout:find("w  one\nknown", 1, true))
    cli.remove(dir)
  end)
  it("makes nothing where nothing ran", cli.run { files = { ["workflows/w.lua"] =
    workflow("", '"fine"') }, args = "list", stdout = "fine", after = function(dir)
      assert.is_nil(cli.read(dir .. "/.orrery/listing"))
    end })
end)
