local inputs = require("orrery.run.keys.inputs")
local still = require("orrery.run.keys.still")

-- A run whose index counts what it is asked, and knows one content per path.
local function new_run(contents)
  local run = { root = "/r", still = still.new(), asked = {} }
  run.index = {
    digests = function(_, paths, _, root)
      local digests, modes = {}, {}
      for i, p in ipairs(paths) do
        if p:sub(1, 1) ~= "/" then p = root .. "/" .. p end
        run.asked[#run.asked + 1] = p
        digests[i], modes[i] = contents[p] or false, contents[p] and 493 or false
      end
      return digests, modes
    end,
  }
  return run
end

describe("while a run stands still", function()
  it("a file is looked at once, however many steps read it", function()
    local run = new_run({ ["/r/a"] = "d1", ["/r/b"] = "d2" })
    inputs.facts(run, { "a" })
    local facts = inputs.facts(run, { "a", "b" })
    assert.same({ { "a", "d1", true }, { "b", "d2", true } }, facts)
    assert.same({ "/r/a", "/r/b" }, run.asked)
  end)

  it("a missing file is looked for again", function()
    local contents = {}
    local run = new_run(contents)
    assert.same({ { "a", false } }, inputs.facts(run, { "a" }))
    contents["/r/a"] = "d1"
    assert.same({ { "a", "d1", true } }, inputs.facts(run, { "a" }))
  end)

  it("ends: then files are looked at again", function()
    local contents = { ["/r/a"] = "d1" }
    local run = new_run(contents)
    inputs.facts(run, { "a" })
    contents["/r/a"] = "d2"
    still.over(run)
    assert.same({ { "a", "d2", true } }, inputs.facts(run, { "a" }))
  end)

  it("artifacts are not kept in mind, for a body may write them", function()
    local path = ".orrery/runs/x/artifacts/plan.json"
    local contents = { ["/r/" .. path] = "d1" }
    local run = new_run(contents)
    run.id = "x"
    inputs.facts(run, { path })
    contents["/r/" .. path] = "d2"
    assert.equal("d2", inputs.facts(run, { path })[1][2])
  end)

  it("what the run changes itself is looked at again, and only that", function()
    local run = new_run({ ["/r/a"] = "d1", ["/r/b"] = "d2" })
    still.forget(run, "x") -- the first change forgets all
    inputs.facts(run, { "a", "b" })
    still.forget(run, "a")
    run.asked = {}
    inputs.facts(run, { "a", "b" })
    assert.same({ "/r/a" }, run.asked)
  end)

  it("after a change nothing behind a symlinked directory is kept in mind", function()
    local fs = require("orrery.core.fs")
    local root = os.tmpname()
    os.remove(root)
    fs.mkdir(root .. "/real/deep")
    fs.symlink("real", root .. "/alias")
    local contents = { [root .. "/alias/deep/f"] = "d1", [root .. "/real/deep/f"] = "d1" }
    local run = new_run(contents)
    run.root = root
    still.forget(run, "x")
    inputs.facts(run, { "alias/deep/f", "real/deep/f" })
    for path in pairs(contents) do contents[path] = "d2" end
    still.forget(run, "real/deep/f")
    assert.equal("d2", inputs.facts(run, { "alias/deep/f" })[1][2])
    still.forget(run, "alias/deep/f")
    assert.equal("d2", inputs.facts(run, { "real/deep/f" })[1][2])
    fs.remove_tree(root)
  end)

  it("a nested run shares what is known", function()
    local run = new_run({ ["/r/a"] = "d1" })
    local inner = setmetatable({}, { __index = run })
    inputs.facts(inner, { "a" })
    still.over(inner)
    assert.is_nil(still.get(run, "a"))
  end)
end)
