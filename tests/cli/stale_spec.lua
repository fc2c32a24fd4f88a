-- What must not be taken for the same: changes that a key has to see. The real binary.
local cli = require("tests.cli.harness")
local run = cli.run

local function workflow(body)
  return 'local o = require("orrery")\nreturn o.workflow "w" {\n' .. body .. "\n}\n"
end

describe("a function is not served a result that was made from other things:", function()
  it("the id of the step it is called for", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { call = function(ctx) return ctx.step.id end },
      o.step "b" { call = function(ctx) return ctx.step.id end },
      o.step "s" { run = "echo {{results.a.value}} then {{results.b.value}}", needs = { "a", "b" } },
    ]] }, args = "run w", stdout = "a then b",
    again = { args = "run w", stdout = "2 up to date" },
  })

  it("what an earlier step printed, when it reads that", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "src" { run = "cat n.txt" },
      o.step "c" { needs = "src", call = function(ctx) print("got " .. ctx.results.src.stdout) end },
    ]], ["n.txt"] = "one" }, args = "run w", stdout = "got one",
    again = { args = "run w", stdout = { "!got one", "1 up to date" },
      again = { files = { ["n.txt"] = "two" }, args = "run w",
        stdout = { "got two", "results.src.stdout changed" } } },
  })

  it("but what it does not read of an earlier step may change", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "src" { run = "cat n.txt; echo x > out", inputs = { "n.txt" }, outputs = { "out" } },
      o.step "c" { needs = "src", call = function(ctx) print("called") return ctx.results.src.outputs[1] end },
    ]], ["n.txt"] = "one" }, args = "run w", stdout = "called",
    again = { files = { ["n.txt"] = "two" }, args = "run w", stdout = { "two", "!called", "1 up to date" } },
  })

  it("which members of a group failed", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "f" { for_each = { 1, 2 }, policy = "settled", allow_failure = true, call = function(ctx)
        if require("orrery.fs").read("which") == tostring(ctx.item) then error("bad") end
        return true
      end },
      o.step "show" { after = "f", when = "always()", call = function(ctx)
        print("failed: " .. table.concat(ctx.results.f.failed, ","))
      end },
    ]], which = "1" }, args = "run w", stdout = "failed: f[1]",
    again = { files = { which = "2" }, args = "run w", stdout = "failed: f[2]" },
  })

  it("a result that it returns as a whole travels as a copy", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { call = function() return { 7 } end },
      o.step "b" { needs = "a", call = function(ctx) return { of = { ctx.results.a } } end },
      o.step "s" { needs = "b", run = "echo {{results.b.value.of[1].value[1]}} {{results.b.value.of[1].status}}" },
    ]] }, args = "run w", stdout = "7 ok",
  })

  it("the item of a skill's step, and the files the skill reads", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "s" { for_each = { 1, 2 }, skill = "sk" },
    ]], ["n.txt"] = "x", ["skills/sk.lua"] = [[return function(ctx)
      print("skill " .. ctx.item .. require("orrery.fs").read("n.txt"))
    end]] }, args = "run w", stdout = { "skill 1x", "skill 2x" },
    again = { args = "run w", stdout = "up to date",
      again = { files = { ["n.txt"] = "y" }, args = "run w", stdout = { "skill 1y", "skill 2y", "n.txt changed" } } },
  })
end)
