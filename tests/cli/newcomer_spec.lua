-- What somebody new is told, and what a param, a quorum or a body means to them.
local run = require("tests.cli.harness").run

local function workflow(body)
  return { ["workflows/w.lua"] = 'local o = require("orrery")\nreturn o.workflow "w" {\n' .. body .. "\n}\n" }
end

describe("a function and params", function()
  local files = workflow [[
    params = { a = 1, b = 2 },
    o.step "reads"  { call = function(ctx) return ctx.params.a end },
    o.step "blind"  { call = function() return 3 end },
    o.step "all"    { call = function(ctx) return { p = ctx.params } end },
    o.step "absent" { call = function(ctx) return ctx.params.c == nil end }]]

  it("run again only what reads the param that changed, and name both values", run {
    files = files, args = "run w", stdout = "4 steps: 4 ran",
    again = { args = "run w reads blind absent -p b=3", stdout = "3 steps: everything up to date",
      again = { args = "run w -p a=9",
        stdout = { "2 up to date, 2 ran", "reads", "param a 1 → 9", "all", "!blind" },
        again = { args = "run w", stdout = "everything up to date" } } } })

  it("returned whole, are a plain table", run { files = files, args = "run w all --json",
    stdout = { '"value"', '"a": 1', '"b": 2' } })
end)

describe("a group that is good enough", function()
  it("warns of the member that failed and blames nobody for the one it did not need", run {
    files = workflow [[
      o.group "q" { policy = { "quorum", need = 2, rest = "cancel" }, limit = 1,
        o.step "a" { run = "echo a" }, o.step "b" { run = "exit 3" },
        o.step "c" { run = "echo c" }, o.step "d" { run = "echo d" } }]],
    args = "run w", stderr = { "warning: b: exit 3", "!error", "!because of it" } })
end)

describe("output in one block a step", function()
  it("comes after the line of its step in a body, too", run {
    files = workflow [[ body = function(w)
      w:run("echo one; sleep 0.1; echo two", { id = "first" }) w:run("echo three", { id = "second" })
    end ]],
    args = "run w", after = function(_, r)
      assert.is_truthy(r.stdout:match("^ok +first[^\n]*\none\ntwo\nok +second[^\n]*\nthree\n"))
    end })
end)

describe("a run that is resumed", function()
  it("repeats nothing but what cleans up, and counts what it took over", run {
    files = workflow [[
      o.step "pay" { run = "echo paid >> ledger" },
      o.step "try" { needs = "pay", run = "exit 1" },
      o.step "undo" { after = "try", when = "failure()", run = "echo undone >> ledger" },
      finally = { o.step "unlock" { run = "echo unlocked >> ledger" } }]],
    args = "run w", code = 1,
    again = { shell = "$orrery resume; c=$?; cat ledger; exit $c", code = 1,
      stdout = { "paid\nundone\nunlocked\nundone\nunlocked\n", "1 restored, 2 ran, 1 failed" } } })
end)

describe("an output that is missing", function()
  local files = workflow [[
    o.step "a" { run = "cat f; echo x > a.txt", inputs = { "f" }, cwd = "dist",
      outputs = { "b.txt" } }]]
  files["dist/f"] = "f"
  it("is named with what was written beside it, not with what was read", run { files = files,
    args = "run w", code = 1, stderr = "dist/b.txt is missing; it wrote dist/a.txt\n" })
end)

describe("advice", function()
  it("is given with the first line that has room for it", run { files = workflow [[
      policy = "settled", o.step "a" { run = "exit 1" }, o.step "b" { run = "true", after = "a" } ]],
    args = "run w", code = 1, stdout = "add inputs = {…}" })
end)

describe("a name that is not there", function()
  it("of a step is answered with the steps there are", run { files = workflow [[
      o.step "links" { run = "true" }, o.step "spell" { run = "true" }]],
    args = "run w nope", code = 2, stderr = { "no step 'nope' in w", "its steps are: links, spell" } })
  it("near another gets that one", run { files = workflow [[o.step "links" { run = "true" }]],
    args = "run w lniks", code = 2, stderr = "did you mean 'links'?" })
end)

describe("what a body is given from outside", function()
  it("is data in with, templates and all, and a name in inputs", run {
    files = { ["workflows/w.lua"] = [==[
local o, fs = require("orrery"), require("orrery.fs")
return o.workflow "w" {
  params = { x = "rendered" },
  body = function(w)
    return w:parallel("read", fs.glob("in/*"), function(path)
      return w:call(function(ctx) return ctx.with.text .. #ctx.inputs end,
        { with = { path = path, text = fs.read(path) }, inputs = { "{{with.path}}" } }).value
    end, { limit = 1 }).values
  end,
}
]==], ["in/a*"] = "{{params.x}}", ["in/ab"] = "{{results.no}}", ["in/{{params.x}}"] = "{{params.x|y}}" },
    args = "run w --json", stdout = { "{{params.x}}1", "{{results.no}}1", "{{params.x|y}}1" },
    again = { args = "run w", stdout = "6 steps: everything up to date",
      again = { files = { ["in/ab"] = "else" }, args = "run w", stdout = { "4 up to date, 2 ran",
        "read[in/ab]", "!read[in/a*]" } } } })
end)

describe("a workflow of agents that nobody executes", function()
  local files = workflow [[
    o.step "a" { agent = "x", prompt = "p" },
    o.step "b" { needs = "a", run = "test -e ok" },
    o.step "c" { needs = "b", agent = "y", prompt = "p", outputs = { "made/", "z.json" } }]]
  files["workflows/flow.yaml"] = [[
steps:
  - { step: 1, agent: a, condition: nobody_knows, outputs: [x.json] }
  - { step: 2, agent: b }
  - { step: 3, agent: c }
  - { step: 4, agent: d }
  - { step: 5, agent: e }
  - { step: 6, agent: f }
]]

  it("is told three ways, before anything else is said", run { files = files,
    args = "run flow.yaml", code = 2, stderr = { "for the agents a, b, c, d and 2 more\n"
      .. "  to try it without one:  --agent mock\n  to have a command do it: --agent '*=CMD', ",
      "\n  to ask an endpoint:      agents = { [\"*\"] = { http = ", "!warning" } })

  it("runs with the mock, which is remembered when it goes on", run { files = files,
    args = "run w --agent mock -q", code = 1, stderr = "b: exit 1",
    again = { shell = "touch ok; $orrery resume; find made; cat z.json", stdout = {
      "3 steps: 1 up to date, 2 ran", "mock y: wrote made, z.json", "made/README.md",
      '"role": "y"' } } })

  it("may be named by its file", run { files = files, args = "run flow.yaml --agent mock",
    stdout = "ok         2", again = { args = "run nope.yaml", code = 2,
      stderr = "there is no file 'nope.yaml'" } })
end)

describe("a list that happens to be empty", function()
  it("is as good as any among inputs, and no words in a command", run {
    files = workflow [[ o.step "link" { run = { "echo", "<", "{{inputs}}", ">" },
      inputs = require("orrery.fs").glob("none/*.o") } ]],
    args = "run w", stdout = "< >" })
  it("is not the same as saying nothing", run {
    files = workflow [[ o.step "link" { run = { "echo", "{{inputs}}" } } ]],
    args = "run w", code = 3, stderr = "{{inputs}} is read, but 'link' declares no inputs" })
end)

describe("the word of another tool", function()
  it("is answered with ours", run { files = workflow [[ o.step "a" { cmds = "true" } ]],
    args = "check", code = 3, stderr = "unknown field 'cmds'; here it is called 'run'" })
end)

describe("a step that fails for a variable it was not given", function()
  it("is told which one, though it printed nothing", run {
    files = workflow [[ o.step "push" { run = 'test -n "$AWS_PROFILE"', inputs = {} } ]],
    env = { AWS_PROFILE = "me" }, args = "run w", code = 1,
    stderr = 'AWS_PROFILE is set in your shell but not passed; add pass_env = { "AWS_PROFILE" }',
    again = { args = "run w", code = 1, stderr = "!AWS_PROFILE" } })
end)

describe("a function that writes a file it does not declare", function()
  local step = [[ o.step "s" { %s call = function()
    require("orrery.fs").write_atomic("sum.txt", "1") return 1 end } ]]
  it("is told why it is not remembered, once a line", run { files = workflow(step:format("")),
    args = "run w", stdout = "not remembered: it writes a file that is not among its outputs",
    again = { args = "run w", stdout = "its last result was not remembered",
      after = function(_, r) assert.are.equal(1, select(2, r.stdout:gsub("not remembered", ""))) end } })
  it("is remembered when it declares it", run {
    files = workflow(step:format('outputs = { "sum.txt" },')), args = "run w",
    again = { args = "run w", stdout = "everything up to date" } })
end)
