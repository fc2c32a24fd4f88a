-- A run in which little changed asks only the steps that rest on it. Whatever it does, the
-- whole run would have done: random workflows and random edits, each made in two equal
-- folders of which one runs with ORRERY_NO_PLAN=1, must give the same steps, reasons,
-- outputs and documents.
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")
local runs = require("tests.cli.runs")

-- A random number generator of its own, so that a seed tells the whole test.
local function random(seed)
  local state = seed
  return function(n)
    state = (state * 6364136223846793005 + 1442695040888963407) & math.maxinteger
    return (state >> 24) % n + 1
  end
end

---------------------------------------------------------------------------
-- random workflows

local function quoted(list)
  local out = {}
  for i, v in ipairs(list) do out[i] = ("%q"):format(v) end
  return "{ " .. table.concat(out, ", ") .. " }"
end

-- Each kind gives the fields of a step from its number, its sources and earlier outputs.
local kinds = {
  function(i, src, up)
    local list = { "src/" .. src .. ".txt" }
    if up then list[2] = "out/" .. up .. ".txt" end
    return ('run = "cat %s > out/%d.txt", inputs = %s, outputs = { "out/%d.txt" }'):format(
      table.concat(list, " "), i, quoted(list), i)
  end,
  function(i, src) -- early cutoff: only the first line counts
    return ('run = "head -n1 src/%d.txt > out/%d.txt", inputs = { "src/%d.txt" }, '
      .. 'outputs = { "out/%d.txt" }'):format(src, i, src, i)
  end,
  function(i)
    return ('run = "cat glob/*.g > out/%d.txt; echo >> out/%d.txt", inputs = { "glob/*.g" }, '
      .. 'outputs = { "out/%d.txt" }'):format(i, i, i)
  end,
  function(i, src, up)
    return ('run = "cat src/%d.txt; wc -c < src/%d.txt > out/%d.txt", inputs = { "src/%d.txt" },'
      .. ' outputs = { n = "out/%d.txt" }%s'):format(src, src, i, src, i,
      up and (', needs = { "s%d" }'):format(up) or "")
  end,
  function(i, src, up) -- a value of another step in the command; no two with the same key
    if not up then
      return ('run = "cat src/%d.txt; : %d", inputs = { "src/%d.txt" }, parse = "text"'):format(src,
        i, src)
    end
    return ('run = "echo %d {{results.s%d.stdout}} {{results.s%d.exit}}", inputs = {}, '
      .. 'needs = { "s%d" }'):format(i, up, up, up)
  end,
  function(i, src)
    return ('run = "cat src/%d.txt hdr.h > out/%d.txt; echo out/%d.txt: hdr.h > out/%d.d", '
      .. 'inputs = { "src/%d.txt" }, outputs = { "out/%d.txt" }, depfile = "out/%d.d"')
      :format(src, i, i, i, src, i, i)
  end,
  function(i, src)
    return ('run = "rm -f out/%d.txt; ln -s ../src/%d.txt out/%d.txt", inputs = { "src/%d.txt" },'
      .. ' outputs = { "out/%d.txt" }, env = { MODE = "{{params.mode}}" }'):format(i, src, i, src, i)
  end,
  function(i, src) -- fails while its source says so
    return ('run = "! grep -q bad src/%d.txt && touch out/%d.txt", inputs = { "src/%d.txt" }, '
      .. 'outputs = { "out/%d.txt" }'):format(src, i, src, i)
  end,
}

local WRITES = { true, true, true, true, false, true, true, true }

local function workflow(rand)
  local lines, writers = {}, {}
  for i = 1, 4 + rand(8) do
    local kind = rand(#kinds)
    local up = #writers > 0 and rand(3) > 1 and writers[rand(#writers)] or nil
    lines[i] = ('  o.step "s%d" { %s },'):format(i, kinds[kind](i, rand(4), up))
    if WRITES[kind] then writers[#writers + 1] = i end
  end
  return 'local o = require("orrery")\nreturn o.workflow "w" {\n  params = { mode = "m" },\n'
    .. table.concat(lines, "\n") .. "\n}\n"
end

local function files_of(flow)
  local files = { ["workflows/w.lua"] = flow, ["hdr.h"] = "h\n", ["glob/a.g"] = "a\n",
    ["out/keep"] = "", ["more"] = "" }
  for i = 1, 4 do files[("src/%d.txt"):format(i)] = ("source %d\n"):format(i) end
  return files
end

---------------------------------------------------------------------------
-- random edits

local edits = {
  function(r) return ("echo %d >> src/%d.txt"):format(r(9), r(4)) end,
  function(r) return ("echo line %d > src/%d.txt"):format(r(3), r(4)) end,
  function(r) return ("echo source %d > src/%d.txt"):format(r(4), r(4)) end,
  function(r) return ("echo bad >> src/%d.txt"):format(r(4)) end,
  function(r) return ("sed -i /bad/d src/%d.txt"):format(r(4)) end,
  function(r) return ("printf %%s%d %d > src/%d.txt"):format(r(9), r(9), r(4)) end,
  function(r) return ("rm -f src/%d.txt"):format(r(4)) end,
  function(r) return ("rm -f out/%d.txt"):format(r(10)) end,
  function() return "rm -f out/*.txt" end,
  function(r) return ("[ -h out/%d.txt ] || echo no > out/%d.txt"):format(r(10), r(10)) end,
  function(r) local n = r(10) return ("[ -f out/%d.txt ] && chmod +x out/%d.txt"):format(n, n) end,
  function(r) return ("chmod u+x src/%d.txt"):format(r(4)) end,
  function(r) return ("chmod u-x src/%d.txt"):format(r(4)) end,
  function(r) return ("touch src/%d.txt out/%d.txt"):format(r(4), 20) end,
  function(r) return ("echo %d > glob/%d.g"):format(r(3), r(3)) end,
  function(r) return ("rm -f glob/%d.g"):format(r(3)) end,
  function(r) return ("echo %d > hdr.h"):format(r(3)) end,
  function(r) return ("cp src/%d.txt t && mv t src/%d.txt"):format(r(4), r(4)) end,
  function(r) return ("ln -sf %d.txt src/%d.txt"):format(r(4), r(4)) end,
  function(r) return ("touch src/x && rm src/x; echo a%d > glob/a.g"):format(r(2)) end,
  function() return "echo x > src/unread" end,
  function() return "true" end,
}

-- What may have become of outputs alone.
local losses = {
  function() return "rm -f out/*.txt" end,
  function() return "rm -rf out" end,
  function(r) return ("rm -f out/%d.txt out/1*.txt"):format(r(9)) end,
  function(r) return ("[ ! -f out/%d.txt ] || echo no > out/%d.txt"):format(r(10), r(10)) end,
  function(r) local n = r(10) return ("[ ! -f out/%d.txt ] || chmod %s out/%d.txt"):format(n,
    ({ "a+x", "g-r", "o-r" })[r(3)], n) end,
  function(r) return ("rm -f out/%d.txt; ln -s nowhere out/%d.txt"):format(r(10), r(10)) end,
  function(r) return ("rm -f out/%d.txt; mkdir out/%d.txt"):format(r(10), r(10)) end,
  function() return "mv out real; ln -s real out; rm -f real/*.txt" end,
  function() return "rm -rf out; ln -s /nowhere/at/all out" end,
  function(r) return ("rm -f out/*.txt; echo %d >> src/%d.txt"):format(r(9), r(4)) end,
}

local function edit(rand, among)
  local list = {}
  for i = 1, rand(2) do list[i] = among[rand(#among)](rand) end
  return table.concat(list, "; ")
end

---------------------------------------------------------------------------
-- what a run came to

-- Times, ids and what depends on the order of starts.
local volatile = { run = true, seconds = true, saved = true, wall = true, work = true, cpu = true,
  rss = true, critical = true, file = true, took = true }

local function settle(v, dir)
  if type(v) == "string" then return (v:gsub(dir:gsub("%p", "%%%0"), "DIR")) end
  if type(v) ~= "table" then return v end
  local out = {}
  for k, one in pairs(v) do
    if not volatile[k] then out[k] = settle(one, dir) end
  end
  return out
end

local function by_id(doc)
  for _, name in ipairs({ "steps", "errors", "messages" }) do
    local list = doc[name]
    if list then
      table.sort(list, function(a, b)
        return tostring(a.id or a.text) < tostring(b.id or b.text)
      end)
    end
  end
  if doc.failed then table.sort(doc.failed) end
  return doc
end

local TREE = "for f in src/* glob/* out/*; do [ -e $f ] || [ -h $f ] || continue; "
  .. "printf '%s %s ' $f $(stat -c %A $f); if [ -h $f ]; then readlink $f; "
  .. "else cksum < $f; fi; done"

local function run(dir, args, env)
  local all = { ORRERY_LUA_DIR = "" }
  for k, v in pairs(env or {}) do all[k] = v end
  local r = cli.exec(dir, "run w --json -j2 " .. args, { env = all })
  local doc = json.decode(r.stdout)
  assert(type(doc) == "table", r.stdout .. r.stderr)
  local artifacts = cli.exec(dir, "artifact list --json", { env = all })
  local listed = json.decode(artifacts.stdout)
  if type(listed) == "table" then
    listed = settle(listed, dir)
    table.sort(listed, function(a, b) return tostring(a.name) < tostring(b.name) end)
  end
  return { code = r.code, doc = by_id(settle(doc, dir)), artifacts = listed or artifacts.code,
    tree = cli.exec(dir, "", { shell = TREE }).stdout }
end

local function text_of(v) return json.encode(v, { lossy = true, indent = 2 }) end

-- Was the last run told by the remembered plan?
local function is_partial(dir)
  local plan = cli.exec(dir, "", { shell = "cat .orrery/plans/*.middle 2>/dev/null | head -n1" })
  local line = cli.exec(dir, "", { shell = "sed -n 2p " .. runs.last(dir).path }).stdout
  return plan.stdout ~= "" and plan.stdout == line
end

local function follow(seed, flow, rand, rounds, among)
  local files, used = files_of(flow), 0
  cli.within(function(fast, slow)
    local done = {}
    for round = 1, rounds do
      local line = round > 1 and edit(rand, among) or "true"
      local args = rand(4) == 1 and "-k" or ""
      done[#done + 1] = line .. "  " .. args
      for _, dir in ipairs({ fast, slow }) do cli.exec(dir, "", { shell = line }) end
      for again = 1, 2 do
        local whole, part = run(slow, args, { ORRERY_NO_PLAN = "1" }), run(fast, args)
        if is_partial(fast) then used = used + 1 end
        -- What a failure stops is a matter of the order; with -k nothing is stopped.
        if whole.code == 1 and part.code == 1 and args == "" then
          for _ = 1, 2 do
            whole, part = run(slow, "-k", { ORRERY_NO_PLAN = "1" }), run(fast, "-k")
          end
        end
        local want, have = text_of(whole), text_of(part)
        if want ~= have then
          error(("seed %d, round %d.%d\n%s\n%s\n--- the whole run\n%s\n--- but\n%s"):format(seed,
            round, again, flow, table.concat(done, "\n"), want, have), 0)
        end
      end
    end
  end, files, files)
  return used
end

local function compare(rounds, among)
  local seed = tonumber(os.getenv("ORRERY_SEED") or "") or 4242
  local flows = tonumber(os.getenv("ORRERY_FLOWS") or "") or 3
  local used = 0
  for i = 1, flows do
    local rand = random(seed + i)
    used = used + follow(seed + i, workflow(rand), rand, rounds, among)
  end
  assert(used > flows * rounds // 4, "the short way was hardly ever taken: " .. used)
end

describe("a run in which little changed", function()
  it("does, says and leaves what the whole run would", function() compare(10, edits) end)

  it("puts outputs back as the whole run would", function() compare(8, losses) end)

  local chain = [[
local o = require("orrery")
return o.workflow "w" {
  o.step "a" { run = "cat src/1.txt > out/a", inputs = { "src/1.txt" }, outputs = { "out/a" } },
  o.step "b" { run = "cat out/a > out/b", inputs = { "out/a" }, outputs = { "out/b" } },
  o.step "c" { run = "cat out/b src/2.txt > out/c", inputs = { "out/b", "src/2.txt" },
    outputs = { "out/c" } },
  o.step "d" { run = "cat src/3.txt > out/d", inputs = { "src/3.txt" }, outputs = { "out/d" } },
}
]]

  local function in_folder(fn)
    cli.within(function(dir)
      fn(dir, function(shell)
        return cli.exec(dir, "", { shell = shell, env = { ORRERY_LUA_DIR = "" } })
      end)
    end, files_of(chain))
  end

  it("reads no step that nothing touches, and tells the run as a whole", function()
    in_folder(function(dir, sh)
      sh("$orrery run w")
      cli.check(sh("echo more >> src/2.txt; $orrery run w"),
        { stdout = { "src/2.txt changed", "4 steps: 3 up to date, 1 ran" } })
      assert(is_partial(dir))
      local j = runs.last(dir)
      assert.equal(4, j.run_finished.counts.ok)
      assert.equal(3, j.run_finished.counts.cached)
      assert.equal(1, j.run_finished.counts.ran)
      cli.check(sh("$orrery artifact list"), { stdout = { "out/a", "out/b", "out/c", "out/d" } })
      cli.check(sh("$orrery runs show"), { stdout = "4 steps: 3 up to date, 1 ran" })
      cli.check(sh("$orrery explain c"), { stdout = "src/2.txt changed" })
      cli.check(sh("$orrery run w"), { stdout = "everything up to date" })
    end)
  end)

  -- The steps a run put back by what is remembered, without asking one.
  local function put_back(dir)
    local text = cli.exec(dir, "", { shell = "cat " .. runs.last(dir).path }).stdout
    local n = 0
    for line in text:gmatch("[^\n]+") do
      local ev = json.decode(line)
      if ev.ev == "step_finished" then
        assert.equal("hit", ev.cached)
        n = n + (ev.seconds == 0 and 1 or 0)
      end
    end
    return n
  end

  it("puts outputs back without asking a step", function()
    in_folder(function(dir, sh)
      sh("$orrery run w")
      cli.check(sh("rm out/a out/b out/c out/d; $orrery run w"), { stdout = "4 restored" })
      assert.equal(4, put_back(dir))
      cli.check(sh("cat out/c out/d"), { stdout = "source 1\nsource 2\nsource 3\n" })
      cli.check(sh("$orrery runs show"), { stdout = "4 restored" })
      cli.check(sh("$orrery run w"), { stdout = "everything up to date" })
      cli.check(sh("echo other > out/b; rm out/d; $orrery run w"), { stdout = "2 restored" })
      assert.equal(2, put_back(dir))
      cli.check(sh("cat out/b out/d"), { stdout = "source 1\nsource 3\n" })
      cli.check(sh("$orrery artifact list"), { stdout = { "out/a", "out/b", "out/c", "out/d" } })
    end)
  end)

  it("asks the steps when another result than the remembered one was there last", function()
    in_folder(function(dir, sh)
      sh("$orrery run w; cp src/1.txt keep; echo 1 >> src/1.txt; ORRERY_NO_PLAN=1 $orrery run w")
      cli.check(sh("cp keep src/1.txt; $orrery run w"), { stdout = "restored" })
      assert.equal(0, put_back(dir))
      cli.check(sh("cat out/a; $orrery run w"), { stdout = { "source 1\n", "up to date" } })
    end)
  end)

  it("makes anew what the cache lost, and refuses what it damaged", function()
    in_folder(function(_, sh)
      sh("seq 9000 > src/3.txt; $orrery run w")
      cli.check(sh("for f in $(find .orrery/cache -size +40k -size -60k); do "
        .. "printf xx | dd of=$f bs=1 seek=9000 conv=notrunc; done 2>/dev/null; rm out/d; "
        .. "$orrery run w; cmp out/d src/3.txt"), { code = 0, stdout = "d" })
      cli.check(sh("rm -rf .orrery/cache; rm out/d; $orrery run w; cmp out/d src/3.txt"),
        { code = 0, stdout = "ran" })
    end)
  end)

  it("waits for another that writes the outputs", function()
    in_folder(function(_, sh)
      sh("$orrery run w")
      local held = sh([[cat > hold.lua <<'X'
local file = require("orrery.core.lock").open(".orrery/lock")
local held = assert(file:try("out/d"))
os.execute("rm out/d; timeout 60 $orrery run w > log 2>&1 & ")
os.execute("timeout 60 sh -c 'until grep -q waits.for.another log; do :; done'")
assert(os.execute("test ! -e out/d"))
held:close()
os.execute("timeout 60 sh -c 'until grep -q restored.*wall log; do :; done'")
X
timeout 90 $orrery lua hold.lua; cat log out/d]])
      cli.check(held, { stdout = { "waits for another that writes out/d", "source 3" } })
    end)
  end)

  it("is itself remembered: the next change is followed from there", function()
    in_folder(function(dir, sh)
      sh("$orrery run w")
      for i = 1, 3 do
        cli.check(sh(("echo %d >> src/3.txt; $orrery run w"):format(i)), { stdout = "1 ran" })
        assert(is_partial(dir))
        cli.check(sh("$orrery run w"), { stdout = "everything up to date" })
        assert(is_partial(dir))
      end
    end)
  end)

  it("leaves a failed step to the next run, and takes a revert back", function()
    in_folder(function(_, sh)
      sh("$orrery run w; cp src/1.txt keep")
      cli.check(sh("rm src/1.txt; $orrery run w"), { code = 1, stdout = "a" })
      cli.check(sh("$orrery run w"), { code = 1 })
      cli.check(sh("cp keep src/1.txt; $orrery run w"), { code = 0 })
      cli.check(sh("cat out/c"), { stdout = "source 1\nsource 2\n" })
      cli.check(sh("$orrery run w"), { stdout = "everything up to date" })
    end)
  end)

  it("takes the long way when what it kept is gone or damaged", function()
    for _, damage in ipairs({ "rm .orrery/plans/*.graph", "rm .orrery/plans/*.steps",
      "rm .orrery/plans/*.middle", "rm .orrery/plans/*.registry", "rm -r .orrery/plans",
      "for f in .orrery/plans/*; do printf xx | dd of=$f bs=1 seek=60 conv=notrunc; done",
      "for f in .orrery/plans/*; do : > $f; done", "rm -r .orrery/cache" }) do
      in_folder(function(_, sh)
        sh("$orrery run w")
        cli.check(sh(damage .. " 2>/dev/null; echo 5 >> src/3.txt; $orrery run w"),
          { code = 0, stdout = "ran" })
        cli.check(sh("cat out/d"), { stdout = "source 3\n5\n" })
      end)
    end
  end)

  it("knows the value of a step whose functions are not kept", cli.run {
    files = { ["workflows/w.lua"] = [[
      local o = require("orrery")
      return o.workflow "w" {
        o.step "a" { run = "echo hello", inputs = {}, parse = "text",
          normalize = function(v) return v:sub(1, 1) end },
        o.step "b" { run = "echo {{results.a.value}}; cat src", inputs = { "src" }, needs = "a" },
      }]], src = "one\n" }, args = "run w", code = 0,
    again = { files = { src = "two\n" }, args = "run w", code = 0, stdout = "hello\ntwo\n" } })
end)
