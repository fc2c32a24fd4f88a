-- What earlier runs and people left among a step's files: it neither gets into results nor
-- is what belongs to others removed. Some were found by the property test.
local cli = require("tests.cli.harness")
local run, workflow = cli.run, cli.workflow

-- Makes out/ hold a file named by what src says; fails after it when src ends in "!".
local NAMED = workflow [[ o.step "s" { inputs = { "src" }, outputs = { "out/" },
  run = "mkdir -p out; n=$(cat src); echo $n > out/$n; case $n in *!) exit 3;; esac" } ]]

describe("before a step runs,", function()
  it("a file it edits in place and no longer names stays", run {
    files = { ["workflows/w.lua"] = workflow [[ o.step "fmt" { run = "sed -i y/ab/AB/ a b",
      inputs = { "a", "b" }, outputs = { "a", "b" } } ]], a = "a\n", b = "b\n" },
    args = "run w",
    again = { args = "run w", again = {
      files = { ["workflows/w.lua"] = workflow [[ o.step "fmt" { run = "sed -i y/ab/AB/ a",
        inputs = { "a" }, outputs = { "a" } } ]] },
      args = "run w",
      after = function(dir) assert.equal("B\n", cli.read(dir .. "/b")) end,
    } },
  })

  it("an output that another step makes by now stays", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "echo 1 > out1; echo 2 > out2", inputs = {}, outputs = { "out1", "out2" } } ]] },
    args = "run w",
    again = { files = { ["workflows/w.lua"] = workflow [[
        o.step "b" { run = "echo 2 > out2", inputs = {}, outputs = { "out2" } },
        o.step "a" { run = "echo 1 > out1", inputs = {}, outputs = { "out1" }, after = "b" } ]] },
      args = "run w -j1",
      after = function(dir) assert.equal("2\n", cli.read(dir .. "/out2")) end,
      again = { args = "run w", stdout = "everything up to date" } },
  })

  it("what its failed attempt had written is removed", run {
    files = { ["workflows/w.lua"] = NAMED, src = "one!" }, args = "run w", code = 1,
    again = { files = { src = "two" }, args = "run w",
      after = function(dir)
        assert.equal("two\n", cli.read(dir .. "/out/two"))
        assert.is_nil(cli.read(dir .. "/out/one!"))
      end },
  })

  it("what a failed attempt has not touched stays", run {
    files = { ["workflows/w.lua"] = NAMED, src = "one!", ["out/mine"] = "mine\n" },
    args = "run w", code = 1,
    again = { args = "run w", code = 1,
      after = function(dir) assert.equal("mine\n", cli.read(dir .. "/out/mine")) end },
  })
end)

describe("a result is not remembered", function()
  it("when among its outputs are files of nobody knows when", run {
    files = { ["workflows/w.lua"] = NAMED, src = "one" }, args = "run w",
    -- the ctime of out/one is to lie more than a tick of the kernel before the second run
    again = { shell = [[ rm -r .orrery/index .orrery/cache; echo two > src; now=$(date +%s%N)
        until test $(($(date +%s%N) - now)) -gt 30000000; do :; done; "$orrery" run w ]],
      again = { args = "run w",
        stdout = "its last result was not remembered: out/one was there before it ran",
        after = function(dir) assert.is_nil(cli.read(dir .. "/out/one")) end,
        again = { args = "run w", stdout = "everything up to date" } } },
  })

  it("when it wrote into a program of which nobody knows where it is from", run {
    files = { ["workflows/w.lua"] = workflow [[ o.step "s" { run = "echo > out", inputs = {}, outputs = { "out" } } ]],
      out = "" },
    shell = 'chmod +x out; "$orrery" run w', stdout = "not remembered: it writes into out, which was there before",
    again = { shell = '"$orrery" run w && test ! -x out', again = { args = "run w", stdout = "up to date" } },
  })

  it("when a file appears that its glob takes", run {
    files = { ["workflows/w.lua"] = workflow [[ o.step "s" { inputs = { "src/*" }, outputs = { "out" },
      run = "test -e there || echo b > src/b; cat src/* > out" } ]], ["src/a"] = "a\n" },
    args = "run w", stdout = "ran", stderr = "src/b changed while it ran",
    again = { shell = 'rm src/b; : > there; "$orrery" run w',
      after = function(dir) assert.equal("a\n", cli.read(dir .. "/out")) end },
  })

  it("when a header is replaced by one with an older date", run {
    files = { ["workflows/w.lua"] = workflow [[ o.step "s" { inputs = {}, outputs = { "out" },
      depfile = "d", run = "cat h > out; echo 'out: h' > d; test -e there || mv old h; : > there" } ]],
      h = "one\n", old = "two\n" },
    shell = 'touch -d @1000000 old; "$orrery" run w', stderr = "h changed while it ran",
    again = { args = "run w", after = function(dir) assert.equal("two\n", cli.read(dir .. "/out")) end },
  })

  it("a link put there just before the run is in no result", run {
    files = { ["workflows/w.lua"] = workflow
      [[ o.step "s" { run = "echo x > out", inputs = {}, outputs = { "out" } } ]] },
    shell = [[ ln -s elsewhere out; "$orrery" run w; test -L out && rm out elsewhere
      "$orrery" run w && test ! -L out && cat out ]],
    stdout = { "out was there before it ran", "\nx\n" },
  })
end)
