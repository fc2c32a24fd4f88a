-- Several runs at once and in several places: right results, work done once, equal keys.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")
local workflow, SHELL = cli.workflow, runs.SHELL

-- Starts two runs before either can finish 'gate'. Each has its own output.
local TWO = SHELL .. [[
both() {
  "$orrery" "$@" >out1 2>err1 </dev/null & one=$!
  "$orrery" "$@" >out2 2>err2 </dev/null & two=$!
  poll 'test "$(ls .orrery/runs 2>/dev/null | wc -l)" -ge 2'
  : > go
  wait $one && wait $two || { cat out1 err1 out2 err2; exit 1; }
}
wait_go() { poll 'test -e go'; }
]]

-- Many steps in chains, each of which notes that it ran.
local chains = workflow([[
  o.step "gate" { run = "echo gate >> ran; until test -e go; do sleep 0.02; done; echo 1 > o/gate",
    inputs = {}, outputs = { "o/gate" } },
  chain("a"), chain("b"), chain("c"),
  o.step "sum" { run = "echo sum >> ran; cat o/a6 o/b6 o/c6 > o/sum", inputs = { "o/a6", "o/b6", "o/c6" },
    outputs = { "o/sum" } },
]], [[
local function chain(name)
  local steps, before = {}, "o/gate"
  for i = 1, 6 do
    local out = "o/" .. name .. i
    steps[i] = o.step(name .. i, { run = ("echo %s%d >> ran; cat %s src > %s"):format(name, i, before, out),
      inputs = { before, "src" }, outputs = { out } })
    before = out
  end
  return steps
end
]])

local WANT = ("1\n" .. ("s\n"):rep(6)):rep(3)

local function ran_once(dir)
  local seen = {}
  for line in (cli.read(dir .. "/ran") or ""):gmatch("[^\n]+") do
    assert.is_nil(seen[line], line .. " ran twice")
    seen[line] = true
  end
  assert.is_true(seen.gate and seen.a1 and seen.c6 and seen.sum)
end

local function keys(j)
  local out = {}
  for id, ev in pairs(j.steps) do out[id] = ev.key end
  assert.is_truthy(next(out))
  return out
end

describe("two runs of one workflow in one checkout", function()
  it("leave a file that a step appends to as one of them would", cli.run {
    files = { ["workflows/w.lua"] = workflow([[
      o.step "s" { run = "until test -e go; do sleep 0.02; done; echo x >> out", inputs = {},
        outputs = { "out" } } ]]) },
    shell = TWO .. "both run w --force && test \"$(cat out)\" = x && rm out && \"$orrery\" run w",
    stdout = "restored   s",
    after = function(dir) assert.equal("x\n", cli.read(dir .. "/out")) end,
  })

  it("finish with right results, and a cacheable step runs in one of them only", cli.run {
    files = { ["workflows/w.lua"] = chains, src = "s\n" },
    shell = TWO .. "both run w -j2",
    after = function(dir)
      ran_once(dir)
      assert.equal(WANT, cli.read(dir .. "/o/sum"))
      for _, j in ipairs(runs.journals(dir)) do assert.equal("ok", j.run_finished.status) end
    end,
    again = { args = "run w", stdout = "20 steps: everything up to date" },
  })

  it("finish with right results when nothing is remembered", cli.run {
    files = { ["workflows/w.lua"] = chains, src = "s\n" },
    shell = TWO .. "both run w -j2 --cache=off",
    after = function(dir) assert.equal(WANT, cli.read(dir .. "/o/sum")) end,
  })

  it("that make different things of one output leave it whole", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ params = { n = 1 },
      o.step "x" { run = "until test -e go; do sleep 0.02; done; : > x; for i in 1 2 3 4 5 6 7 8; do "
        .. "echo {{params.n}} >> x; sleep 0.01; done", inputs = {}, outputs = { "x" } },
      ]] },
    shell = TWO .. [[
      "$orrery" run w -p n=1 >out1 2>&1 & one=$!
      "$orrery" run w -p n=2 >out2 2>&1 & two=$!
      poll 'test "$(ls .orrery/runs 2>/dev/null | wc -l)" -ge 2'
      : > go; wait $one && wait $two || { cat out1 out2; exit 1; }
      sort -u x | wc -l; wc -l < x
      $orrery run w -p n=1 -q; cat x; $orrery run w -p n=2 -q; cat x]],
    stdout = "1\n8\n" .. ("1\n"):rep(8) .. ("2\n"):rep(8),
  })

  for _, cache in ipairs({ "a cache each", "no cache" }) do
    local env = { ["a cache each"] = { "ORRERY_CACHE_DIR=c1", "ORRERY_CACHE_DIR=c2" },
      ["no cache"] = { "A=1", "A=2" } }
    local flag = cache == "no cache" and "--cache=off" or ""
    it("that share " .. cache .. " never write one output at once", cli.run {
      files = { ["workflows/w.lua"] = workflow [[
        o.step "x" { run = "mkdir busy; sleep 0.1; rmdir busy; echo > x", inputs = {}, outputs = { "x" } } ]] },
      shell = ([[
        env %s $orrery run w %s >out1 2>&1 & one=$!
        env %s $orrery run w %s >out2 2>&1 & two=$!
        wait $one && wait $two || { cat out1 out2; exit 1; }]]):format(env[cache][1], flag, env[cache][2], flag),
    })
  end

  -- 'use' gives the other run time to begin with 'make' anew, which it must not yet do.
  it("of which one makes anew what a step of the other reads, wait for each other", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "make" { run = "echo >> began; sleep 0.1; echo $$ > made", inputs = {}, outputs = { "made" }, cache = false },
      o.step "use" { needs = "make", run = "cp made copy; for i in $(seq 40); do test $(wc -l < began) = $n || break; "
        .. "sleep 0.02; done; cmp made copy && cp made used", inputs = { "made" }, outputs = { "copy", "used" },
        env = { "n" } } ]] },
    shell = SHELL .. [[
      n=1 $orrery run w >out1 2>&1 & one=$!
      poll 'test -e copy'
      n=2 $orrery run w >out2 2>&1 & two=$!
      wait $one && wait $two || { cat out1 out2; exit 1; }
      cmp made used; cat out1 out2]],
    stdout = "2 ran",
  })

  it("of which one lost to the other what it had made have it again", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ params = { n = 1 },
      o.step "make" { run = "echo {{params.n}} > made", inputs = {}, outputs = { "made" } },
      o.step "wait" { after = "make", run = "test {{params.n}} = 2 || until test -e go; do sleep 0.02; done" },
      o.step "use" { needs = "make", after = "wait", run = "cat made > used{{params.n}}", inputs = { "made" },
        outputs = { "used{{params.n}}" } } ]] },
    shell = SHELL .. [[
      start run w -p n=1; await made
      $orrery run w -p n=2 || exit 1
      : > go; wait $pid || { cat out err; exit 1; }
      cat used1 used2 out]],
    stdout = { "1\n2\n", "make  attempt 1: its outputs were changed or lost meanwhile" },
  })

  it("go on without a cache whose lock file cannot be used", cli.run {
    files = { ["workflows/w.lua"] = chains, src = "s\n", go = "", [".orrery/cache/lock/x"] = "" },
    args = "run w", stderr = "the cache", after = function(dir) assert.equal(WANT, cli.read(dir .. "/o/sum")) end,
  })

  it("of which one is killed leave the other undisturbed", cli.run {
    files = { ["workflows/w.lua"] = chains, src = "s\n" },
    shell = SHELL .. [[
      start run w; first=$pid; await ran
      "$orrery" run w > out2 2>&1 & second=$!
      poll 'test "$(ls .orrery/runs | wc -l)" = 2'
      kill -9 $first; wait $first 2>/dev/null
      : > go; wait $second || { cat out2; exit 1; }]],
    after = function(dir) assert.equal(WANT, cli.read(dir .. "/o/sum")) end,
    again = { args = "run w", stdout = "everything up to date" },
  })

  it("may run inside a step of another workflow with steps of the same name", cli.run {
    files = {
      ["workflows/w.lua"] = workflow
        [[ o.step "build" { run = "$ORRERY_BIN run inner && cp inner.txt out.txt", inputs = {}, outputs = { "out.txt" },
          pass_env = { "ORRERY_BIN" }, timeout = "20s" } ]],
      ["workflows/inner.lua"] = workflow
        [[ o.step "build" { run = "echo inner > inner.txt", inputs = {}, outputs = { "inner.txt" } } ]] },
    shell = "ORRERY_BIN=$orrery $orrery run w && cat out.txt", stdout = "inner",
  })
end)

describe("the cache during a run", function()
  for _, verb in ipairs({ "clear", "prune --max-size=1", "verify" }) do
    it("survives cache " .. verb, cli.run {
      files = { ["workflows/w.lua"] = chains, src = "s\n" },
      shell = SHELL .. ([[
        $orrery run w -q >/dev/null & pid=$!; : > go; wait $pid; rm -r o go ran
        echo s2 > src
        start run w -j2; await ran
        $orrery cache %s; : > go; $orrery cache %s
        wait $pid || { cat out err; exit 1; }; cat o/sum]]):format(verb, verb),
      stdout = (("1\n" .. ("s2\n"):rep(6)):rep(3)),
      again = { args = "run w", after = function(dir)
        assert.equal(("1\n" .. ("s2\n"):rep(6)):rep(3), cli.read(dir .. "/o/sum"))
      end, again = { args = "run w", stdout = "everything up to date" } },
    })
  end
end)

describe("two checkouts with one cache", function()
  it("restore each other's results", cli.run {
    files = { ["one/workflows/w.lua"] = chains, ["one/src"] = "s\n", ["one/go"] = "",
      ["two/deeper/workflows/w.lua"] = chains, ["two/deeper/src"] = "s\n", ["two/deeper/go"] = "" },
    env = { ORRERY_CACHE_DIR = "/tmp/none" },
    shell = [[export ORRERY_CACHE_DIR=$PWD/cache
      (cd one && $orrery run w -q); cd two/deeper && $orrery run w && test ! -e ran && cat o/sum]],
    stdout = { "20 restored", WANT },
    after = function(dir) ran_once(dir .. "/one") end,
  })

  it("at the same time do each step once", cli.run {
    files = { ["one/workflows/w.lua"] = chains:gsub(">> ran", ">> ../ran"):gsub("test %-e go", "test -e ../go"),
      ["one/src"] = "s\n",
      ["two/workflows/w.lua"] = chains:gsub(">> ran", ">> ../ran"):gsub("test %-e go", "test -e ../go"),
      ["two/src"] = "s\n" },
    shell = SHELL .. [[export ORRERY_CACHE_DIR=$PWD/cache
      (cd one && exec $orrery run w) >out 2>err & one=$!
      (cd two && exec $orrery run w) >out2 2>&1 & two=$!
      poll 'test -d one/.orrery/runs -a -d two/.orrery/runs'; : > go
      wait $one && wait $two || { cat out err out2; exit 1; }
      cmp one/o/sum two/o/sum]],
    after = function(dir)
      ran_once(dir)
      assert.equal(WANT, cli.read(dir .. "/two/o/sum"))
    end,
  })

  it("of git worktrees share nothing they should not: an output with the root's path stays local", cli.run {
    files = { ["one/workflows/w.lua"] = workflow [[ o.step "conf" { run = "pwd > conf", inputs = {}, outputs = { "conf" } } ]],
      ["two/workflows/w.lua"] = workflow [[ o.step "conf" { run = "pwd > conf", inputs = {}, outputs = { "conf" } } ]] },
    shell = [[export ORRERY_CACHE_DIR=$PWD/cache
      (cd one && $orrery run w -q && grep -q one conf) && cd two && $orrery run w -q && cat conf]],
    stdout = "/two\n",
  })
end)

describe("a key", function()
  it("is the same at another path, umask, time zone, language and order of the environment", function()
    local text = workflow [[ params = { n = 0.1 },
      o.step "sh" { run = "cat src > sh.txt", inputs = { "src", "lib/**" }, outputs = { "sh.txt" } },
      o.step "direct" { run = { "cp", "sh.txt", "direct.txt" }, inputs = { "sh.txt" }, outputs = { "direct.txt" } },
      o.step "env" { run = "echo $A {{params.n}}", inputs = {}, env = { "A", Z = "1", B = "2" } },
      o.step "call" { call = function(ctx)
        local t = {}
        for k, v in pairs({ b = 1, a = 2, c = 3 }) do t[#t + 1] = k .. v end
        table.sort(t)
        return { table.concat(t), require("orrery.fs").read("src"), ctx.params.n }
      end },
      o.step "use" { needs = "call", run = "echo {{results.call.value}}", inputs = {} },
      o.step "m" { matrix = { y = { "q", "p" }, x = { 1, 2 } }, run = "echo {{matrix.x}}{{matrix.y}}", inputs = {} },
    ]]
    local function keys_in(sub, env, shell)
      return cli.within(function(top)
        local dir = top .. "/" .. sub
        for path, t in pairs({ ["workflows/w.lua"] = text, src = "s\n", ["lib/ä.txt"] = "1", ["lib/B.txt"] = "2",
          ["lib/a.txt"] = "3" }) do cli.write(dir .. "/" .. path, t) end
        env.A = "a"
        cli.check(cli.exec(dir, "", { env = env, shell = shell }), {})
        return keys(runs.last(dir))
      end, {})
    end
    local one = keys_in("x", {}, "umask 022; chmod 644 src lib/* workflows/w.lua; $orrery run w -j1")
    local two = keys_in("some where/else's", { TZ = "Asia/Tokyo", LC_ALL = "tr_TR.UTF-8", LANG = "de_DE.UTF-8",
      EXTRA = "1", USER = "somebody" }, "umask 077; $orrery run w -j4")
    assert.same(one, two)
    local three = keys_in("x", { LC_ALL = "C" }, "cd lib; umask 000; $orrery run w")
    assert.same(one, three)
  end)
end)
