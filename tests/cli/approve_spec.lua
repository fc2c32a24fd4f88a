-- Questions to a person: what waits, who may answer where, what an answer is bound to.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")
local workflow, SHELL = cli.workflow, runs.SHELL

local function counts(dir, want)
  for path, n in pairs(want) do
    assert.equal(n, runs.lines(dir, path), "lines of " .. path)
  end
end

local ship = workflow [[
  o.step "make" { run = "echo m >> made; cat plan.in > tf.txt", outputs = { "tf.txt" } },
  o.step "ship" { needs = "make", approve = "Apply tf.txt to {{params.env}}?", show = "tf.txt" },
  o.step "apply" { needs = "ship", run = "echo a >> applied" },
  o.step "later" { after = "ship", when = "always()", run = "echo l >> later" },
  o.step "aside" { run = "echo s >> aside" },
  finally = { o.step "clean" { run = "echo c >> clean" } },
  params = { env = "prod" },
]]

local function files(more)
  local all = { ["workflows/w.lua"] = ship, ["plan.in"] = "add 3\n" }
  for k, v in pairs(more or {}) do all[k] = v end
  return all
end

-- A line of a shell in which the binary has a terminal and gets text typed into it.
local function typed(text, args)
  return ("printf '%s' | TERM=xterm script -qec \"$orrery %s\" /dev/null"):format(text, args)
end

describe("a question where nobody is there", function()
  it("lets independent steps finish, holds finally back, exits 8 and says what to type", cli.run {
    files = files(), args = "run w", code = 8,
    stdout = { "ok         aside", "ship: Apply tf.txt to prod?", "orrery approve ", " ship",
      "orrery reject ", "then: orrery resume " },
    after = function(dir)
      counts(dir, { made = 1, aside = 1, applied = 0, later = 0, clean = 0 })
      assert.equal("waiting", runs.last(dir).run_finished.status)
    end,
    again = { args = "runs", stdout = "waiting", again = { args = "runs show",
      stdout = { "waiting for an approval:", "ship: Apply tf.txt to prod?" } } },
  })

  it("goes on after approve, repeats nothing, and runs finally", cli.run {
    files = files(), args = "run w", code = 8,
    again = { args = "approve last ship --by maria --reason 'plan read'",
      stdout = { "approved ship of run ", "orrery resume " },
      again = { args = "runs show", stdout = "ship was approved by maria (plan read)",
        again = { args = "resume", stdout = "approved by maria", after = function(dir)
          counts(dir, { made = 1, aside = 1, applied = 1, later = 1, clean = 1 })
          local j = runs.last(dir)
          assert.equal("maria", j.steps.ship.value.by)
          assert.equal("plan read", j.steps.ship.value.reason)
        end,
          again = { args = "runs", stdout = { "ok", "waiting → " } } } } },
  })

  it("needs neither run nor step when there is but one", cli.run {
    files = files(), args = "run w", code = 8, again = { args = "approve",
      stdout = "approved ship", again = { args = "resume" } },
  })

  it("waits on when it is resumed without an answer", cli.run {
    files = files(), args = "run w", code = 8, again = { args = "resume", code = 8,
      stdout = "orrery approve ", after = function(dir) counts(dir, { made = 1, clean = 0 }) end,
      again = { args = "approve", again = { args = "resume",
        after = function(dir) counts(dir, { made = 1, applied = 1, clean = 1 }) end } } },
  })

  it("fails when it is rejected: dependants are left out, finally runs, exit 4", cli.run {
    files = files(), args = "run w", code = 8,
    again = { args = "reject ship --by maria --reason 'not on a Friday'", stdout = "rejected ship",
      again = { args = "resume", code = 4,
        stderr = { "ship: rejected by maria: not on a Friday", "skipped because of it: apply" },
        after = function(dir)
          counts(dir, { applied = 0, clean = 1, later = 1 })
          local j = runs.last(dir)
          assert.equal("refused", j.run_finished.status)
          assert.equal("approval", j.steps.ship.error.class)
        end,
        again = { args = "resume --force=ship", code = 8, again = { args = "approve",
          again = { args = "resume", after = function(dir) counts(dir, { applied = 1 }) end } } } } },
  })

  it("is asked again when what it needs is not what was approved", cli.run {
    files = files(), args = "run w", code = 8, again = { args = "approve",
      again = { files = { ["workflows/w.lua"] = ship:gsub("cat plan.in", "echo destroy all") },
        args = "resume", code = 8, stderr = "it is asked again",
        after = function(dir) counts(dir, { applied = 0 }) end } },
  })

  it("is over after its timeout", cli.run {
    files = files { ["workflows/w.lua"] = ship:gsub('show = "tf.txt"', '%0, timeout = "1h"') },
    args = "run w", code = 8,
    again = { shell = [[sed -i -E 's/"wall":1[0-9.]+\}?$/"wall":1000}/; s/"ends":[0-9.]+/"ends":4600/;
        /approval_asked/s/"wall":[0-9.]+/"wall":1000/' .orrery/runs/*/journal.jsonl
        $orrery approve]], code = 5, stderr = "run ",
      again = { args = "approve last ship", code = 5, stderr = "was to be answered until",
        again = { args = "resume", code = 4, stderr = { "nobody answered", "within 1h" },
          after = function(dir) counts(dir, { applied = 0, clean = 1 }) end } } },
  })

  it("is answered by -y, by -y=STEP, and by no other step's -y", cli.run {
    files = files(), args = "run w -y=make", code = 8, again = { args = "run w -y=ship",
      after = function(dir)
        counts(dir, { applied = 1 })
        assert.equal("-y=ship", runs.last(dir).steps.ship.value.by)
      end, again = { args = "run w -y", after = function(dir) counts(dir, { applied = 2 }) end } },
  })

  it("has -y given to resume, too", cli.run { files = files(), args = "run w", code = 8,
    again = { args = "resume -y", after = function(dir) counts(dir, { made = 1, applied = 1 }) end } })

  it("shows nothing that is not there", cli.run { files = files { ["workflows/w.lua"] = workflow [[
    o.step "ship" { approve = "Go?", show = "no.txt" } ]] }, args = "run w", code = 1,
    stderr = "it is to show no.txt, which does not exist" })

  it("says in the JSON document what waits", cli.run { files = files(), args = "run w --json",
    code = 8, after = function(_, r)
      local d = require("orrery.core.json").decode(r.stdout)
      assert.equal("waiting", d.status)
      assert.equal("ship", d.waiting[1].id)
      assert.equal("Apply tf.txt to prod?", d.waiting[1].question)
    end })
end)

describe("a question on a terminal", function()
  it("shows the files, asks, and goes on after y", cli.run { files = files(),
    shell = typed("y\\n", "run w"), stdout = { "--- tf.txt", "add 3",
      "ship: Apply tf.txt to prod? [y/N]" },
    after = function(dir) counts(dir, { applied = 1, clean = 1 }) end })

  it("takes anything else as a no", cli.run { files = files(),
    shell = typed("\\n", "run w"), code = 4, stdout = "rejected by",
    after = function(dir) counts(dir, { applied = 0, clean = 1 }) end })

  it("asks one after the other; lines of other steps do not come between", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { approve = "A?" }, o.step "b" { approve = "B?" },
      o.step "c" { run = "echo said by c" },
      o.step "d" { needs = { "a", "b" }, run = "echo d >> d" } ]] },
    shell = typed("y\\ny\\n", "run w"), after = function(dir, r)
      counts(dir, { d = 1 })
      local a, b = r.stdout:find("a: A? [y/N] ", 1, true), r.stdout:find("b: B? [y/N] ", 1, true)
      assert(a and b, r.stdout)
      for line in r.stdout:gmatch("[^\n]+") do
        assert(not (line:find("y/N", 1, true) and line:find("said by c", 1, true)), line)
      end
    end })

  it("shows control characters of a file as text", cli.run {
    files = files { ["plan.in"] = "\27[2Jnothing to see\n" },
    shell = typed("n\\n", "run w"), code = 4, stdout = { "\\x1b[2Jnothing", "!\27[2J" } })

  it("that has no more input lets the step wait", cli.run { files = files(),
    shell = typed("\\004", "run w"), code = 8, stdout = "orrery approve " })
end)

describe("approve and reject", function()
  it("refuse what nobody asked", cli.run { files = files(), args = "approve", code = 2,
    stderr = "no run waits", again = { args = "approve nope ship", code = 2,
      stderr = "there is no run", again = { args = "run w", code = 8, again = {
        args = "approve last nope", code = 2, stderr = { "has no step 'nope'", "what waits: ship" },
        again = { args = "approve last make", code = 5, stderr = "does not wait for an approval",
          again = { args = "approve shp", code = 2, stderr = "did you mean 'ship'?" } } } } } })

  it("say when nothing waits any more", cli.run { files = files(), args = "run w", code = 8,
    again = { args = "approve last ship", code = 0, again = { args = "approve last nope", code = 2,
      stderr = "has no step 'nope'\n  nothing waits there any more\n" } } })

  it("refuse a second answer, and tell whose the first one was", cli.run { files = files(),
    args = "run w", code = 8, again = { args = "approve ship --by maria", again = {
      args = "approve last ship", code = 5, stderr = "was already approved by maria",
      again = { args = "reject last ship", code = 5, stderr = "was already approved by maria" } } } })

  it("refuse a run that has ended", cli.run { files = files(), args = "run w -y",
    again = { args = "approve last ship", code = 5, stderr = "nothing waits in run",
      again = { args = "reject last", code = 5, stderr = "it is ok" } } })

  it("refuse a run that is still going on", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "ask" { approve = "Go?" },
      o.step "slow" { run = "echo > started; until test -e go; do sleep 0.02; done" } ]] },
    shell = SHELL .. [[start run w; await started
      $orrery approve last ask; a=$?; $orrery runs; $orrery resume; b=$?
      touch go; wait $pid; echo "codes $a $b $?"]],
    stdout = { "running", "codes 5 5 8" }, stderr = { "is still running" } })

  it("answer for the run that went on with one", cli.run { files = files(), args = "run w",
    code = 8, again = { shell = [[first=$(ls .orrery/runs); $orrery resume >/dev/null
      $orrery approve $first ship && $orrery resume $first]], stderr = "was gone on with",
      after = function(dir) counts(dir, { made = 1, applied = 1 }) end } })

  it("name the runs when several wait", cli.run { files = files(), args = "run w", code = 8,
    again = { args = "run w", code = 8, again = { args = "approve", code = 2,
      stderr = { "2 runs wait: ", "orrery approve RUN STEP" } } } })

  it("name the steps when several wait", cli.run { files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { approve = "A?" }, o.step "b" { approve = "B?" } ]] }, args = "run w", code = 8,
    again = { args = "approve", code = 2, stderr = "2 steps of run", again = { args = "approve b",
      stdout = "still waiting: a" } } })
end)

describe("a body", function()
  local body = workflow [[ body = function(w)
      w:run("echo 1 >> one", { id = "one" })
      local ok, why = pcall(function() return w:approve("Go on?") end)
      w:run("echo 2 >> two", { id = "two" })
      return ok or why.class
    end, finally = { o.step "clean" { run = "echo c >> clean" } } ]]

  it("waits in w:approve, also when it catches errors; resume goes on there", cli.run {
    files = { ["workflows/w.lua"] = body }, args = "run w", code = 8, stdout = "Go on?",
    after = function(dir) counts(dir, { one = 1, two = 0, clean = 0 }) end,
    again = { args = "approve", again = { args = "resume", after = function(dir)
      counts(dir, { one = 1, two = 1, clean = 1 })
      assert.equal(true, runs.last(dir).run_finished.result)
    end } } })

  it("may catch a no", cli.run { files = { ["workflows/w.lua"] = body }, args = "run w", code = 8,
    again = { args = "reject", again = { args = "resume", after = function(dir)
      counts(dir, { one = 1, two = 1, clean = 1 })
      assert.equal("approval", runs.last(dir).run_finished.result)
    end } } })

  it("lets the other items of w:parallel finish", cli.run { files = { ["workflows/w.lua"] =
    workflow [[ body = function(w)
      w:parallel("all", { "a", "b" }, function(x)
        if x == "a" then w:approve("A?") end
        w:run("echo " .. x .. " >> ran")
      end)
      w:run("echo e >> after")
    end ]] }, args = "run w", code = 8, after = function(dir) counts(dir, { ran = 1, after = 0 }) end,
    again = { args = "approve", again = { args = "resume",
      after = function(dir) counts(dir, { ran = 2, after = 1 }) end } } })
end)

describe("a workflow in a workflow", function()
  it("waits with its question; approve names it by its whole id", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "in" { workflow = "inner" }, o.step "done" { needs = "in", run = "echo d >> done" } ]],
      ["workflows/inner.lua"] = 'local o = require("orrery")\nreturn o.workflow "inner" { '
        .. 'o.step "pre" { run = "echo p >> pre" }, o.step "ask" { needs = "pre", approve = "Go?" } }' },
    args = "run w", code = 8, stdout = "in/ask: Go?", after = function(dir) counts(dir, { done = 0 }) end,
    again = { args = "approve last in/ask", again = { args = "resume",
      after = function(dir) counts(dir, { pre = 1, done = 1 }) end } } })
end)

-- An agent by command that counts its calls and answers what it is told to.
local function agent(answer, more)
  return ("#!/bin/sh\ncat > request\necho c >> calls\n%s\necho '%s'\n"):format(more or "", answer)
end

describe("an agent", function()
  local flow = workflow [[
    o.step "review" { agent = "rev", prompt = "look", outputs = { "report.md" } },
    o.step "use" { needs = "review", run = "cat report.md >> used; echo {{results.review.value}} >> value" },
    finally = { o.step "clean" { run = "echo c >> clean" } } ]]
  local asks = agent('{"status":"needs_approval","value":"fine?"}', "echo report > report.md")

  it("that needs approval waits, and is not called again when it was given", cli.run {
    files = { ["workflows/w.lua"] = flow, ["ag.sh"] = asks }, args = "run w --agent ./ag.sh",
    code = 8, stdout = "the agent asks for approval: fine?",
    after = function(dir) counts(dir, { calls = 1, used = 0, clean = 0 }) end,
    again = { args = "resume --agent ./ag.sh", code = 8,
      after = function(dir) counts(dir, { calls = 1 }) end },
  })

  it("is called again, and asks again, when what it made is lost", cli.run {
    files = { ["workflows/w.lua"] = flow, ["ag.sh"] = asks }, args = "run w --agent ./ag.sh",
    code = 8, again = { shell = "rm report.md; $orrery approve review", again = {
      args = "resume --agent ./ag.sh", code = 8,
      after = function(dir) counts(dir, { calls = 2, used = 0 }) end } } })

  it("that was approved hands on its value and files", cli.run {
    files = { ["workflows/w.lua"] = flow, ["ag.sh"] = asks }, args = "run w --agent ./ag.sh",
    code = 8, again = { args = "approve review", again = { args = "resume --agent ./ag.sh",
      after = function(dir)
        counts(dir, { calls = 1, used = 1, clean = 1 })
        assert.equal("report\n", cli.read(dir .. "/used"))
        assert.equal("fine?\n", cli.read(dir .. "/value"))
      end } } })

  it("that was rejected fails, exit 4", cli.run {
    files = { ["workflows/w.lua"] = flow, ["ag.sh"] = asks }, args = "run w --agent ./ag.sh",
    code = 8, again = { args = "reject review", again = { args = "resume --agent ./ag.sh", code = 4,
      after = function(dir) counts(dir, { calls = 1, used = 0, clean = 1 }) end } } })

  it("that needs approval has it by -y", cli.run {
    files = { ["workflows/w.lua"] = flow, ["ag.sh"] = asks }, args = "run w -y --agent ./ag.sh",
    after = function(dir) counts(dir, { calls = 1, used = 1 }) end })

  local dialect = [[
name: esc
steps:
  - step: 1
    agent: maker
    task: make it
    outputs: [thing.json]
    validation: { schema: s.json }
    retry: { max_attempts: 2, on_failure: escalate_to_human }
  - step: 2.5
    agent: user
    inputs: [thing.json (from step 1)]
    outputs: [done.json]
]]
  local maker = [[#!/bin/sh
role=$(sed -E 's/.*"role": ?"([a-z]*)".*/\1/'); echo c >> calls-$role
if [ $role = maker ]; then echo '{"a":1}' > $ORRERY_ARTIFACTS/thing.json; else echo '{}' > $ORRERY_ARTIFACTS/done.json; fi
]]
  local schema = '{"type":"object","required":["b"]}'

  it("whose gate refuses to the end is a person's matter; approved, it counts as it is", cli.run {
    files = { ["workflows/esc.yaml"] = dialect, ["ag.sh"] = maker, ["s.json"] = schema },
    args = "run esc --agent ./ag.sh", code = 8, stdout = { "Take it as it is?" },
    after = function(dir) counts(dir, { ["calls-maker"] = 2, ["calls-user"] = 0 }) end,
    again = { args = "approve", again = { args = "resume --agent ./ag.sh", after = function(dir)
      counts(dir, { ["calls-maker"] = 2, ["calls-user"] = 1 })
    end } } })

  it("whose gate refuses is not let through by a bare -y", cli.run {
    files = { ["workflows/esc.yaml"] = dialect, ["ag.sh"] = maker, ["s.json"] = schema },
    args = "run esc -y --agent ./ag.sh", code = 8,
    again = { args = "resume -y=1 --agent ./ag.sh",
      after = function(dir) counts(dir, { ["calls-maker"] = 2, ["calls-user"] = 1 }) end } })

  it("that fails to the end is tried again when a person says so", cli.run {
    files = { ["workflows/esc.yaml"] = dialect, ["s.json"] = '{"type":"object"}',
      ["ag.sh"] = maker:gsub("if %[", "test -e go || exit 9; if [", 1) },
    args = "run esc --agent ./ag.sh", code = 8, stdout = "Try it again?",
    after = function(dir) counts(dir, { ["calls-maker"] = 2 }) end,
    again = { args = "resume --agent ./ag.sh", code = 8,
      after = function(dir) counts(dir, { ["calls-maker"] = 2 }) end,
      again = { shell = "touch go; $orrery approve && $orrery resume --agent ./ag.sh",
        after = function(dir) counts(dir, { ["calls-maker"] = 3, ["calls-user"] = 1 }) end } } })
end)
