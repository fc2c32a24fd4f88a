-- What a further step costs in memory: the peaks of the real binary over few and over many steps.
-- Bounds are a good deal above what was measured (docs/performance.md, Memory), and far below
-- what it was when each step's records were kept.
local cli = require("tests.cli.harness")

local FEW, MANY = 200, 2200

local FLOW = [[
local o = require("orrery")
local steps = {}
for i = 1, %d do steps[i] = o.step("t" .. i) { %s } end
return o.workflow "many" { steps }
]]

-- Prints the peak of a run in bytes. A process of its own: what was larger before it began a
-- child would be the least that is seen of it.
local MEASURE = [[
local loop = require("orrery.kernel.loop")
local l <close> = loop.new()
local e = l:run(l:task("run", loop.child, { argv = { arg[1], "run", "many", "-q" } }))
print(e.code, e.rss)
]]

local function peak(n, fields)
  return cli.within(function(dir)
    local p <close> = assert(io.popen(("cd %s && %s lua measure.lua %s"):format(cli.quote(dir),
      cli.quote(cli.binary()), cli.quote(cli.binary()))))
    local code, rss = p:read("a"):match("^(%d+)%s+(%d+)%s*$")
    assert.equal("0", code)
    return tonumber(rss)
  end, { ["workflows/many.lua"] = FLOW:format(n, fields), ["src/x"] = "x",
    ["measure.lua"] = MEASURE })
end

local function per_step(fields)
  return (peak(MANY, fields) - peak(FEW, fields)) / (MANY - FEW) / 1024
end

describe("a further step", function()
  it("takes little memory when it is a command", function()
    local kb = per_step('run = "true"')
    assert.is_true(kb < 4, ("%.2f KB a step"):format(kb))
  end)

  it("takes not much more with an input that is remembered", function()
    local kb = per_step('run = "true", inputs = { "src/x" }')
    assert.is_true(kb < 9, ("%.2f KB a step"):format(kb))
  end)
end)
