-- Going on with a run that was cut off: what it finished is not repeated, not even what is
-- never remembered across runs.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")
local workflow, SHELL = cli.workflow, runs.SHELL

local function counts(dir, want)
  for path, n in pairs(want) do
    assert.equal(n, runs.lines(dir, path), "lines of " .. path)
  end
end

local four = workflow [[ params = { who = "x" },
  o.step "pure" { run = "echo p >> pure; echo p > p.txt", inputs = {}, outputs = { "p.txt" } },
  o.step "each" { run = "echo {{params.who}} {{args}} >> each; echo {{params.who}}" },
  o.step "back" { cache = false, call = function() return { 1.5, "\xff" } end },
  o.step "slow" { needs = { "pure", "each", "back" }, run = "echo s >> slow; test -e go || exec sleep 1000" },
  o.step "last" { needs = "slow", run = "echo l >> last" },
  o.step "aside" { run = "echo a >> aside" },
]]

-- Starts "run w ARGS", kills it when 'slow' runs, and then does 'after'.
local function killed(args, after)
  return SHELL .. ([[
    start run w %s
    poll 'grep -q "step_started.*\"slow\"" .orrery/runs/*/journal.jsonl 2>/dev/null'
    await slow
    kill -9 $pid; wait $pid 2>/dev/null
    touch go
    %s]]):format(args, after or "")
end

describe("a run that was killed", function()
  it("is shown as crashed; resume repeats nothing that finished", cli.run {
    files = { ["workflows/w.lua"] = four },
    shell = killed("-p who=me -j1", "poll '$orrery runs | grep crashed'"), stdout = "crashed",
    after = function(dir) counts(dir, { pure = 1, each = 1, slow = 1, last = 0 }) end,
    again = { args = "resume", stdout = { "ok         slow", "ok         last" }, after = function(dir)
      counts(dir, { pure = 1, each = 1, slow = 2, last = 1, aside = 1 })
      assert.equal("me\n", cli.read(dir .. "/each"))
      local j = runs.last(dir)
      assert.equal("resumed", j.steps.each.cached)
      assert.equal("resumed", j.steps.back.cached)
      assert.equal("me", j.run_started.params.who)
    end,
      again = { args = "resume", stderr = "nothing to resume" } },
  })

  it("can be killed and resumed again and again", cli.run {
    files = { ["workflows/w.lua"] = four },
    shell = killed("-j1", [[rm go
      start resume -j1; poll 'test "$(grep -l "step_started.*\"slow\"" .orrery/runs/*/journal.jsonl | wc -l)" = 2'
      kill -9 $pid; wait $pid 2>/dev/null; touch go; $orrery resume]]),
    after = function(dir) counts(dir, { pure = 1, each = 1, slow = 3, last = 1, aside = 1 }) end,
  })

  it("is the last one also when a later one was killed before it began", cli.run {
    files = { ["workflows/w.lua"] = four },
    shell = killed("-j1", [[mkdir .orrery/runs/zzzzzzzz-0001 .orrery/runs/zzzzzzzz-0002
      : > .orrery/runs/zzzzzzzz-0001/journal.jsonl
      printf '{"ev":"run_st' > .orrery/runs/zzzzzzzz-0002/journal.jsonl
      $orrery resume zzzzzzzz-0001; echo "said $?"; $orrery resume]]),
    stdout = { "said 5", "ok         last" },
    stderr = { "run zzzzzzzz-0001 was ended before it began", "start it again: orrery run" },
    after = function(dir) counts(dir, { pure = 1, each = 1, slow = 2, last = 1, aside = 1 }) end,
  })

  it("goes on with the steps and arguments it was asked for", cli.run {
    files = { ["workflows/w.lua"] = four },
    shell = killed("last -j1 -- one 'two three'", "$orrery resume"),
    after = function(dir)
      counts(dir, { each = 1, last = 1, aside = 0 })
      assert.equal("x one two three\n", cli.read(dir .. "/each"))
    end,
  })

  it("repeats a finished step that --force names", cli.run {
    files = { ["workflows/w.lua"] = four },
    shell = killed("-j1", "$orrery resume --force=each"),
    after = function(dir) counts(dir, { pure = 1, each = 2, last = 1 }) end,
  })

  it("loses no more than the line that was torn", cli.run {
    files = { ["workflows/w.lua"] = four },
    shell = killed("-j1", [[
      j=$(ls .orrery/runs/*/journal.jsonl)
      printf '{"ev":"step_finished","id":"slow","status":"o' >> $j
      poll '$orrery runs | grep crashed'; $orrery runs show; $orrery resume]]),
    stdout = { "crashed", "did not finish" },
    after = function(dir)
      counts(dir, { pure = 1, each = 1, slow = 2, last = 1 })
      assert.equal(1, runs.journals(dir)[1].torn)
    end,
  })

  it("repeats only the step whose line was lost from the middle", cli.run {
    files = { ["workflows/w.lua"] = four },
    shell = killed("-j1", [[
      j=$(ls .orrery/runs/*/journal.jsonl)
      sed -i '/step_finished.*"each"/s/^.*$/{"ev":"step_fin\xff\x00\x01/' $j
      $orrery resume]]),
    after = function(dir) counts(dir, { pure = 1, each = 2, slow = 2, last = 1 }) end,
  })

  it("leaves nothing behind that a step started", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "tree" { run = "(trap '' TERM; sleep 1000) & setsid sleep 1000 & echo > started; wait" } ]] },
    shell = SHELL .. [[mkfifo held; cat held > rest & reader=$!
      exec 3>held; start run w; exec 3>&-
      await started; kill -9 $pid; gone $reader]],
  })
end)

describe("a run that failed", function()
  it("goes on from the failure when its cause is mended", cli.run {
    files = { ["workflows/w.lua"] = four:gsub("test %-e go || exec sleep 1000", "test -e go") },
    args = "run w", code = 1, after = function(dir) counts(dir, { each = 1, slow = 1, last = 0 }) end,
    again = { shell = "touch go; $orrery resume",
      after = function(dir) counts(dir, { each = 1, slow = 2, last = 1 }) end },
  })

  it("whose script was edited repeats what the edit reaches", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ body = function(w)
      w:run("echo a >> a", { id = "a" })
      w:run("echo b >> b", { id = "b" })
      w:run("test -e go", { id = "c" })
    end ]] },
    args = "run w", code = 1,
    again = { files = { ["workflows/w.lua"] = workflow [[ body = function(w)
      w:run("echo b >> b", { id = "b" })
      w:run("echo new >> new", { id = "new" })
      w:run("echo a >> a", { id = "renamed" })
      w:run("test -e go", { id = "c" })
    end ]] }, shell = "touch go; $orrery resume",
      after = function(dir) counts(dir, { a = 1, b = 1, new = 1 }) end },
  })

  it("has each of several equal calls of its body repeated only as often as it is new", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ body = function(w)
      for _ = 1, 3 do w:run("echo x >> x") end
      w:run("test -e go")
      for _ = 1, 2 do w:run("echo x >> x") end
    end ]] },
    args = "run w", code = 1, after = function(dir) counts(dir, { x = 3 }) end,
    again = { shell = "touch go; $orrery resume", after = function(dir) counts(dir, { x = 5 }) end },
  })

  it("has its w:parallel items taken over that finished", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ body = function(w)
      local got = w:parallel("all", { "a", "b", "c" }, function(x)
        w:run("echo " .. x .. " >> ran", { id = "first" })
        return w:run("test " .. x .. " != b -o -e go; echo " .. x, { id = "second", parse = "text" }).value
      end, { policy = "settled" })
      return table.concat(got.values, ",")
    end ]] },
    args = "run w", code = 1, after = function(dir) counts(dir, { ran = 3 }) end,
    again = { shell = "touch go; $orrery resume", after = function(dir)
      counts(dir, { ran = 3 })
      assert.equal("a,b,c", runs.last(dir).run_finished.result)
    end },
  })
end)

describe("a finished call that is not remembered across runs", function()
  local clock = workflow [[
    o.step "now" { call = function()
      local f = assert(io.open("calls", "a")) f:write("x\n") f:close()
      local g = assert(io.open("read.txt")) local text = g:read("a") g:close()
      return os.time() .. text
    end, cache = { ttl = nil } },
    o.step "late" { needs = "now", run = "test -e go; echo {{results.now.value}} > got" } ]]

  it("because it uses the clock, is not repeated by resume", cli.run {
    files = { ["workflows/w.lua"] = clock, ["read.txt"] = "1" }, args = "run w", code = 1,
    again = { shell = "touch go; $orrery resume", stdout = "restored   now",
      after = function(dir) counts(dir, { calls = 1 }) end } })

  it("is repeated when a file it read is another", cli.run {
    files = { ["workflows/w.lua"] = clock, ["read.txt"] = "1" }, args = "run w", code = 1,
    again = { shell = "touch go; echo 2 > read.txt; $orrery resume", stdout = "ok         now",
      after = function(dir) counts(dir, { calls = 2 }) end } })

  it("because the cache is off, is not repeated by resume", cli.run {
    files = { ["workflows/w.lua"] = clock:gsub("os.time%(%) %.%.", ""), ["read.txt"] = "1" },
    args = "run w --cache=off", code = 1,
    again = { shell = "touch go; $orrery resume --cache=off", stdout = "restored   now",
      after = function(dir) counts(dir, { calls = 1 }) end } })
end)

describe("agents by command", function()
  local agents = [[
name: chain
steps:
  - step: 0.5
    agent: one
    task: first
    outputs: [a.json]
  - step: 3
    agent: two
    inputs: [a.json (from step 0.5)]
    outputs: [b.json]
  - step: 3.5
    agent: three
    inputs: [b.json (from step 3)]
    outputs: [c.json]
  - step: 4
    agent: four
    inputs: [c.json (from step 3.5)]
    outputs: [d.json]
]]
  local agent = [[#!/bin/sh
doc=$(cat); role=$(echo "$doc" | sed -E 's/.*"role": ?"([a-z]*)".*/\1/'); echo c >> calls-$role
case $role in
one) out=a;; two) out=b; test -e $ORRERY_ARTIFACTS/a.json || exit 5;; three) out=c;; four) out=d;; esac
if [ "$role" = "$(cat stop 2>/dev/null)" ]; then echo > started; exec sleep 1000; fi
echo '{"n":1}' > $ORRERY_ARTIFACTS/$out.json
]]
  local function files(stop)
    return { ["workflows/chain.yaml"] = agents, ["ag.sh"] = agent, stop = stop }
  end
  local function calls(one, two, three, last)
    return function(dir)
      counts(dir, { ["calls-one"] = one, ["calls-two"] = two, ["calls-three"] = three,
        ["calls-four"] = last })
    end
  end

  for _, at in ipairs { { "one", 2, 1, 1, 1 }, { "three", 1, 1, 2, 1 }, { "four", 1, 1, 1, 2 } } do
    it("are not called again after kill -9 while " .. at[1] .. " works, but for that one", cli.run {
      files = files(at[1]), shell = SHELL .. [[start run chain --agent ./ag.sh; await started
        kill -9 $pid; wait $pid 2>/dev/null; rm stop; $orrery resume --agent ./ag.sh]],
      after = calls(at[2], at[3], at[4], at[5]) })
  end

  it("are called again from the step that --from names, a fractional one too", cli.run {
    files = files(), args = "run chain --agent ./ag.sh", after = calls(1, 1, 1, 1),
    again = { args = "resume --from=3.5 --agent ./ag.sh", after = calls(1, 1, 2, 2),
      again = { args = "resume --from=9.9 --agent ./ag.sh", code = 2, stderr = "no step '9.9'",
        after = calls(1, 1, 2, 2) } } })

  it("hand on their files to the run that goes on", cli.run {
    files = files("four"), shell = SHELL .. [[start run chain --agent ./ag.sh; await started
      kill -TERM $pid; wait $pid; rm stop; $orrery resume --agent ./ag.sh && ls .orrery/runs/*/artifacts]],
    stdout = { "a.json", "d.json" }, after = calls(1, 1, 1, 2) })
end)

describe("two that go on with one run at a time", function()
  it("are one too many", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "echo a >> a" },
      o.step "b" { needs = "a", run = "test -e go; echo b > started; until test -e end; do sleep 0.02; done" } ]] },
    args = "run w", code = 1, again = { shell = SHELL .. [[touch go; first=$(ls .orrery/runs)
      start resume; await started; $orrery resume $first; echo "code $?"; touch end; wait $pid]],
      stdout = "code 5", stderr = "is still running", after = function(dir) counts(dir, { a = 1 }) end } })
end)
