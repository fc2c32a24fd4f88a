-- require("orrery") from a script: run, plan, open_run and simulate over real runs.
local cli = require("tests.cli.harness")

local function script(workflow, text, want)
  return cli.run { files = { ["workflows/w.lua"] = 'local o = require("orrery")\n' .. workflow,
    ["in.txt"] = "1", ["s.lua"] = 'local o = require("orrery")\n' .. text },
    args = "lua s.lua", stdout = want }
end

local two = [[
return o.workflow "w" { policy = "settled",
  o.step "hit" { run = "cat in.txt", inputs = { "in.txt" }, parse = "json" },
  o.step "bad" { run = "echo oops; exit 3" },
  o.step "held" { needs = "bad", run = "true" },
}
]]

describe("a script", function()
  it("opens a finished run as it was returned", script(two, [[
    local was = o.run("w")
    local r = o.open_run("last")
    print(r.id == was.id, r.code, r.status, table.concat(r.failed, " "), r.report.wall == r.seconds)
    print(r.steps.hit.ok, r.steps.hit.value, r.steps.bad.exit, r.steps.bad.stdout,
      r.steps.held.status, r.errors[1].message, r.errors[1].place.line)
    o.run("w")
    print(o.open_run().steps.hit.cached, o.open_run(r.id).steps.hit.cached)
  ]], { "true\t1\tfailed\tbad\ttrue\n", "true\t1\t3\toops\n\tskipped\texit 3\t4\n", "clean\tnil\n" }))

  it("plays a run again with another width", script(two, [[
    local r = o.run("w")
    local s = o.simulate(o.open_run(r.id), { jobs = 1 })
    print(s.wall > 0, s.was == r.seconds, #s.critical.path)
  ]], "true\ttrue\t1\n"))

  it("says which run there is not", script(two, [[
    print(select(2, pcall(o.open_run, "last")))
  ]], "there is no run yet\n"))

  it("plans what would run, and why", script(two, [[
    for _, s in ipairs(o.plan("w")) do print(s.id, s.verdict, s.reason or s.after) end
  ]], { "hit\trun\tfirst run\n", "held\tmaybe\tbad\n" }))
end)
