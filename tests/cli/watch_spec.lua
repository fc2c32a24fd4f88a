-- orrery watch: real edits, awaited through the stream of events.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")
local workflow = cli.workflow

local SERVER = cli.binary():gsub("[^/]*$", "tests/server")

-- begin ARGS…   orrery watch in the background, its events in .w/ev
-- told EV N     until N events of that name are there
-- finish        ends it as Ctrl-C does; its exit code
local SHELL = runs.SHELL .. [[
mkdir -p .w; : > .w/ev
begin() { start watch "$@" --events .w/ev; }
told() { poll "! kill -0 $pid 2>/dev/null || test \$(grep -c '\"ev\":\"$1\"' .w/ev) -ge $2"; }
finish() { kill -INT $pid; wait $pid; code=$?; cat out err; exit $code; }
]]

local function watching(t)
  t.shell, t.code = SHELL .. t.shell, t.code or 130
  return cli.run(t)
end

local COPY = [[
  o.step "copy" { run = "cat in >> copied", inputs = { "in" } },
  o.step "all" { run = "echo src/* >> listed", inputs = { "src/**" } },
]]

local FILES = { ["workflows/w.lua"] = workflow(COPY), ["in"] = "1\n", ["src/a"] = "a" }

describe("watch", function()
  it("runs what a changed input touches, and nothing else", watching {
    files = FILES,
    shell = [[begin w; told watching 1; echo 2 > in; told watching 2; finish]],
    stdout = { "in changed", "1 up to date" },
    after = function(dir)
      assert.equal("1\n2\n", cli.read(dir .. "/copied"))
      assert.equal("src/a\n", cli.read(dir .. "/listed"))
    end,
  })

  it("lets content decide: a touched file changes nothing, and nothing is said", watching {
    files = FILES,
    shell = [[begin w; told watching 1; touch in src/a; told unchanged 1
      cp in in2; mv in2 in; echo 3 > in; told watching 2; finish]],
    after = function(dir)
      assert.equal("1\n3\n", cli.read(dir .. "/copied"))
      assert.equal(2, #runs.journals(dir))
    end,
  })

  it("sees new files and directories that a glob finds, and files that go", watching {
    files = FILES,
    shell = [[begin w; told watching 1; echo b > src/b; told watching 2
      mkdir -p src/d/e; echo f > src/d/e/f; told watching 3
      echo g > src/d/e/f; told watching 4; rm src/b; told watching 5; finish]],
    after = function(dir)
      assert.equal("src/a\nsrc/a src/b\nsrc/a src/b src/d\nsrc/a src/b src/d\nsrc/a src/d\n",
        cli.read(dir .. "/listed"))
    end,
  })

  it("sees files that editors write elsewhere and rename", watching {
    files = FILES,
    shell = [[begin w; told watching 1; echo 2 > in~; mv in~ in; told watching 2
      mv in in.bak; echo 4 > in; rm in.bak; told watching 3; finish]],
    after = function(dir) assert.equal("1\n2\n4\n", cli.read(dir .. "/copied")) end,
  })

  it("is not woken by what its own steps write, .git and .orrery", watching {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "make" { run = "date +%N > src/out", inputs = { "in" }, outputs = { "src/out" } },
      o.step "use" { run = "cat src/out > used", inputs = { "src/**" }, needs = "make" },
      o.step "format" { run = "echo x >> edited", inputs = { "edited" }, outputs = { "edited" } },
    ]], ["in"] = "1", ["src/a"] = "a", edited = "e\n" },
    shell = [[mkdir .git; begin w; told watching 1; echo > .git/x; echo > .orrery/x
      touch src/a; told unchanged 1; echo 2 > in; told watching 2; finish]],
    after = function(dir) assert.equal(2, #runs.journals(dir)) end,
  })

  it("loads a changed workflow again, shows what is wrong with it, and goes on", watching {
    files = { ["workflows/w.lua"] = workflow(COPY), ["in"] = "1\n", ["src/a"] = "a",
      ["good.lua"] = workflow(COPY .. 'o.step "new" { run = "echo new", inputs = {} },') },
    shell = [[begin w; told watching 1; echo 'return {' > workflows/w.lua; told watching 2
      cp good.lua workflows/w.lua; told watching 3; finish]],
    stdout = { "workflows/w.lua:", "error:", "workflows/w.lua changed", "new  " },
  })

  it("loads again when a module of the workflow changes", watching {
    files = { ["workflows/w.lua"] = workflow([[
      o.step "say" { run = { "echo", word.text }, inputs = {} },
    ]], 'local word = require("word")'), ["lua/word.lua"] = 'return { text = "one" }' },
    shell = [[begin w; told watching 1; echo 'return { text = "two" }' > lua/word.lua
      told watching 2; finish]],
    stdout = { "one", "lua/word.lua changed", "two" },
  })

  it("sees headers of a depfile and files that a function reads", watching {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "c" { run = "cat h > o; echo 'o: in h' > o.d; echo c >> times", inputs = { "in" },
        outputs = { "o" }, depfile = "o.d" },
      o.step "f" { call = function() return (require("orrery.fs").read("data")) end },
    ]], ["in"] = "1", h = "1", data = "1" },
    shell = [[begin w; told watching 1; echo 2 > h; told watching 2; echo 2 > data
      told watching 3; finish]],
    stdout = { "h changed", "data changed" },
    after = function(dir) assert.equal("c\nc\n", cli.read(dir .. "/times")) end,
  })

  it("ends a step whose input changes while it runs, with its tree, and runs it again", watching {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "slow" { run = "if grep -q 1 in; then sleep 1000 & echo $! > child; wait; fi; cat in",
        inputs = { "in" } },
      o.step "other" { run = "until test -e go; do sleep 0.02; done; echo o >> others",
        inputs = { "src/**" } },
    ]], ["in"] = "1", ["src/a"] = "a" },
    shell = [[begin w -j2; await child; echo 2 > in; gone $(cat child); echo > go
      told watching 1; finish]],
    stdout = { "cancelled  slow", "interrupted by a change", "in changed", "ok         slow" },
    after = function(dir) assert.equal("o\n", cli.read(dir .. "/others")) end,
  })

  it("starts a long run anew when its workflow changes meanwhile", watching {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "slow" { run = "echo > began; exec sleep 1000", inputs = { "in" } } ]], ["in"] = "1" },
    shell = [[begin w; await began; sed -i 's/exec sleep 1000/echo edited/' workflows/w.lua
      told watching 1; finish]],
    stdout = { "cancelled  slow", "workflows/w.lua changed", "edited\n" },
  })

  it("at Ctrl-C during a run ends its steps and services, and waits for them", watching {
    files = { ["workflows/w.lua"] = workflow([[
      o.step "db" { service = { server, "{{port}}", "--note", "notes" } },
      o.step "slow" { needs = "db", run = "echo > began; exec sleep 1000", inputs = {} },
    ]], ("local server = %q"):format(SERVER)) },
    shell = [[begin w; await began; finish]],
    after = function(dir) assert.equal("start\nstop\n", cli.read(dir .. "/notes")) end,
  })

  it("killed leaves nothing behind: services that wait between two runs end too", watching {
    files = { ["workflows/w.lua"] = workflow([[
      o.step "db" { service = "sleep 1000 & exec " .. server .. " {{port}}" },
      o.step "use" { needs = "db", run = "true", inputs = {} },
    ]], ("local server = %q"):format(SERVER)) },
    shell = [[mkfifo held; cat held > rest & reader=$!
      exec 3>held; begin w; exec 3>&-; told watching 1
      kill -KILL $pid; wait $pid; code=$?; gone $reader; exit $code]], code = 137,
  })

  it("ends a service that is no longer part of the workflow", watching {
    files = { ["workflows/w.lua"] = workflow([[
      o.step "db" { service = { server, "{{port}}", "--note", "notes" } },
      o.step "use" { needs = "db", run = "true", inputs = {} },
    ]], ("local server = %q"):format(SERVER)),
      ["after.lua"] = workflow [[ o.step "use" { run = "true", inputs = {} } ]] },
    shell = [[begin w; told watching 1; cp after.lua workflows/w.lua; told watching 2
      grep -q stop notes || exit 98; finish]],
  })

  it("goes on after a failed run", watching {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "test" { run = "grep -q good in", inputs = { "in" } } ]], ["in"] = "bad" },
    shell = [[begin w; told watching 1; echo good > in; told watching 2; finish]],
    stdout = { "test: exit 1", "ok         test" },
  })

  it("keeps services up between runs, and starts one again only when its key changed", watching {
    files = { ["workflows/w.lua"] = workflow([[
      o.step "db" { service = { server, "{{port}}", "--note", "notes" }, inputs = { "schema" } },
      o.step "use" { needs = "db", inputs = { "in" },
        run = { server, "--ask", "{{services.db.port}}", "hi" } },
    ]], ("local server = %q"):format(SERVER)), ["in"] = "1", schema = "1" },
    shell = [[begin w; told watching 1; echo 2 > in; told watching 2
      test "$(cat notes)" = start || exit 98
      echo 2 > schema; told watching 3; kill -INT $pid; wait $pid; code=$?; cat out err; exit $code]],
    stdout = { "heard hi", "up since an earlier run", "stays up" },
    after = function(dir)
      assert.equal("start\nstop\nstart\nstop\n", cli.read(dir .. "/notes"))
    end,
  })

  it("says when nothing would wake it", watching {
    files = { ["workflows/w.lua"] = workflow [[ o.step "a" { run = "echo a" } ]] },
    shell = [[begin w; told watching 1; finish]],
    stdout = { "no step declares inputs", "watching" },
  })

  it("says only what fails with -q, and clears the screen with --clear", watching {
    files = FILES,
    shell = [[begin w -q --clear; told watching 1; echo 2 > in; told watching 2; finish]],
    stdout = { "!watching", "!ok ", "\27[2J" },
  })

  it("writes its events to stdout with --events -", watching {
    files = FILES,
    shell = [[start watch w --events -; poll 'grep -q watching out'; finish]],
    stdout = { '"ev":"run_finished"', '"ev":"watching"', '"dirs":' },
  })

  it("runs one step with what it needs, when that is named", watching {
    files = FILES,
    shell = [[begin w copy; told watching 1; echo b > src/b; echo 2 > in; told watching 2; finish]],
    after = function(dir)
      assert.equal("1\n2\n", cli.read(dir .. "/copied"))
      assert.is_nil(cli.read(dir .. "/listed"))
    end,
  })

  local LIMIT = "echo 1 > /proc/sys/user/max_inotify_watches"
  local limited = os.execute(("unshare -Ur sh -c %s 2>/dev/null"):format(cli.quote(LIMIT)))
  local as_limited = limited and it or pending
  as_limited("names the limit of the system, and how to raise it", cli.run {
    files = FILES,
    shell = ([[exec unshare -Ur sh -c '%s; exec timeout 20 "$0" watch w' $orrery]]):format(LIMIT),
    code = 1, stderr = { "limit of watched directories is reached",
      "sudo sysctl fs.inotify.max_user_watches=" },
  })

  it("ends with 143 at TERM, while a run goes on", watching {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "slow" { run = "echo > begun; exec sleep 1000" } ]] },
    shell = [[begin w; await begun; kill -TERM $pid; wait $pid]], code = 143,
  })

  it("refuses a workflow that is not there, or is wrong from the start", cli.run {
    files = { ["workflows/w.lua"] = "return {" }, args = "watch w", code = 3, stderr = "w.lua:1",
    again = { args = "watch nothing", code = 2, stderr = "there is no workflow 'nothing'" },
  })
end)
