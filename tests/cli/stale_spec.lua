-- What must not be taken for the same: changes that a key has to see. The real binary.
local cli = require("tests.cli.harness")
local run, workflow = cli.run, cli.workflow

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

  it("but params and results may be written as JSON", run {
    files = { ["workflows/w.lua"] = workflow [[
      params = { n = 3 },
      o.step "a" { call = function() return 7 end },
      o.step "b" { needs = "a", call = function(ctx)
        return require("orrery.json").encode({ p = ctx.params, v = ctx.results.a.value })
      end },
      o.step "s" { needs = "b", run = { "echo", "{{results.b.value}}" } },
    ]] }, args = "run w", stdout = '{"p":{"n":3},"v":7}',
  })
end)

describe("a key has in it", function()
  it("the program as it is when the step runs, also when a step made it", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "./gen a", inputs = {} },
      o.step "b" { after = "a", run = "cp new gen", inputs = { "new" }, outputs = { "gen" } },
      o.step "c" { after = "b", run = "./gen c", inputs = {} },
    ]], gen = "#!/bin/sh\necho old $1\n", new = "#!/bin/sh\necho new $1\n" },
    args = "run w", stdout = { "old a", "new c" },
    again = { args = "run w", stdout = { "new a", "it writes into gen, which was there before", "!new c" },
      again = { args = "run w", stdout = "everything up to date" } },
  })

  it("what a symlink among the inputs leads to, also by way of another one", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "s" { run = "cat src/link", inputs = { "src/*" } },
      o.step "t" { run = "cat far", inputs = { "far" } },
    ]], ["src/a"] = "one\n", ["src/b"] = "two\n", there = "three\n" },
    shell = [[
      ln -s other src/link; ln -s a src/other; ln -s there far
      "$orrery" run w && "$orrery" run w && "$orrery" run w && echo four >there && "$orrery" run w ]],
    stdout = { "one", "three", "2 steps: everything up to date", "four", "far changed" },
    again = { shell = 'ln -sfn b src/other; "$orrery" run w; "$orrery" run w; "$orrery" run w',
      stdout = { "two", "!four", "2 steps: everything up to date" },
      again = { shell = 'rm there; "$orrery" run w -k', code = 1, stdout = { "failed     t" } } },
  })

  it("what a needed step left that is no part of the run", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "p" { run = "cat src > p", inputs = { "src" }, outputs = { "p" } },
      o.step "v" { run = "cat src", inputs = { "src" }, parse = "text" },
      o.step "a" { run = "date +%N", inputs = {}, cache = false, parse = "text" },
      o.step "c" { needs = "p", run = "cat p > c", inputs = {}, outputs = { "c" } },
      o.step "d" { needs = "v", run = "cat src > d", inputs = {}, outputs = { "d" } },
      o.step "e" { needs = "a", run = "true", inputs = {} } ]] },
    shell = "for i in 1 2 3; do echo $i > src; $orrery run w p v a -q; $orrery run w c d e --only; cat c d; done",
    stdout = { "1\n1\n", "2\n2\n", "3\n3\n", "what a came to is not known" },
    again = { args = "run w", stdout = "4 up to date, 2 ran",
      again = { args = "run w --from c", stdout = "everything up to date" } },
  })

  it("the module of a gate's check", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "s" { run = "echo hi", inputs = {}, gate = { check = "good:enough" } },
    ]], ["lua/good.lua"] = "return { enough = function() return true end }" }, args = "run w",
    again = { args = "run w", stdout = "up to date",
      again = { files = { ["lua/good.lua"] = 'return { enough = function() return false, "too short" end }' },
        args = "run w", code = 4, stderr = "gate refused: too short" } },
  })

  it("the sample of a call, which tells equal ones apart", run {
    files = { ["workflows/w.lua"] = [[local o = require("orrery")
      return o.workflow "w" { body = function(w)
        for i = 1, 3 do w:run("echo tossed", { inputs = {}, sample = i }) end
      end }]] }, args = "run w", stdout = "3 ran",
    again = { args = "run w", stdout = "up to date" },
  })

  it("files that another step's glob of outputs does not match", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "cc" { run = "cp a.c a.o", inputs = { "a.c" }, outputs = { "*.o" } },
      o.step "lint" { run = "cat *.c", inputs = { "*.c" } },
      o.step "all" { run = "echo all: {{inputs}}", inputs = { "*.?" } },
    ]], ["a.c"] = "one" }, args = "run w", stdout = { "one", "all: a.c" }, stderr = "!matches no file",
    again = { files = { ["a.c"] = "two" }, args = "run w lint", stdout = { "two", "a.c changed" } },
  })
end)

describe("files of steps", function()
  it("a temporary output stays until the last member of a fan-out has read it", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "t" { run = "echo made > t.txt", inputs = {}, outputs = { "t.txt" }, temp = true },
      o.step "u" { for_each = function() return { 1, 2, 3 } end, needs = "t", limit = 1,
        run = "cat t.txt; echo {{item}}", inputs = { "t.txt" } },
    ]] }, args = "run w", stdout = "4 ran", after = function(dir)
      assert.is_nil(cli.read(dir .. "/t.txt"))
    end,
  })

  it("of a directory go although the index is lost, when the cache knows whose they were", run {
    files = { n = "1\n", ["workflows/w.lua"] = workflow [[
      o.step "make" { run = "mkdir -p d && echo > d/$(cat n)", inputs = { "n" }, outputs = { "d/" } },
      o.step "use" { run = "ls d > names", inputs = { "d/" }, outputs = { "names" } } ]] },
    shell = "for n in 1 2; do echo $n > n; $orrery run w -q; done; rm .orrery/index; echo 1 > n; $orrery run w -q; "
      .. "ls d; rm .orrery/index; echo 3 > n; $orrery run w -q; ls d; cat names",
    stdout = "1\n3\n3\n",
  })

  it("temporary ones come back for a step that needs them without naming them", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "t" { run = "echo made > t.txt", inputs = {}, outputs = { "t.txt" }, temp = true },
      o.step "call" { needs = "t", call = function() return require("orrery.fs").read("t.txt") end },
      o.step "sh" { needs = "t", run = "cat t.txt > sh", inputs = {}, outputs = { "sh" } },
      o.step "say" { needs = "call", run = "echo call has {{results.call.value}}" } ]] },
    args = "run w", again = { shell = '"$orrery" run w --force=call --force=sh; cat sh; ls',
      stdout = { "call has made", "made\nsh\nworkflows\n" } },
  })

  it("temporary ones that the cache lost during a run are made again in it", run {
    files = { n = "1\n", ["workflows/w.lua"] = workflow [[
      o.step "t1" { run = "echo t1 >> ran; echo one > t1.txt", inputs = {}, outputs = { "t1.txt" }, temp = true },
      o.step "t2" { run = "echo t2 >> ran; cat t1.txt t1.txt > t2.txt", inputs = { "t1.txt" }, outputs = { "t2.txt" },
        temp = true },
      o.step "lose" { after = "t2", run = "$ORRERY_BIN cache clear", pass_env = { "ORRERY_BIN" } },
      o.step "use" { after = "lose", run = "cat t2.txt n > used; rm -f .orrery/x", inputs = { "t2.txt", "n" },
        outputs = { "used" } } ]] },
    shell = "export ORRERY_BIN=$orrery; $orrery run w -q && echo 2 > n && $orrery run w -j1 && cat used ran; ls",
    stdout = { "one\none\n2\n", "t1\nt2\nt1\nt2\n", "ran\nused\nworkflows\n" },
  })

  it("named outputs keep their names in a run that goes on", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "echo text > out.txt; echo x >> count", outputs = { main = "out.txt" } },
      o.step "b" { needs = "a", run = "cat {{results.a.outputs.main}}; test -e go" },
    ]] }, args = "run w", code = 1,
    again = { files = { go = "" }, args = "resume", stdout = { "text" }, after = function(dir)
      assert.equal("x\n", cli.read(dir .. "/count"))
    end },
  })

  it("a cache that cannot lock is done without, and said so", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "echo ran > out", inputs = {}, outputs = { "out" } },
    ]], [".orrery/cache/lock/x"] = "" }, args = "run w", stderr = "the cache is off for this run",
    after = function(dir) assert.equal("ran\n", cli.read(dir .. "/out")) end,
  })

  it("an output whose mode was changed by hand is made afresh", run {
    files = { ["workflows/w.lua"] = workflow
      [[ o.step "s" { run = "cat src > out", inputs = { "src" }, outputs = { "out" } } ]], src = "one" },
    shell = [[ "$orrery" run w && chmod +x out && echo two > src && "$orrery" run w &&
      test ! -x out && rm out && "$orrery" run w && test ! -x out ]],
    stdout = "1 restored",
  })

  it("what lies behind a link out of the root is not removed", run {
    files = { ["in/workflows/w.lua"] = workflow [[
      o.step "g" { run = "mkdir -p d; for f in $(cat list); do echo $f > d/$f; done", inputs = { "list" }, outputs = { "d/" } },
    ]], ["in/list"] = "b\n" }, shell = "cd in && $orrery run w && echo a > list && $orrery run w",
    again = { shell = "mv in/d out; ln -s ../out in/d; cd in; echo b > list; $orrery run w; cat ../out/a",
      stdout = "\na\n" },
  })

  it("a header that is gone when the step ends was there when it was read", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "s" { run = "cat src/h > out; echo 'out: src/h' > d; rm -f src/h",
        inputs = {}, depfile = "d", outputs = { "out" } },
    ]], ["src/h"] = "one" }, args = "run w",
    stderr = "src/h changed while it ran; the result stands, but is not remembered",
    again = { files = { ["src/h"] = "two" }, args = "run w", after = function(dir)
      assert.equal("two", cli.read(dir .. "/out"))
    end },
  })
end)

describe("a result that comes back is not mixed with another one's files:", function()
  -- Files by the names in `names`; then what is there is listed by a step that reads it.
  local function making(outputs)
    return { ["workflows/w.lua"] = workflow(([[
      o.step "a" { run = "rm -rf out; mkdir -p out/d; for f in $(cat names); do echo $f > out/d/$f; done",
        inputs = { "names" }, outputs = { "%s" } },
      o.step "l" { needs = "a", run = "ls out/d", inputs = { "%s" } },
    ]]):format(outputs, outputs)), names = "x" }
  end
  local function back(outputs, files)
    return run { files = making(outputs), args = "run w", stdout = { "ok         a", "x" },
      again = { files = { names = "x y" }, args = "run w", stdout = { "ok         a", "x\ny" },
        again = { files = files, shell = "$orrery plan w; $orrery run w; ls out/d",
          stdout = { "hit    a", "!run    l", "restored   a", "!ok         l", "!\ny\n" },
          again = { args = "run w", stdout = "everything up to date" } } } }
  end

  it("in a directory", back("out/", { names = "x" }))
  it("where a glob looks", back("out/d/*", { names = "x" }))
  it("in a directory that was empty", run { files = making("out/"), shell = ": > names; $orrery run w",
    again = { files = { names = "x" }, args = "run w", stdout = { "ok         a", "ok         l" },
      again = { files = { names = "" }, shell = "$orrery run w; ls out/d",
        stdout = { "restored   a", "!ok         l", "!\nx\n" } } } })
  it("when the index is lost, too", run { files = making("out/"), args = "run w", stdout = "ok         a",
    again = { files = { names = "x y" }, args = "run w", stdout = "ok         a",
      again = { files = { names = "x" }, shell = "rm .orrery/index*; $orrery run w; ls out/d",
        stdout = { "restored   a", "!\ny\n" } } } })
end)
