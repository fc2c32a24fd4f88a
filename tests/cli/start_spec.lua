-- What a start costs is what it loads: a plain run loads no module that it has no use for.
local cli = require("tests.cli.harness")

-- Runs the command line in a state of its own and says what was loaded.
local script = [[
require("orrery.face.main")({ [0] = "orrery", "run", "./w.lua", "-q" })
local mine = {}
for name in pairs(package.loaded) do
  if name:find("^orrery%.") then mine[#mine + 1] = name end
end
table.sort(mine)
print(table.concat(mine, "\n") .. "\n")
]]

local workflow = [[
local o = require("orrery")
return o.workflow "w" { o.step "a" { run = "true" } }
]]

local FOR_SOME = { "model.agents", "model.clauses", "model.expr", "model.fan", "model.mistakes",
  "model.params", "model.paths", "model.scope", "model.yaml", "kernel.misplaced",
  "kernel.nearest", "kernel.workers", "run.gates.approval", "run.body", "run.conditions",
  "run.keys.depfile", "run.memo.differ", "run.agents.executors", "run.graph.fanout",
  "run.gates.gate", "run.improve", "run.memo.locks", "run.memo", "run.services.readiness",
  "run.keys.recorded", "run.records.resume", "run.graph.retry", "run.keys.schemakeys",
  "run.graph.selection", "run.services.service", "core.git", "core.pool", "core.regex",
  "core.yaml", "knowledge.schema", "time", "steps.agent", "face.ask", "face.show.live" }

local expected = { "orrery.run.scheduler\n" }
for _, name in ipairs(FOR_SOME) do expected[#expected + 1] = "!orrery." .. name .. "\n" end

describe("the start of orrery run", function()
  it("loads what the run needs, and not what only others do", cli.run {
    files = { ["s.lua"] = script, ["w.lua"] = workflow }, args = "lua s.lua",
    stdout = expected })

  it("is asked about modules that there are", function()
    for _, name in ipairs(FOR_SOME) do
      if not name:find("^core%.") then -- those are of C
        assert(io.open("lua/orrery/" .. name:gsub("%.", "/") .. ".lua")):close()
      end
    end
  end)
end)
