-- What is remembered, what is put back, what runs again and why: the real binary in a folder.
local cli = require("tests.cli.harness")
local run, workflow = cli.run, cli.workflow

local two = workflow [[
  o.step "gen" { run = "cat src.txt > mid.txt; echo made", inputs = { "src.txt" }, outputs = { "mid.txt" } },
  o.step "use" { run = "cat mid.txt > out.txt", inputs = { "mid.txt" }, outputs = { "out.txt" } },
]]

local function has(dir, path, text)
  assert.equal(text, cli.read(dir .. "/" .. path))
end

describe("the memo", function()
  it("runs a step once and says the second time that everything is up to date", run {
    files = { ["workflows/w.lua"] = two, ["src.txt"] = "1\n" }, args = "run w",
    stdout = { "gen", "made", "2 steps: 2 ran" },
    after = function(dir) has(dir, "out.txt", "1\n") end,
    again = { args = "run w", stdout = { "2 steps: everything up to date", "!made" } },
  })

  it("runs again what an input change reaches, and says why", run {
    files = { ["workflows/w.lua"] = two, ["src.txt"] = "1\n" }, args = "run w",
    again = { files = { ["src.txt"] = "2\n" }, args = "run w",
      stdout = { "gen", "src.txt changed", "mid.txt changed" },
      after = function(dir) has(dir, "out.txt", "2\n") end },
  })

  it("leaves dependants alone when the outputs come out the same (early cutoff)", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "gen" { run = "head -c1 src.txt > mid.txt", inputs = { "src.txt" }, outputs = { "mid.txt" } },
      o.step "use" { run = "cat mid.txt > out.txt; echo used", inputs = { "mid.txt" }, outputs = { "out.txt" } },
    ]], ["src.txt"] = "1a" }, args = "run w", stdout = "used",
    again = { files = { ["src.txt"] = "1b" }, args = "run w",
      stdout = { "gen", "1 up to date, 1 ran", "!used" } },
  })

  it("puts deleted outputs back with their bytes and mode", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "gen" { run = "mkdir -p d; echo x > d/a; chmod 755 d/a; ln -s a d/l", inputs = {}, outputs = { "d/" } },
    ]] }, args = "run w",
    again = { shell = "rm -r d && $orrery run w && test -x d/a && test \"$(readlink d/l)\" = a",
      stdout = { "restored   gen", "1 restored" } },
  })

  it("puts back the earlier result when an input returns to its earlier bytes", run {
    files = { ["workflows/w.lua"] = two, ["src.txt"] = "1\n" }, args = "run w",
    again = { files = { ["src.txt"] = "2\n" }, args = "run w",
      again = { files = { ["src.txt"] = "1\n" }, args = "run w", stdout = "2 restored",
        after = function(dir) has(dir, "out.txt", "1\n") end } },
  })

  it("repairs an output that was edited by hand", run {
    files = { ["workflows/w.lua"] = two, ["src.txt"] = "1\n" }, args = "run w",
    again = { files = { ["out.txt"] = "edited" }, args = "run w", stdout = "restored   use",
      after = function(dir) has(dir, "out.txt", "1\n") end },
  })

  it("does not remember a step that declares no inputs, and says so", run {
    files = { ["workflows/w.lua"] = workflow [[ o.step "lint" { run = "echo linted" } ]] },
    args = "run w", again = { args = "run w", stdout = { "linted", "always (declares no inputs" } },
  })

  it("never remembers a failure", run {
    files = { ["workflows/w.lua"] = workflow [[ o.step "bad" { run = "exit 3", inputs = {} } ]] },
    args = "run w", code = 1, stderr = { "workflows/w.lua:3: error: bad: exit 3" },
    again = { args = "run w", code = 1, stderr = "bad: exit 3" },
  })

  it("fails a step whose declared output is missing, and names what it wrote instead", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "build" { run = "mkdir -p dist; echo x > dist/main.js", inputs = {}, outputs = { "dist/app.js" } },
    ]] }, args = "run w", code = 1,
    stderr = "build: exited 0 but dist/app.js is missing; it wrote dist/main.js",
  })

  it("takes headers from the dep file as inputs", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "cc" { run = "cc -MMD -MF m.d -c m.c -o m.o && echo compiled", inputs = { "m.c" }, outputs = { "m.o" }, depfile = "m.d" },
    ]], ["m.c"] = '#include "m.h"\nint f(void) { return M; }\n', ["m.h"] = "#define M 1\n" },
    args = "run w", stdout = "compiled",
    again = { args = "run w", stdout = "everything up to date",
      again = { files = { ["m.h"] = "#define M 2\n" }, args = "run w",
        stdout = { "compiled", "m.h changed" } } },
  })

  it("keeps the environment of a cached step to what is declared", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "env" { run = "echo [$SECRET][$MODE][$LANG]", inputs = {}, env = { "MODE" } },
    ]] }, args = "run w", env = { SECRET = "s", MODE = "fast" }, stdout = "[][fast][C.UTF-8]",
    again = { args = "run w", env = { SECRET = "other", MODE = "fast" }, stdout = "up to date",
      again = { args = "run w", env = { MODE = "slow" }, stdout = { "[][slow]", "env MODE fast → slow" } } },
  })

  it("remembers a call by its function, its upvalues and what it reads", run {
    files = { ["workflows/w.lua"] = [[
local o = require("orrery")
local factor = 2
return o.workflow "w" {
  o.step "n" { call = function() print("called"); return factor * tonumber(require("orrery.fs").read("n.txt")) end },
  o.step "show" { run = "echo got {{results.n.value}}" },
}]], ["n.txt"] = "21" }, args = "run w", code = 3, stderr = "needs",
  })

  it("reruns a call when a file it read changes, not when it is moved in its file", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "n" { call = function() print("called") return tonumber(require("orrery.fs").read("n.txt")) end },
    ]], ["n.txt"] = "21" }, args = "run w", stdout = "called",
    again = { args = "run w", stdout = { "up to date", "!called" },
      again = { files = { ["workflows/w.lua"] = workflow [[
      -- moved down by a comment

      o.step "n" { call = function() print("called") return tonumber(require("orrery.fs").read("n.txt")) end },
    ]] }, args = "run w", stdout = { "up to date", "!called" },
        again = { files = { ["n.txt"] = "22" }, args = "run w", stdout = { "called", "n.txt changed" } } } },
  })

  it("does not store a call that reads the clock", run {
    files = { ["workflows/w.lua"] = workflow [[ o.step "t" { call = function() return os.time() > 0 end } ]] },
    args = "run w", stdout = "not remembered: it uses the clock",
    again = { args = "run w", stdout = "1 ran" },
  })

  it("obeys --cache=off, ro and --force", run {
    files = { ["workflows/w.lua"] = workflow [[ o.step "a" { run = "echo ran", inputs = {} } ]] },
    args = "run w --cache=ro", stdout = "ran",
    again = { args = "run w", stdout = "ran",
      again = { args = "run w", stdout = "up to date",
        again = { args = "run w --cache=off", stdout = "ran",
          again = { args = "run w --force=a", stdout = { "ran", "forced" } } } } },
  })

  it("removes what the last record put there and the new one does not", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "g" { run = "mkdir -p d; for f in $(cat list); do echo $f > d/$f; done", inputs = { "list" }, outputs = { "d/" } },
    ]], list = "a b\n" }, args = "run w",
    again = { files = { list = "a\n" }, shell = "echo mine > d/own; $orrery run w; ls d",
      stdout = { "own", "!\nb\n" } },
  })

  it("edits a file in place when it is input and output", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "fmt" { run = "sed -i s/a/b/ f.txt", inputs = { "f.txt" }, outputs = { "f.txt" } },
    ]], ["f.txt"] = "a\n" }, args = "run w", after = function(dir) has(dir, "f.txt", "b\n") end,
    again = { args = "run w", after = function(dir) has(dir, "f.txt", "b\n") end,
      again = { args = "run w", stdout = "up to date" } },
  })

  it("says that an input changed while the step ran and does not store the result", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "s" { run = "cat in.txt; echo more >> in.txt", inputs = { "in.txt" } },
    ]], ["in.txt"] = "1\n" }, args = "run w", stderr = "s: in.txt changed while it ran",
    again = { args = "run w", stdout = "1 ran" },
  })

  it("goes on without an unusable cache and says so once", run {
    files = { ["workflows/w.lua"] = two, ["src.txt"] = "1\n", notadir = "x" }, args = "run w",
    env = { ORRERY_CACHE_DIR = "notadir/cache" }, stderr = "the cache is off for this run",
    after = function(dir) has(dir, "out.txt", "1\n") end,
  })

  it("treats corrupt cache and index files as a miss", run {
    files = { ["workflows/w.lua"] = two, ["src.txt"] = "1\n" }, args = "run w",
    again = { shell = "for f in $(find .orrery/cache .orrery/index -type f); do echo junk > $f; done;"
      .. " $orrery run w", stdout = "2 ran", after = function(dir) has(dir, "out.txt", "1\n") end,
      again = { args = "run w", stdout = "up to date" } },
  })

  it("explains a command that is not there", run {
    files = { ["workflows/w.lua"] = workflow [[ o.step "x" { run = { "no-such-tool", "a" } } ]] },
    args = "run w", code = 1, stderr = { "workflows/w.lua:3: error: x:", "no-such-tool", "127" },
  })

  it("retries by class and gives up after the attempts", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "flaky" { run = "echo x >> tries; test $(wc -l < tries) -ge 3", retry = { attempts = 5, on = { "exit:1" } } },
      o.step "other" { run = "echo y >> more; exit 2", retry = { attempts = 3, on = { "exit:75" } } },
    ]] }, args = "run w -k", code = 1, stdout = "retry", after = function(dir)
      has(dir, "tries", "x\nx\nx\n")
      has(dir, "more", "y\n")
    end,
  })

  it("ends a step at its timeout with everything it started", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "slow" { run = "sleep 60 & sleep 60", timeout = "200ms" },
    ]] }, args = "run w", code = 1, stderr = "slow: timed out",
  })

  it("keeps the quoting of values in a shell string to one word", run {
    files = { ["workflows/w.lua"] = 'local o = require("orrery")\nreturn o.workflow "w" { params = { q = "x" },'
      .. ' o.step "a" { run = "printf \'%s|\' {{params.q}} end > out.txt" } }' },
    args = [[run w -p "q=a b;'c'\$HOME"]], after = function(dir) has(dir, "out.txt", "a b;'c'$HOME|end|") end,
  })

  it("tells named inputs of a function apart by their names", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "s" { inputs = { a = { "1", "2" }, b = "3" },
        call = function(ctx) print("a is " .. #ctx.inputs.a) end },
    ]], ["1"] = "", ["2"] = "", ["3"] = "" }, args = "run w", stdout = "a is 2",
    again = { files = { ["workflows/w.lua"] = workflow [[
      o.step "s" { inputs = { a = "1", b = { "2", "3" } },
        call = function(ctx) print("a is " .. #ctx.inputs.a) end },
    ]] }, args = "run w", stdout = { "a is 1", "the names of inputs or outputs changed" } },
  })

  it("knows what a function read of the variables that are passed on", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "s" { pass_env = { "TOKEN", "OTHER" }, env = { X = "1" },
        call = function(ctx) print(ctx.env.TOKEN, ctx.env.X) end },
    ]] }, args = "run w", env = { TOKEN = "one", OTHER = "1", X = "2" }, stdout = "one",
    again = { args = "run w", env = { TOKEN = "one", OTHER = "2", X = "3" },
      stdout = "up to date", again = { args = "run w", env = { TOKEN = "two", OTHER = "2" },
        stdout = { "two", "env TOKEN one → two" } } },
  })

  it("fails a step one of whose output globs matches nothing", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "s" { run = "echo > a.x", inputs = {}, outputs = { "*.x", "*.y" } },
    ]] }, args = "run w", code = 1, stderr = "s: exited 0 but *.y is missing",
  })

  it("does not remember what a step added to a file it does not know", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "s" { run = "echo x >> out", inputs = { "in" }, outputs = { "out" } },
    ]], out = "strange\n", ["in"] = "1" }, args = "run w",
    stdout = "not remembered: it adds to out, which was there before",
    again = { args = "run w", stdout = "its last result was not remembered: it adds to out",
      after = function(dir) has(dir, "out", "x\n") end,
      again = { args = "run w", stdout = "up to date" } },
  })

  it("removes what another run of the step left before it appends", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "s" { run = "echo x >> out", inputs = { "in" }, outputs = { "out" } },
    ]], ["in"] = "1" }, args = "run w",
    again = { shell = "rm .orrery/index && $orrery run w --force",
      after = function(dir) has(dir, "out", "x\n") end,
      again = { args = "run w", stdout = "up to date" } },
  })
end)
