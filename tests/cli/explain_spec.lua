-- Why a step ran, would run, or did not: explain, the lines of a run, the reports.
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")
local run, workflow = cli.run, cli.workflow

local chain = workflow [[
  o.step "gen" { run = "cat schema.json > gen.h", inputs = { "schema.json" },
    outputs = { "gen.h" } },
  o.step "build" { run = "cat gen.h a.c > build.out", inputs = { "gen.h", "a.c" },
    outputs = { "build.out" } },
  o.step "test" { run = "cat build.out", inputs = { "build.out" } },
]]
local files = { ["workflows/w.lua"] = chain, ["schema.json"] = "1\n", ["a.c"] = "a\n" }

-- A first run, a change, a second run.
local function after(one, change, want)
  return run { files = one, args = "run w", again = { shell = change .. " && $orrery run w",
    stdout = want } }
end

local function step(fields, more)
  local out = { ["workflows/w.lua"] = workflow(('o.step "s" { %s },'):format(fields)) }
  for k, v in pairs(more or {}) do out[k] = v end
  return out
end

local function edit(from, to)
  return ("sed -i 's|%s|%s|' workflows/w.lua"):format(from, to)
end

local globbed = step('run = "cat in/*", inputs = { "in/*" }', { ["in/a"] = "1", ["in/b"] = "2" })

describe("the reason of a rerun", function()
  it("follows what changed to the first change that is not itself a result",
    after(files, "echo 2 > schema.json", {
      "gen.h changed because schema.json changed",
      "build.out changed because schema.json changed" }))
  it("names a file that was added", after(globbed, "echo > in/c", "in/c was added"))
  it("names a file that was removed", after(globbed, "rm in/b", "in/b was removed"))
  it("names a file that changed its mode", after(globbed, "chmod +x in/a",
    "in/a changed its mode"))
  it("names a missing input that appeared", after(step(
    'run = "cat in || true", inputs = { "in" }'), "echo > in", "in appeared"))
  it("names an input that went missing", after(step('run = "cat in || true", inputs = { "in" }',
    { ["in"] = "1" }), "rm in", "in is missing"))
  it("says the values of a variable", run { files = step(
    'run = "echo $CC", inputs = {}, env = { "CC" }'), args = "run w", env = { CC = "gcc" },
    again = { args = "run w", env = { CC = "clang" }, stdout = "env CC gcc → clang" } })
  it("never says the value of a secret", run { files = { ["workflows/w.lua"] = workflow [[
    secrets = { "TOKEN" },
    o.step "s" { run = "true", inputs = {}, env = { "TOKEN" } } ]] }, args = "run w",
    env = { TOKEN = "hush-one" }, again = { args = "run w", env = { TOKEN = "hush-two" },
      stdout = { "env TOKEN changed", "!hush" },
      again = { shell = "! grep -r hush .orrery && $orrery explain s",
        env = { TOKEN = "hush-two" }, stdout = { "env TOKEN changed", "!hush" } } } })
  it("says the words of a command that differ, not both lines", after(step(
    [[run = "printf '%s ' one two three -O1 four five", inputs = {}]]), edit("-O1", "-O2 -g"),
    { "the command changed: -O1 → -O2 -g", "!one two three" .. " →" }))
  it("says what a command gained", after(step([[run = "echo a b", inputs = {}]]),
    edit("a b", "a b c"), "the command gained: c"))
  it("does not say twice that a file was added", after(step(
    [[run = "cat {{inputs}}", inputs = { "in/*" }]], { ["in/a"] = "1" }), "echo > in/b",
    { "in/b was added", "!the command" }))
  it("says a param that a function reads", run { files = { ["workflows/w.lua"] = workflow [[
    params = { n = 1 },
    o.step "s" { call = function(ctx) return ctx.params.n end } ]] }, args = "run w",
    again = { args = "run w -p n=2", stdout = "param n 1 → 2" } })
  it("names an upvalue, with its size", after({ ["workflows/w.lua"] =
    'local o = require("orrery")\nlocal samples = { 1, 2 }\nreturn o.workflow "w" {\n'
    .. 'o.step "s" { call = function() return #samples end } }' }, edit("1, 2", "1, 2, 3"),
    "upvalue 'samples' changed (3 entries, was 2)\n"))
  it("says what to do about a big one", after({ ["workflows/w.lua"] =
    'local o = require("orrery")\nlocal samples = {}\nfor i = 1, 200 do samples[i] = i end\n'
    .. 'return o.workflow "w" {\no.step "s" { call = function() return #samples end } }' },
    edit("200", "201"), "upvalue 'samples' changed (201 entries, was 200); pass only what the "
    .. "step uses: with = {…}"))
  it("says that a function changed", after(step("call = function() return 1 end"),
    edit("return 1", "return 2"), "the function changed"))
  it("names a result that a function read", after({ ["workflows/w.lua"] = workflow [[
    o.step "a" { run = "cat in", inputs = { "in" }, parse = "text" },
    o.step "b" { call = function(ctx) return ctx.results.a.value end, needs = "a" } ]],
    ["in"] = "1" }, "echo 2 > in", "because in changed"))
  it("names a tool", after(step([[run = "./t.sh", inputs = {}]],
    { ["t.sh"] = "#!/bin/sh\necho 1\n" }), "printf '#!/bin/sh\\necho 2\\n' > t.sh",
    "tool ./t.sh changed"))
  it("names the file of a depfile", after(step([[run = "cp in out; echo 'out: in h' > d",
    inputs = { "in" }, outputs = { "out" }, depfile = "d" ]], { ["in"] = "1", h = "1" }),
    "echo 2 > h", "h changed"))
  it("says a directory", after({ ["workflows/w.lua"] = workflow [[
    o.step "s" { run = "pwd", inputs = {}, cwd = "a" } ]], ["a/x"] = "", ["b/x"] = "" },
    edit('cwd = "a"', 'cwd = "b"'), "cwd a → b"))
  it("says the schema of a gate", after({ ["workflows/w.lua"] = workflow [[
    o.step "s" { run = "echo '{}' > o.json", inputs = {}, outputs = { "o.json" },
      gate = { schema = { ["o.json"] = "s.json" } } } ]], ["s.json"] = '{"type":"object"}' },
    [[echo '{"type":["object"]}' > s.json]], "the schema of o.json changed"))
  it("says a new output", after(step([[run = "echo > a; echo > b", inputs = {},
    outputs = { "a" } ]]), edit('{ "a" }', '{ "a", "b" }'), "output b was declared"))
  it("says three at most, and where the others are told", run { files = globbed, args = "run w",
    again = { shell = "touch in/c in/d in/e in/f in/g && $orrery run w",
      stdout = "in/c was added, in/d was added, in/e was added and 2 more: orrery explain s",
      again = { args = "explain s", stdout = { "in/f was added", "in/g was added" } } } })
  it("says that the last attempt failed, and what changed since", run {
    files = step('run = "grep x in", inputs = { "in" }', { ["in"] = "y" }), args = "run w",
    code = 1, again = { args = "plan w", stdout = "its last attempt failed (exit 1)",
      again = { shell = "echo x > in && $orrery run w",
        stdout = "its last attempt failed (exit 1), in changed",
        again = { args = "run w", stdout = "up to date" } } } })
  it("says that a result expired", run { files = step(
    'run = "true", inputs = {}, cache = { ttl = 0.01 }'), args = "run w",
    again = { shell = "sleep 0.1; $orrery run w", stdout = "its result expired (ttl)" } })
  it("says why a result was not remembered", run { files = step(
    "call = function() return os.time() end"), args = "run w", again = { args = "run w",
      stdout = "its last result was not remembered: it uses the clock" } })
end)

-- Two worktrees that share a cache.
local function two(change, want)
  return run { files = { ["a/workflows/w.lua"] = chain, ["a/schema.json"] = "1\n",
    ["a/a.c"] = "a\n" }, shell = "cp -r a b && export ORRERY_CACHE_DIR=$PWD/c && cd a "
    .. "&& $orrery run w && cd ../b && " .. change, stdout = want }
end

describe("another worktree that shares the cache", function()
  it("is what a first run is compared with", two("echo z > a.c && $orrery run w build",
    { "first run here; compared with", "/a, a.c changed" }))
  it("is named when a result comes from there", two("$orrery run w", { "restored   build",
    "made in ", "/a\n" }))
  it("is named by plan and explain", two("$orrery plan w && $orrery explain w build",
    { "to restore, made in", "would put its outputs back from the cache, made in" }))
end)

describe("explain", function()
  it("tells the whole chain", run { files = files, args = "run w",
    again = { shell = "echo 2 > schema.json && $orrery run w && $orrery explain test", stdout = {
      "    build.out changed\n      because of build: gen.h changed\n"
        .. "        because of gen: schema.json changed\n",
      "now: a run would leave it alone" } } })
  it("says before a run what it would do", run { files = files, args = "run w",
    again = { shell = "echo b > a.c && $orrery explain build test", stdout = {
      "now: a run would run it, because\n    a.c changed",
      "now: a run may run it, after build (a.c changed)" } } })
  it("says what would be restored", run { files = files, args = "run w",
    again = { shell = "rm build.out && $orrery explain build",
      stdout = "now: a run would put its outputs back from the cache" } })
  it("works before the first run", run { files = files, args = "explain w build",
    stdout = "now: a run may run it, after gen (gen ran for the first time)" })
  it("compares with another run", run { files = files, shell = [[
    $orrery run w >/dev/null; first=$(ls .orrery/runs)
    echo b > a.c; $orrery run w >/dev/null; echo a > a.c; $orrery run w >/dev/null
    echo c > a.c; $orrery explain build --against $first ]],
    stdout = { "against run", "1 difference\n    a.c changed" } })
  it("compares two runs, also where a step was up to date", run { files = files, shell = [[
    $orrery run w >/dev/null; $orrery run w >/dev/null; clean=$(ls .orrery/runs | tail -1)
    echo b > a.c; $orrery run w > /dev/null
    $orrery explain build --run last --against $clean
    $orrery explain gen --run last --against $clean ]],
    stdout = { "1 difference\n    a.c changed", "every part of its key is the same" } })
  it("compares a step of a workflow inside", run { files = { ["workflows/w.lua"] = workflow [[
    o.step "in" { workflow = "inner" } ]], f = "1", ["workflows/inner.lua"] =
    'local o = require("orrery")\nreturn o.workflow "inner" {\n'
    .. 'o.step "x" { run = "cat f", inputs = { "f" } } }' }, shell = [[$orrery run w >/dev/null
    echo 2 > f; $orrery explain in/x --against last]],
    stdout = "1 difference\n    f changed" })
  it("says that a run did not have the step", run { files = { ["workflows/w.lua"] = chain,
    ["schema.json"] = "1\n", ["a.c"] = "" }, shell = [[$orrery run w gen >/dev/null
    first=$(ls .orrery/runs); $orrery run w >/dev/null; $orrery explain test --against $first]],
    stdout = "it was not part of that run" })
  it("is one document with --json", run { files = files, shell = [[$orrery run w >/dev/null
    echo 2 > schema.json; $orrery run w >/dev/null; $orrery explain test --json]],
    after = function(_, r)
      local doc = assert(json.decode(r.stdout))
      assert.equal("gen", doc.steps[1].reasons[1].chain[2].step)
      assert.equal("hit", doc.steps[1].now.verdict)
    end })
  it("takes groups, globs and members of a matrix", run { files = { ["workflows/w.lua"] = workflow [[
    o.group "g" { o.step "g1" { run = "true", inputs = {} }, o.step "g2" { run = "false || true", inputs = {} } },
    o.step "m" { run = "echo {{matrix.os}}", inputs = {}, matrix = { os = { "a", "b" } } } ]] },
    shell = "$orrery run w >/dev/null; $orrery explain g; echo -- ; $orrery explain 'm[b]'; "
      .. "echo -- ; $orrery explain 'g*'; echo --; $orrery explain m",
    after = function(_, r)
      local parts = {}
      for part in (r.stdout .. "--\n"):gmatch("(.-)%-%-%s*\n") do parts[#parts + 1] = part end
      local heads = {}
      for i, part in ipairs(parts) do
        heads[i] = {}
        for head in ("\n" .. part):gmatch("\n([%w%[%]]+)%f[\n]") do
          table.insert(heads[i], head)
        end
      end
      assert.same({ { "g1", "g2" }, { "m[b]" }, { "g1", "g2" }, { "m[a]", "m[b]" } }, heads)
    end })
  it("names the nearest step for an unknown one", run { files = files, args = "explain w bild",
    code = 2, stderr = { "there is no step 'bild' in w", "did you mean 'build'?" } })
  it("says what is always repeated", run { files = step('run = "echo"'), args = "explain w s",
    stdout = "always (declares no inputs; add inputs = {…} to have it remembered)" })
  it("looks back although the workflow is broken now", run { files = files, args = "run w",
    again = { shell = "echo nonsense > workflows/w.lua; $orrery explain build",
      stdout = "first run", stderr = "what a run would do now cannot be said" } })
end)

describe("reports", function()
  local changed = "$orrery run w >/dev/null; echo 2 > schema.json; $orrery run w >/dev/null; "
  it("tell reasons in the summary, in JUnit, in JSON and when shown again", run { files = files,
    shell = changed .. [[why="build.out changed because schema.json changed"
      $orrery runs show last --summary s.md --junit j.xml | grep -q "$why" && echo line
      grep -q "$why" s.md && echo summary
      grep -q "value=\"$why\"" j.xml && echo junit
      $orrery runs show last --json | grep -q "$why" && echo json
      $orrery runs show last --events - | grep -q '"why":.*schema.json' && echo events]],
    stdout = "line\nsummary\njunit\njson\nevents\n" })
end)

describe("show", function()
  it("lists groups with their members and policy", run { files = { ["workflows/w.lua"] = workflow [[
    o.group "g" { policy = "settled", o.step "a" { run = "true" }, o.step "b" { run = "true" } } ]] },
    args = "show w", stdout = { "groups\n  g  2 members  settled", "a, b" },
    again = { args = "show w --json", stdout = '"groups": [' } })
end)
