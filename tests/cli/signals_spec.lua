-- What ends a run early: signals, its time limit, a sibling's failure. Trees end, finally
-- steps run, the journal stays whole and resume goes on from there.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")
local workflow, SHELL = cli.workflow, runs.SHELL

-- 'slow' is a tree with members that ignore TERM or left its process group, each of which
-- holds the pipe 'held': when it ends, all are gone.
local interrupted = workflow [[
  o.step "pure" { run = "echo p >> pure; echo p > p.txt", inputs = {}, outputs = { "p.txt" } },
  o.step "each" { run = "echo e >> each" },
  o.step "slow" { needs = { "pure", "each" },
    run = "test -e go && exit; (trap '' TERM; sleep 1000) & setsid sleep 1000 & echo $$ > started; wait" },
  o.step "last" { needs = "slow", run = "echo l >> last" },
  finally = { o.step "clean" { run = "echo c >> clean" } },
]]

local function counts(dir, want)
  for path, n in pairs(want) do
    assert.equal(n, runs.lines(dir, path), "lines of " .. path)
  end
end

local function stopped_by(signal, code)
  return cli.run {
    files = { ["workflows/w.lua"] = interrupted },
    shell = SHELL .. ([[
      mkfifo held; cat held > rest & reader=$!
      exec 3>held; start run w; exec 3>&-
      await started; kill -%s $pid; wait $pid; code=$?
      gone $reader; exit $code]]):format(signal),
    code = code,
    after = function(dir)
      counts(dir, { pure = 1, each = 1, clean = 1, last = 0 })
      local j = runs.last(dir)
      assert.equal("interrupted", j.run_finished.status)
      assert.equal(code, j.run_finished.code)
      assert.equal("cancelled", j.steps.slow.status)
      local ran = j.steps.slow.t - j.began.slow.t
      assert.is_true(math.abs(j.steps.slow.seconds - ran) < ran / 2 + 0.01, "seconds of a cancelled step")
    end,
    again = { shell = "touch go; $orrery resume", after = function(dir)
      counts(dir, { pure = 1, each = 1, last = 1 })
      local j = runs.last(dir)
      assert.equal("ok", j.run_finished.status)
      assert.equal("resumed", j.steps.each.cached)
    end },
  }
end

describe("a signal", function()
  it("TERM ends whole trees, lets finally steps run, and resume goes on", stopped_by("TERM", 143))

  it("INT ends whole trees, lets finally steps run, and resume goes on", stopped_by("INT", 130))

  it("that comes a second time ends finally steps too, at once", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "slow" { run = "echo > started; exec sleep 1000" },
      finally = { o.step "clean" { run = "echo > cleaning; exec sleep 1000" } },
    ]] },
    shell = SHELL .. [[start run w; await started; kill -TERM $pid
      await cleaning; kill -TERM $pid; wait $pid]],
    code = 143,
    after = function(dir)
      local j = runs.last(dir)
      assert.equal(143, j.run_finished.code)
      assert.is_not.equal("ok", j.steps.clean.status)
    end,
  })

  it("that comes a second time ends a step at once that ignores the first", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "deaf" { run = "trap '' TERM; echo > started; while :; do sleep 1000; done" },
    ]] },
    shell = SHELL .. [[start run w; await started; kill -INT $pid; kill -TERM $pid; wait $pid]],
    code = 130, after = function(dir) assert.equal("cancelled", runs.last(dir).steps.deaf.status) end,
  })

  it("ends a call in an endless loop, also one that catches errors", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "spin" { cache = false, call = function()
        local f = assert(io.open("started", "w")) f:write("x") f:close()
        while true do pcall(function() while true do end end) end
      end },
      finally = { o.step "clean" { run = "echo c >> clean" } },
    ]] },
    shell = SHELL .. [[start run w; await started; kill -TERM $pid; wait $pid]],
    code = 143, after = function(dir)
      counts(dir, { clean = 1 })
      assert.equal("cancelled", runs.last(dir).steps.spin.status)
    end,
  })

  it("during a body ends what it started and lets its clean-up run", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      body = function(w)
        w:run("echo 1 >> one", { id = "one" })
        w:run("test -e go || { echo > started; exec sleep 1000; }", { id = "wait" })
        w:run("echo 2 >> two", { id = "two" })
      end,
      finally = { o.step "clean" { run = "echo c >> clean" } },
    ]] },
    shell = SHELL .. [[start run w; await started; kill -INT $pid; wait $pid]],
    code = 130, after = function(dir) counts(dir, { one = 1, two = 0, clean = 1 }) end,
    again = { shell = "touch go; $orrery resume", after = function(dir)
      counts(dir, { one = 1, two = 1 })
    end },
  })

  it("before anything ran ends a workflow file that never comes to an end", cli.run {
    files = { ["workflows/w.lua"] = "while true do end" }, code = 143,
    shell = SHELL .. [[start run w; poll 'test -n "$(cat /proc/$pid/task/$pid/children)"'
      kill -TERM $pid; wait $pid]],
  })
end)

describe("a time limit", function()
  it("of the run ends trees, lets finally steps run and exits 124", cli.run {
    files = { ["workflows/w.lua"] = interrupted },
    args = "run w --timeout 300ms", code = 124,
    after = function(dir)
      counts(dir, { pure = 1, each = 1, clean = 1, last = 0 })
      assert.equal("cancelled", runs.last(dir).steps.slow.status)
    end,
    again = { shell = "touch go; $orrery resume", after = function(dir)
      counts(dir, { pure = 1, each = 1, last = 1 })
    end },
  })

  it("of a call ends its endless loop; the worker serves the next", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "spin" { timeout = "100ms", cache = false, allow_failure = true,
        call = function() while true do pcall(function() while true do end end) end end },
      o.step "next" { after = "spin", cache = false, call = function() return 7 end },
    ]] },
    args = "run w -j1", after = function(dir)
      local j = runs.last(dir)
      assert.equal("timeout", j.steps.spin.error.class)
      assert.equal(7, j.steps.next.value)
    end,
  })

  it("of the run ends a call in an endless loop", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "spin" { cache = false, call = function() while true do end end },
    ]] }, args = "run w --timeout 200ms", code = 124,
  })
end)

describe("a failing sibling under fail_fast", function()
  it("cancels what runs, with its tree, and starts nothing more", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ policy = "fail_fast",
      o.step "slow" { run = "sleep 1000 & echo > started; wait" },
      o.step "bad" { run = "until test -s started; do sleep 0.02; done; exit 3" },
      o.step "more" { needs = "slow", run = "echo > more" },
    ]] },
    args = "run w -j2", code = 1,
    after = function(dir)
      local j = runs.last(dir)
      assert.equal("cancelled", j.steps.slow.status)
      assert.equal("exit:3", j.steps.bad.error.class)
      assert.is_nil(cli.read(dir .. "/more"))
    end,
  })
end)
