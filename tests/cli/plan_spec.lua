-- What plan says of each kind of step, and that the run that follows agrees.
local cli = require("tests.cli.harness")
local run, workflow = cli.run, cli.workflow

local function of(body, files)
  local out = { ["workflows/w.lua"] = workflow(body) }
  for k, v in pairs(files or {}) do out[k] = v end
  return out
end

-- A run, a change, then what plan says.
local function after(files, change, want)
  return run { files = files, args = "run w", again = { shell = change .. " && $orrery plan w",
    stdout = want } }
end

local pair = of([[
  o.step "gen" { run = "cat src > mid", inputs = { "src" }, outputs = { "mid" } },
  o.step "use" { run = "cat mid > out", inputs = { "mid" }, outputs = { "out" } } ]],
  { src = "1\n" })

describe("plan", function()
  it("says run for what is new, and maybe for what hangs on it", run { files = pair,
    args = "plan w", stdout = { "run    gen  first run",
      "maybe  use  after gen: gen ran for the first time", "1 to run, 1 perhaps" } })
  it("says hit for all steps of a chain whose outputs were deleted", after(pair, "rm mid out",
    { "hit  gen  to restore\nhit  use  to restore\n", "2 up to date" }))
  it("says hit when an input went back to earlier bytes", after(pair,
    "echo 2 > src && $orrery run w && echo 1 > src", "hit  gen  to restore\nhit  use"))
  it("says run for forced steps", run { files = pair, args = "run w", again = {
    args = "plan w --force=use", stdout = { "hit  gen\n", "run  use  forced" } } })
  it("follows --only and --from", run { files = pair, args = "run w", again = {
    shell = "echo 2 > src; $orrery plan w use --only; $orrery plan w --from use",
    stdout = { "hit  use\n1 step: 1 up to date\nhit  use\n1 step: 1 up to date" } } })
  it("says run, always, for cache = false", after(of
    [[ o.step "s" { run = "true", inputs = {}, cache = false } ]], "true",
    "run  s  always (cache = false)"))
  it("says run for what expired", after(of
    [[ o.step "s" { run = "true", inputs = {}, cache = { ttl = 0.01 } } ]], "sleep 0.1",
    "run  s  its result expired (ttl)"))
  it("says hit for an absent temporary output", after(of [[
    o.step "a" { run = "echo > t", inputs = {}, outputs = { "t" }, temp = true },
    o.step "b" { run = "cat t > u", inputs = { "t" }, outputs = { "u" } } ]], "test ! -e t",
    "hit  a\nhit  b\n"))
  it("judges the members of a fan-out that is known, or whose list is", after(of([[
    o.step "list" { run = "cat l", inputs = { "l" }, parse = "lines" },
    o.step "m" { run = "echo {{item}}", inputs = {}, for_each = "{{results.list.value}}" } ]],
    { l = "a\nb\n" }), "true", { "hit  m[a]", "hit  m[b]" }))
  it("says maybe for a fan-out over a result that is not known", run { files = of([[
    o.step "list" { run = "cat l", inputs = { "l" }, parse = "lines" },
    o.step "m" { run = "echo {{item}}", inputs = {}, for_each = "{{results.list.value}}" } ]],
    { l = "a\nb\n" }), args = "plan w", stdout = "maybe  m     after list" })
  it("says skip for a condition that is false, also of a group", run { files = of [[
    params = { n = 1 },
    o.step "s" { run = "true", when = "params.n == 2" },
    o.group "g" { when = "params.n == 2", o.step "t" { run = "true" } },
    o.step "after" { run = "true", needs = "g" } ]], args = "plan w", stdout = {
      "skip  s      its condition is false", "skip  t      the condition of its group is false",
      "run   after" } })
  it("says that the last attempt of a failing step failed", run { files = of [[
    o.step "s" { run = "exit 3", inputs = {}, allow_failure = true } ]], args = "run w",
    again = { args = "plan w", stdout = "run  s  its last attempt failed (exit 3)" } })
  it("lists what a body called the last time", after({ ["workflows/w.lua"] =
    'return require("orrery").workflow("w") { body = function(w) w:run("echo 1", { inputs = {} }) '
    .. 'w:run("echo 2", { id = "two" }) end }' }, "true",
    { "maybe  run:echo  called last time", "maybe  two       called last time" }))
  it("looks into a workflow inside", run { files = of([[
    o.step "in" { workflow = "inner" }, o.step "after" { run = "true", inputs = {}, needs = "in" } ]],
    { ["workflows/inner.lua"] = 'local o = require("orrery")\nreturn o.workflow "inner" {\n'
      .. 'o.step "x" { run = "cat f", inputs = { "f" } } }', f = "1" }), args = "run w",
    again = { args = "plan w", stdout = { "run  in", "hit  in/x", "hit  after" },
      again = { shell = "echo 2 > f; $orrery plan w", stdout = { "run    in/x   f changed",
        "maybe  after  after in" } } } })
  it("says maybe for two steps that are the same work", run { files = of [[
    o.step "a" { run = "echo same", inputs = {} }, o.step "b" { run = "echo same", inputs = {} } ]],
    args = "plan w", stdout = { "maybe  a  it is the same work as b",
      "maybe  b  it is the same work as a" }, again = { args = "run w", stdout = "1 ran" } })
  it("says maybe where a policy decides who starts", run { files = of [[
    o.group "g" { policy = "race", o.step "a" { run = "echo 1" }, o.step "b" { run = "echo 2" } } ]],
    args = "plan w", stdout = "maybe  a  the policy of g decides (race)" })
  it("lists what cleans up at the end", run { files = of [[
    finally = { o.step "over" { run = "true" } }, o.step "a" { run = "true" } ]],
    args = "plan w", stdout = "run  over" })
  it("exits 10 with --exit-code when there is work, 0 when there is none", run { files = pair,
    args = "plan w --exit-code", code = 10, again = { args = "run w",
      again = { args = "plan w --exit-code" } } })
  it("is one document with --json, with all reasons", run { files = pair, args = "run w",
    again = { shell = "echo 2 > src; $orrery run -n w --json", stdout = { '"verdict": "run"',
      '"text": "src changed"', '"after": "gen"', '"cause": "src changed"', '"work": true' } } })
  it("makes nothing", run { files = pair, shell = "$orrery plan w; ls -A",
    stdout = { "!.orrery" } })
end)
