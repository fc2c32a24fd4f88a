-- Services: a server of our own (tests/c/server.c) runs while steps that need it do.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")

local SERVER = cli.binary():gsub("[^/]*$", "tests/server")

-- A workflow whose file knows where the server is.
local function workflow(steps)
  return runs.workflow(steps, ("local server = %q"):format(SERVER))
end

-- A service "db" and a step "use" that asks it something.
local DB = [[
  o.step "db" { service = { server, "{{port}}", "--note", "notes" } },
]]
local USE = [[
  o.step "use" { needs = "db", inputs = { "in" },
    run = { server, "--ask", "{{services.db.port}}", "hello" } },
]]

local function notes(dir) return cli.read(dir .. "/notes") or "" end

local function ready(j)
  local out = {}
  for _, e in ipairs(j.events) do
    if e.ev == "service_ready" then out[e.id] = e end
  end
  return out
end

local function count(j, ev)
  local n = 0
  for _, e in ipairs(j.events) do
    if e.ev == ev then n = n + 1 end
  end
  return n
end

describe("a service", function()
  it("starts when a step that needs it really runs, and not when all of them are hits", cli.run {
    files = { ["workflows/w.lua"] = workflow(DB .. USE), ["in"] = "1" },
    args = "run w", stdout = { "heard hello", "ready", "on port" },
    after = function(dir)
      assert.equal("start\nstop\n", notes(dir))
      local j = runs.last(dir)
      assert.equal("ok", j.steps.db.status)
      assert.is_true(ready(j).db.port > 1023)
    end,
    again = { args = "run w", stdout = "2 steps: everything up to date",
      after = function(dir) assert.equal("start\nstop\n", notes(dir)) end,
      again = { files = { ["in"] = "2" }, args = "run w", stdout = "in changed",
        after = function(dir) assert.equal(("start\nstop\n"):rep(2), notes(dir)) end } },
  })

  it("starts once, however many need it, and takes no job slot", cli.run {
    files = { ["workflows/w.lua"] = workflow(DB .. [[
      o.step "each" { needs = "db", matrix = { n = { 1, 2, 3, 4 } },
        run = { server, "--ask", "{{services.db.port}}", "{{matrix.n}}" } },
    ]]) },
    args = "run w -j1",
    after = function(dir)
      assert.equal("start\nstop\n", notes(dir))
      assert.equal(1, count(runs.last(dir), "service_ready"))
      assert.equal("heard 3\n", runs.last(dir).steps["each[3]"].stdout)
    end,
  })

  it("ends before what comes after its last dependant", cli.run {
    files = { ["workflows/w.lua"] = workflow(DB .. [[
      o.step "use" { needs = "db", run = { server, "--ask", "{{services.db.port}}", "a" } },
      o.step "late" { needs = "use", run = "until grep -q stop notes; do sleep 0.01; done" },
    ]]) },
    args = "run w --timeout 60", after = function(dir) assert.equal("start\nstop\n", notes(dir)) end,
  })
end)
