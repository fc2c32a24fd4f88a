-- The engine works while processes run: what that may not change, as the journal of the real
-- binary tells it.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")
local workflow = cli.workflow

-- "started a", "finished a", … in the order of the journal.
local function order(dir)
  local out = {}
  for _, e in ipairs(runs.last(dir).events) do
    local what = e.ev:match("^step_(.*)")
    if what then out[#out + 1] = what .. " " .. e.id end
  end
  return out
end

local function at(list, what)
  for i, one in ipairs(list) do
    if one == what then return i end
  end
end

local function w(steps, before) return { ["workflows/w.lua"] = workflow(steps, before) } end

-- Waits for what the journal tells.
local function await(pattern)
  return ("until grep -q '%s' .orrery/runs/*/journal.jsonl; do sleep 0.02; done"):format(pattern)
end

describe("while processes run", function()
  it("the journal tells of no more of them than -j, and of an end before what it made room for",
    cli.run { files = w([[ o.step "m" { matrix = { i = { 1, 2, 3, 4, 5, 6, 7, 8 } }, run = "true" } ]]),
      args = "run w -j2", after = function(dir)
        assert.equal(2, runs.most_at_once(runs.last(dir)))
        for id in pairs(runs.last(dir).steps) do
          assert.is_true(at(order(dir), "started " .. id) < at(order(dir), "finished " .. id))
        end
      end })

  it("a single place is free only when all of an end is done", cli.run {
    files = w([[ o.step "a" { run = "echo 1 > x" }, o.step "b" { run = "cat x" },
      o.step "c" { run = "cat x" } ]]), args = "run w -j1", after = function(dir)
      assert.same({ "started a", "finished a", "started b", "finished b", "started c",
        "finished c" }, order(dir))
    end,
  })

  it("never more of them run than -j says", cli.run {
    files = w([[ (function()
      local list = {}
      for i = 1, 40 do
        list[i] = o.step("s" .. i) { run = "mkdir p1 2>/dev/null && exec rmdir p1; "
          .. "mkdir p2 2>/dev/null && exec rmdir p2; mkdir p3 2>/dev/null && exec rmdir p3; exit 1" }
      end
      return list
    end)() ]]), args = "run w -j3",
  })

  it("a failure keeps back what waits, also one that is found after the process", function()
    for _, bad in ipairs({ 'run = "exit 3"', 'run = "true", outputs = "never"',
      'run = "true", gate = { check = function() return false, "no" end }',
      'run = "echo {", parse = "json"' }) do
      cli.run({ files = w(([[ o.step "bad" { %s }, o.step "other" { run = "%s" },
        o.step "later" { run = "true" } ]]):format(bad, await('step_finished.*\\"bad\\"'))),
        args = "run w -j2", code = bad:find("gate") and 4 or 1, after = function(dir)
          local list = order(dir)
          assert.is_nil(at(list, "started later"), bad)
          assert.is_truthy(at(list, "skipped later"), bad)
        end })()
    end
  end)

  it("a success that decides keeps back what waits", cli.run {
    files = w([[ o.group "g" { policy = "race",
      o.group "inner" { policy = "stop", o.step "wins" { run = "true" } },
      o.step "slow" { run = "exec sleep 1000" }, o.step "later" { run = "true" } } ]]),
    args = "run w -j2", after = function(dir)
      assert.is_nil(at(order(dir), "started later"))
    end,
  })

  it("a policy of one's own is asked when an end is known", cli.run {
    files = { ["workflows/w.lua"] = workflow([[ policy = "two", o.step "a" { run = "true" },
      o.step "b" { run = "]] .. await('step_finished.*\\"a\\"') .. [[" }, o.step "c" { run = "true" } ]]),
      ["lua/two.lua"] = [[return function(g)
        for unit in g:ready({ ends = function() return g.passed > 0 end }) do g:start(unit) end
        return g:settle()
      end]] }, args = "run w -j2", after = function(dir)
      assert.is_nil(at(order(dir), "started c"))
    end,
  })

  it("a start that fails is a failed step in words, beside others as alone", cli.run {
    files = { ["workflows/w.lua"] = workflow([[ o.step "other" { run = "]]
      .. await('step_finished.*\\"bad\\"') .. [[" }, o.step "bad" { run = "./script" } ]]),
      script = "#!/no/such/interpreter\n" }, args = "run w -j2", code = 1,
    stderr = "the interpreter of", after = function(dir)
      assert.equal(127, runs.last(dir).steps.bad.exit)
    end,
  })
end)
