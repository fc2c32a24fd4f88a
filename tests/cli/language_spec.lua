-- The language as people use it: each sentence of it through the real binary.
local cli = require("tests.cli.harness")
local run, workflow = cli.run, cli.workflow

-- A test of one workflow; `want` is what cli.run takes.
local function flow(text, want)
  want.files = want.files or {}
  want.files["workflows/w.lua"] = workflow(text)
  want.args = want.args or "run w"
  return run(want)
end

local function body(text, want)
  return flow("body = function(w)\n" .. text .. "\nend", want)
end

describe("a command", function()
  it("is given to any interpreter, or to bash with pipefail, or to sh with -e", flow([[
    o.step "own" { run = "print 1+1, qq(\n)", shell = { "perl", "-e" } },
    o.step "pipe" { run = "false | true; echo unreached", shell = "bash", allow_failure = true },
    o.step "sh" { run = "false; echo unreached", allow_failure = true },
  ]], { stdout = { "2\n", "!unreached", "2 failed but allowed to" } }))

  it("has its output as value: text, lines, json", flow([[
    o.step "t" { run = "printf 'one\n\n'", parse = "text" },
    o.step "l" { run = "printf 'a b\nc\n'", parse = "lines" },
    o.step "j" { run = "echo '{\"n\": [1, 2.5, null]}'", parse = "json" },
    o.step "u" { needs = { "t", "l", "j" }, run = { "printf", "<%s>", "{{results.t.value}}",
      "{{results.l.value}}", "{{results.j.value.n[1]}}" } },
  ]], { stdout = "<one><a b><c><1>" }))

  it("says so when the output is no JSON", flow([[ o.step "j" { run = "echo {x", parse = "json" } ]],
    { code = 1, stderr = "j: stdout is not JSON" }))

  it("quotes what a template puts in a shell line, as exactly one word", flow([[
    params = { x = "it's; $HOME `id`" },
    o.step "s" { run = "printf '[%s]' {{params.x}} done" },
  ]], { stdout = "[it's; $HOME `id`][done]" }))

  it("gets the words after --, a list alone in its word as several", flow([[
    o.step "s" { run = { "printf", "<%s>", "{{args}}" } },
  ]], { args = "run w -- one 'two three'", stdout = "<one><two three>" }))
end)

describe("paths", function()
  it("are relative to cwd, // is the root, names are read in templates", flow([[
    o.step "s" { cwd = "sub", run = "cat {{inputs.a}} {{inputs.top}} > {{outputs.to}}",
      inputs = { a = "*.t", top = "//top.txt" }, outputs = { to = "made/out" } },
    o.step "r" { run = "cat sub/made/out", inputs = { "sub/made/out" } },
    o.step "up" { needs = "s", cwd = "sub/made", run = { "cat", "{{inputs[1]}}" }, inputs = { "../1.t" } },
    o.step "call" { cwd = "sub", inputs = { "1.t" }, call = function(ctx) return ctx.inputs[1] end },
    o.step "show" { run = "echo {{results.s.outputs.to}} {{results.call.value}}", needs = { "s", "call" } },
  ]], { files = { ["sub/1.t"] = "one\n", ["sub/2.t"] = "two\n", ["top.txt"] = "top\n" },
    stdout = { "one\ntwo\ntop\n", "ok         up", "sub/made/out sub/1.t" } }))

  it("exclude with !, so that what is excluded changes nothing", flow([[
    o.step "s" { run = "cat in/a", inputs = { "in/*", "!in/skip" } },
  ]], { files = { ["in/a"] = "1", ["in/skip"] = "1" }, again = { files = { ["in/skip"] = "2" },
    args = "run w", stdout = "everything up to date", again = { files = { ["in/a"] = "2" },
      args = "run w", stdout = "in/a changed" } } }))

  it("leave the last outputs in place with keep, and remove them without", flow([[
    o.step "k" { run = "ls k 2>/dev/null; cat s > k/x", inputs = { "s" }, outputs = { "k/x" }, keep = true },
    o.step "d" { run = "ls d 2>/dev/null; cat s > d/y", inputs = { "s" }, outputs = { "d/y" } },
  ]], { files = { s = "1" }, stdout = { "!x\n", "!y\n" },
    again = { files = { s = "2" }, args = "run w", stdout = { "x\n", "!y\n" } } }))

  it("that are temporary go after their last reader, and come back for a target", flow([[
    o.step "t" { run = "echo t > tmp.x", inputs = {}, outputs = { "tmp.x" }, temp = true },
    o.step "u" { run = "cat tmp.x {{params.also}}", inputs = { "tmp.x", "more" } },
    params = { also = "more" },
  ]], { files = { more = "1\n" }, stdout = "t\n",
    after = function(dir) assert(cli.read(dir .. "/tmp.x") == nil, "tmp.x is still there") end,
    again = { files = { more = "2\n" }, args = "run w", stdout = { "t\n2\n", "!ok         t" } } }))
end)

describe("tools", function()
  local files = { ["t.sh"] = "#!/bin/sh\necho 1", ["u.sh"] = "#!/bin/sh\necho 1" }
  it("count by digest: the program itself, those named, none of {}", flow([[
    o.step "own" { run = "./t.sh", inputs = {} },
    o.step "none" { run = "./t.sh", inputs = {}, tools = {} },
    o.step "named" { run = "sh u.sh", inputs = {}, tools = { "./u.sh" } },
  ]], { files = files, stdout = "3 ran", again = { args = "run w", stdout = "everything up to date",
    again = { files = { ["t.sh"] = "#!/bin/sh\necho 2", ["u.sh"] = "#!/bin/sh\necho 2" },
      args = "run w", stdout = { "tool ./t.sh changed", "tool ./u.sh changed",
        "1 up to date, 2 ran" } } } }))
end)

describe("the environment of a cached step", function()
  it("is what it sets and lists; listed ones are in the key, passed ones are not", flow([[
    env = { "LISTED", WF = "wf" }, dotenv = { ".env", ".env.local" },
    o.step "s" { run = "echo $WF,$LISTED,$PASSED,$OTHER,$DOT,$TZ", inputs = {}, env = { "DOT" },
      pass_env = { "PASSED" } },
  ]], { files = { [".env"] = "DOT=one\nLISTED=no", [".env.local"] = "DOT=two" },
    env = { LISTED = "l1", PASSED = "p1", OTHER = "o1" }, stdout = "wf,l1,p1,,two,UTC\n",
    again = { args = "run w", env = { LISTED = "l1", PASSED = "p2", OTHER = "o2" },
      stdout = "everything up to date",
      again = { args = "run w", env = { LISTED = "l2" }, stdout = "env LISTED l1 → l2" } } }))
end)

describe("when", function()
  it("is asked: exists, params, results, the git state of a glob", flow([[
    params = { go = true },
    o.step "yes" { when = "exists('src/x') and params.go", run = "echo ran-yes" },
    o.step "no" { when = "exists('src/nope')", run = "echo ran-no" },
    o.step "next" { needs = "no", run = "echo ran-next" },
    o.step "fn" { needs = "yes", when = function(ctx) return ctx.results.yes.ok end, run = "echo ran-fn" },
    o.step "clean" { when = "changed('src/**')", run = "echo ran-clean" },
    o.step "dirty" { when = "changed('workflows/**')", run = "echo ran-dirty" },
  ]], { files = { ["src/x"] = "" }, args = nil, shell = "git init -q . && git add src && "
    .. "git -c user.name=n -c user.email=e commit -qm x && $orrery run w",
    stdout = { "ran-yes", "!ran-no", "ran-next", "ran-fn", "!ran-clean", "ran-dirty" } }))

  it("runs after a failure only with a status word", flow([[
    o.step "bad" { run = "false" },
    o.step "held" { needs = "bad", run = "echo ran-held" },
    o.step "f" { needs = "bad", when = "failure()", run = "echo ran-f" },
    o.step "a" { needs = "bad", when = "always()", run = "echo {{results.bad.status}}-a" },
    o.step "aft" { after = "bad", run = "echo ran-aft" },
  ]], { code = 1, args = "run w -k", stdout = { "!ran-held", "ran-f", "failed-a", "ran-aft" },
    stderr = "skipped because of it: held" }))
end)

describe("a retry", function()
  it("asks for resources anew, as its attempt wants them", flow([[
    o.step "s" { run = "test -e second || { touch second; exit 75; }; echo done",
      retry = { attempts = 3, delay = "1ms", on = { "exit:75" } },
      resources = function(ctx) return { slot = ctx.attempt * 2 } end },
  ]], { args = "run w --resources slot=4", stdout = "done" }))

  it("fails when a later attempt asks for more than there is", flow([[
    o.step "s" { run = "exit 75", retry = { attempts = 3, delay = "1ms" },
      resources = function(ctx) return { slot = ctx.attempt * 2 } end },
  ]], { args = "run w --resources slot=4", code = 1, stderr = "s asks for 6 slot, and there are 4" }))

  it("leaves its place to others while it waits, also to one with the same key", flow([[
    o.step "a" { run = "test -e other && echo same", inputs = {}, retry = { attempts = 200, delay = "10ms", backoff = 1 } },
    o.step "b" { run = "touch other; echo b" },
    o.step "c" { run = "test -e other && echo same", inputs = {}, retry = { attempts = 200, delay = "10ms", backoff = 1 } },
  ]], { args = "run -j1 w", stdout = { "same", "b\n" } }))

  it("ends with the run while it waits", flow([[
    o.group "g" { policy = "race", o.step "slow" { run = "exit 1", retry = { attempts = 3, delay = "1h" } },
      o.step "first" { run = "sleep 0.05" } },
  ]], { args = "run -j1 w", stdout = "1 ran" }))
end)

describe("an input", function()
  it("that is not there is warned about once, where it is declared", flow([[
    o.step "s" { run = "echo ran", inputs = { "gone", "no/*.c", "edited" }, outputs = { "edited" } },
  ]], { code = 1, stderr = { "workflows/w.lua:3: warning: s: input 'gone' does not exist",
    "workflows/w.lua:3: warning: s: input 'no/*.c' matches no file", "!'edited' does not exist" } }))
end)

describe("finally", function()
  it("of a group and of the workflow runs after a failure, and its own failure is told", flow([[
    o.group "g" { o.step "a" { run = "false" },
      finally = { o.step "gf" { run = "echo group-{{results.a.status}}" } } },
    finally = { o.step "wf" { run = "echo workflow-end" }, o.step "wf2" { run = "exit 5" } },
  ]], { code = 1, stdout = { "group-failed", "workflow-end" },
    stderr = { "a: exit 1", "wf2: exit 5" } }))
end)

describe("fan-out", function()
  it("goes over lists, maps and matrices, with label, exclude and an empty list", flow([[
    o.step "l" { for_each = { { n = "x", v = 1 }, { n = "y", v = 2 } }, label = "{{item.n}}",
      run = "echo l{{item.v}}" },
    o.step "m" { for_each = { k = "kv" }, run = "echo {{item.key}}={{item.value}}" },
    o.step "x" { matrix = { os = { "a", "b" }, n = { 1, 2 }, exclude = { { os = "b", n = 2 } } },
      run = "echo {{matrix.os}}{{matrix.n}}" },
    o.step "e" { for_each = {}, run = "echo {{item}}" },
    o.step "after" { needs = { "e", "x" }, call = function(ctx)
      return { ctx.results.e.status, ctx.results.x.passed } end },
    result = "{{results.after.value}}",
  ]], { args = "run w --json", stdout = { '"l[x]"', '"l[y]"', '"m[k]"', '"ok",\n    [\n      "x[',
    '!"b2' } }))

  it("takes its items from a result or a function, and no more than max", flow([[
    o.step "list" { run = "echo '[\"p\", \"q\"]'", parse = "json" },
    o.step "each" { needs = "list", for_each = "{{results.list.value}}", run = "echo got-{{item}}" },
    o.step "fn" { for_each = function(ctx) return ctx.params.names end, run = "echo fn-{{item}}" },
    params = { names = { "z" } },
  ]], { stdout = { "got-p", "got-q", "fn-z", "4 steps: 4 ran" } }))

  it("without items, or with something else, is no step that did not start", flow([[
    o.step "none" { run = "echo '[]'", parse = "json" },
    o.step "empty" { needs = "none", for_each = "{{results.none.value}}", run = "true" },
    o.step "bad" { needs = "none", for_each = "{{results.none.status}}", run = "true" },
    o.step "held" { needs = "bad", run = "true" },
  ]], { code = 1, args = "run w -k", stdout = { "failed     bad", "3 steps: 1 ran, 1 failed, 1 skipped", "!not started" },
    stderr = { "w.lua:5: error: bad: for_each needs a list or a map, not a string",
      "skipped because of it: held" } }))

  it("refuses more than max", flow([[ o.step "e" { for_each = { 1, 2, 3 }, max = 2, run = "true" } ]],
    { code = 3, stderr = "workflows/w.lua:3: error: for_each has 3 members, at most 2" }))
end)

describe("a nested workflow", function()
  local inner = 'return require("orrery").workflow "inner" { params = { name = "bob" },\n'
    .. 'require("orrery").step "hi" { run = "echo hi {{params.name}}", parse = "text" },\n'
    .. 'result = function(ctx) return { greet = ctx.results.hi.value } end }'
  it("takes params and gives its result", flow([[
    o.step "n" { workflow = "inner", with = { name = "{{params.who}}" } },
    o.step "m" { needs = "n", run = "echo got {{results.n.value.greet}}" },
    params = { who = "joe" },
  ]], { files = { ["workflows/inner.lua"] = inner }, stdout = "got hi joe" }))

  it("is checked before anything runs: names and values of its params, its own file", flow([[
    o.step "first" { run = "echo ran" },
    o.step "typo" { workflow = "inner", with = { nam = "x" } },
    o.step "ok" { workflow = "inner", with = { name = "{{params.who}}" } },
    o.step "kind" { workflow = "inner", with = { name = { "a" } } },
    o.step "broken" { workflow = "broken" },
    o.step "self" { workflow = "w" },
    params = { who = "joe" },
  ]], { files = { ["workflows/inner.lua"] = inner, ["workflows/broken.lua"] = "return 3" }, code = 3,
    stdout = "!ran", stderr = {
      "w.lua:4: error: inner: unknown param 'nam'; did you mean 'name'?",
      "w.lua:6: error: inner: param 'name' must be a string, not a list",
      "workflows/broken.lua: error: the file returned a number", "!w.lua:5", "!w.lua:8" } }))
end)

describe("a body", function()
  it("tells equal calls apart by sample, and knows them again", body([[
    local function roll(i)
      return w:run("od -An -N8 -tx1 /dev/urandom", { inputs = {}, sample = i, parse = "text" }).value
    end
    local a, b, c = roll(1), roll(2), roll(2)
    assert(a ~= b and b == c)
  ]], { stdout = "1 up to date, 2 ran", again = { args = "run w", stdout = "everything up to date" } }))

  it("returns its value, catches failures, collects items", body([[
    local got = w:parallel("each", { "a", "b" }, function(x)
      if x == "b" then error("bad item") end
      return w:run({ "echo", x }, { parse = "text" }).value
    end)
    local ok, err = pcall(w.run, w, "exit 3")
    return { got.values, got.failed, ok, err.result.exit, w:run("exit 4", { allow_failure = true }).exit }
  ]], { args = "run w --json",
    stdout = '"result": [\n    [\n      "a"\n    ],\n    [\n      "each[b]"\n    ],\n    false,\n    3,\n    4\n  ]' }))

  it("is told the line of its mistakes, once", function()
    local mistakes = {
      ['w.run("x")'] = "use a colon: w:run(…)",
      ['w:rum("x")'] = "w has no 'rum'; did you mean 'run'?",
      ["local x = w.nosuch"] = "w has no 'nosuch'",
      ["w:run()"] = "w:run needs a command first",
      ['w:run("x", { inputz = 1 })'] = "unknown field 'inputz'; did you mean 'inputs'?",
      ['w:step("a b", { run = "x" })'] = "id 'a b' contains a blank",
      ['w:parallel("p", 3, print)'] = "w:parallel(name, items, fn): items is a list or a map",
      ["local x = nil; x.y = 1"] = "attempt to index a nil value (local 'x')",
      ["local n = 0 w:call(function() n = n + 1 end)"] = "call assigns 'n', a local outside it",
      ["w:call(function() zz = 1 end)"] = "'zz' would be a global",
      ["w.x = 1"] = "w is read-only",
      ['string.gsub("a", "a", function() w:run("true") end)'] = "w:run inside string.gsub",
    }
    for text, said in pairs(mistakes) do
      body(text, { code = 1, stderr = "workflows/w.lua:4: error: " .. said,
        stdout = "nothing ran" })()
    end
  end)

  it("is told that there is no such workflow, and which are near", body([[ w:workflow("iner") ]],
    { code = 1, files = { ["workflows/inner.lua"] = "return nil" },
      stderr = "w.lua:4: error: workflow:iner: there is no workflow 'iner'; did you mean 'inner'?" }))
end)
