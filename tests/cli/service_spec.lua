-- Services: a server of our own (tests/c/server.c) runs while steps that need it do.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")

local SERVER = cli.binary():gsub("[^/]*$", "tests/server")

-- A workflow whose file knows where the server is.
local function workflow(steps)
  return cli.workflow(steps, ("local server = %q"):format(SERVER))
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

  it("is not started by what only looks: plan says who needs it", cli.run {
    files = { ["workflows/w.lua"] = workflow(DB .. USE), ["in"] = "1" },
    args = "plan w", stdout = { "use needs it" },
    after = function(dir) assert.equal("", notes(dir)) end,
    again = { args = "run w", again = { args = "plan w", stdout = "!needs it" } },
  })

  it("has its spec in the keys of its dependants, its port not", cli.run {
    files = { ["workflows/w.lua"] = workflow(DB .. [[
      o.step "use" { needs = "db", inputs = {}, env = { PORT = "{{services.db.port}}" },
        run = 'test "$PORT" -gt 1023 && test "$PORT" = {{services.db.port}} && echo ok' },
    ]]) },
    args = "run w", stdout = "ok\n",
    again = { args = "run w", stdout = "everything up to date",
      again = { files = { ["workflows/w.lua"] = workflow(DB:gsub('"notes"', '"notes2"') .. [[
        o.step "use" { needs = "db", inputs = {}, env = { PORT = "{{services.db.port}}" },
          run = 'test "$PORT" -gt 1023 && test "$PORT" = {{services.db.port}} && echo ok' },
      ]]) }, args = "run w", stdout = "2 steps: 2 ran" } },
  })

  it("gives each service a port of its own, also members of a matrix", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { matrix = { v = { 1, 2, 3 } }, service = { server, "{{port}}", "--note", "n{{matrix.v}}" } },
      o.step "other" { service = { server, "{{port}}" } },
      o.step "use" { needs = { "db", "other" }, inputs = {},
        run = { "echo", '{{services["db[1]"].port}}', '{{services["db[2]"].port}}' } },
    ]] },
    args = "run w",
    after = function(dir)
      local seen, n = {}, 0
      for id, e in pairs(ready(runs.last(dir))) do
        assert.is_nil(seen[e.port], id)
        seen[e.port], n = true, n + 1
      end
      assert.equal(4, n)
      assert.equal("start\nstop\n", cli.read(dir .. "/n3"))
    end,
  })

  it("starts after the services it needs and ends before them", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { service = { server, "{{port}}", "--note", "notes" } },
      o.step "api" { needs = "db", env = { DB = "{{services.db.port}}" },
        service = "echo api $DB >> notes; exec " .. server .. " {{port}} --note notes" },
      o.step "use" { needs = "api", run = { server, "--ask", "{{services.api.port}}", "x" } },
    ]] },
    args = "run w", stdout = "heard x",
    after = function(dir)
      local j = runs.last(dir)
      assert.equal(("start\napi %d\nstart\nstop\nstop\n"):format(ready(j).db.port), notes(dir))
      assert.equal("use api db", runs.order(j, "step_finished"))
    end,
  })

  it("is made by steps before it, and by its inputs", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "build" { run = "cp src bin", inputs = { "src" }, outputs = { "bin" } },
      o.step "db" { needs = "build", inputs = { "bin" }, service = { server, "{{port}}" } },
      o.step "use" { needs = "db", inputs = {}, run = { server, "--ask", "{{services.db.port}}", "x" } },
    ]], src = "1" },
    args = "run w", again = { args = "run w", stdout = "everything up to date",
      again = { files = { src = "2" }, args = "run w", stdout = "3 steps: 3 ran" } },
  })

  it("of a nested workflow belongs to it; the outer one's reach into it, lazily", cli.run {
    files = { ["workflows/w.lua"] = workflow(DB .. [[
      o.step "in" { needs = "db", workflow = "inner", with = { port = "{{services.db.port}}" } } ]]),
      ["workflows/inner.lua"] = 'local server = "' .. SERVER .. [["
      local o = require("orrery")
      return o.workflow "inner" { params = { port = "" },
        o.step "own" { service = { server, "{{port}}", "--note", "own" } },
        o.step "ask" { needs = "own", inputs = {}, run = server .. " --ask {{params.port}} outer; "
          .. server .. " --ask {{services.own.port}} inner" } } ]] },
    args = "run w", stdout = { "heard outer", "heard inner" },
    after = function(dir)
      assert.equal("start\nstop\n", notes(dir))
      assert.equal("start\nstop\n", cli.read(dir .. "/own"))
    end,
    again = { args = "run w", after = function(dir) assert.equal("start\nstop\n", notes(dir)) end },
  })

  it("comes along with --only, for it is no work of its own", cli.run {
    files = { ["workflows/w.lua"] = workflow(DB .. USE), ["in"] = "1" },
    args = "run w use --only", stdout = "heard hello",
  })

  it("named alone runs until it is told to end", cli.run {
    files = { ["workflows/w.lua"] = workflow(DB .. USE), ["in"] = "1" },
    shell = runs.SHELL .. [[start run w db; poll 'grep -q ready out'; kill -INT $pid; wait $pid]],
    code = 130, after = function(dir) assert.equal("start\nstop\n", notes(dir)) end,
  })

  it("keeps its log, and shows it when it is asked for", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { service = { server, "{{port}}", "--say", "here I am" } },
      o.step "use" { needs = "db", run = { server, "--ask", "{{services.db.port}}", "x" } },
    ]] },
    args = "run w", stdout = "!here I am", again = { args = "log db", stdout = "here I am" },
  })

  it("is told of in the document and in the stream of events", cli.run {
    files = { ["workflows/w.lua"] = workflow(DB .. USE), ["in"] = "1" },
    args = "run w --json --events ev",
    after = function(dir, r)
      assert.truthy(cli.read(dir .. "/ev"):find('"ev":"service_ready","id":"db","port":', 1, true))
      assert.truthy(r.stdout:find('"id": ?"db"'))
    end,
  })

  it("is shown by show, graph and env", cli.run {
    files = { ["workflows/w.lua"] = workflow([[
      o.step "db" { service = { server, "{{port}}" }, ready = { http = "/up", timeout = "5s" },
        stop = { signal = "INT" } },
    ]] .. USE), ["in"] = "1" },
    args = "show w db", stdout = { "service", "{{port}}", "http /up, within 5s", "INT, killed after 2s" },
    again = { args = "graph w", stdout = "db", again = { args = "env w db" } },
  })

  it("that its condition skips has no port to read; who only needs it runs", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { when = "false == true", service = { server, "{{port}}" } },
      o.step "needs" { needs = "db", run = "echo ran" },
      o.step "reads" { needs = "db", run = "echo {{services.db.port}}" },
    ]] }, args = "run w -k", code = 1, stdout = "ran",
    stderr = "reads: it reads the port of service 'db', which is not up",
  })

  it("is started again by resume, for what is left to do", cli.run {
    files = { ["workflows/w.lua"] = workflow(DB .. [[
      o.step "one" { needs = "db", run = { server, "--ask", "{{services.db.port}}", "one" } },
      o.step "two" { needs = { "db", "one" }, run = "test -e go && " .. server
        .. " --ask {{services.db.port}} two" },
    ]]) }, args = "run w", code = 1, stdout = "heard one",
    again = { shell = "touch go; $orrery resume", stdout = { "heard two", "!first run" },
      after = function(dir)
        assert.equal(("start\nstop\n"):rep(2), notes(dir))
        assert.equal("resumed", runs.last(dir).steps.one.cached)
      end },
  })

  it("holds no place in a group: not under a limit, nor a policy that waits for each", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.group "g" { limit = 1, policy = function(g)
          for unit in g:ready() do g:start(unit); g:wait(unit) end
        end,
        o.step "db" { service = { server, "{{port}}", "--note", "notes" } },
        o.step "a" { needs = "db", run = { server, "--ask", "{{services.db.port}}", "a" } },
        o.step "b" { needs = "db", run = { server, "--ask", "{{services.db.port}}", "b" } },
      },
    ]] }, args = "run w --timeout 60", stdout = { "heard a", "heard b" },
    after = function(dir) assert.equal("start\nstop\n", notes(dir)) end,
  })

  it("gives a function its port", cli.run {
    files = { ["workflows/w.lua"] = workflow(DB .. [[
      o.step "use" { needs = "db", with = { port = "{{services.db.port}}" },
        call = function(ctx) return math.type(ctx.with.port) end },
      o.step "say" { needs = "use", run = { "echo", "{{results.use.value}}" } },
    ]]) }, args = "run w", stdout = "integer",
  })
end)

describe("a service is ready", function()
  local function asks(question, more)
    return workflow(([[
      o.step "db" { service = { server, "{{port}}", "--wait", "go", "--say", "now at {{port}}", %s }, ready = { %s } },
      o.step "go" { run = "until test -s .started; do sleep 0.01; done; echo > go" },
      o.step "use" { needs = "db", run = { server, "--ask", "{{services.db.port}}", "x" } },
    ]]):format(more or "", question))
  end
  local function case(question, more)
    return cli.run {
      files = { ["workflows/w.lua"] = asks(question, more) },
      shell = [[echo > .started; $orrery run w]], stdout = { "heard x", "ready" },
    }
  end
  it("when a port accepts", case 'tcp = "{{port}}"')
  it("when a host and port accept", case 'tcp = "localhost:{{port}}"')
  it("when http answers well", case 'http = "http://127.0.0.1:{{port}}/health"')
  it("when http answers well at a path of its port", case 'http = "/health"')
  it("when its output matches", case 'log = "now at \\\\d+"')
  it("when a command succeeds", case 'run = { server, "--ask", "{{port}}", "GET /" }')
  it("when a shell's command succeeds", case 'run = "test -e go && " .. server .. " --ask {{port}} hi"')

  it("not before http answers well: it fails with its log, what needs it is blocked", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { service = { server, "{{port}}", "--say", "my log", "--status", "503", "--note", "notes" },
        ready = { http = "/", timeout = "300ms" } },
      o.step "use" { needs = "db", run = "echo used > used" },
      o.step "more" { needs = "use", run = "echo more > used" },
    ]] }, args = "run w -k", code = 1,
    stderr = { "db: was not ready within 300ms", "503", "workflows/w.lua:4" }, stdout = "my log",
    after = function(dir)
      assert.is_nil(cli.read(dir .. "/used"))
      assert.equal("start\nstop\n", notes(dir))
      assert.equal("failed", runs.last(dir).steps.db.status)
    end,
  })

  it("never, when it exits before", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { service = "echo oops {{port}}; exit 3" },
      o.step "use" { needs = "db", run = "echo used > used" },
    ]] }, args = "run w", code = 1, stderr = "db: exited 3 before it was ready", stdout = "oops",
    after = function(dir) assert.is_nil(cli.read(dir .. "/used")) end,
  })

  it("never, when its program is not there", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { service = { "./no-such-program" } },
      o.step "use" { needs = "db", run = "true" },
    ]] }, args = "run w", code = 1, stderr = { "db: could not be started", "no-such-program" },
  })

  it("never, when the question cannot be asked", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { service = { "sleep", "100" }, ready = { tcp = "example.org:80" } },
      o.step "use" { needs = "db", run = "true" },
    ]] }, args = "run w", code = 1, stderr = "'example.org' is no address",
    again = { files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { service = { "sleep", "100" }, ready = { http = "https://localhost/" } },
      o.step "use" { needs = "db", run = "true" },
    ]] }, args = "run w", code = 1, stderr = { "https is not spoken here", "curl" } },
  })
end)

describe("a service that dies while others use it", function()
  it("is told of, fails, and their failure names it", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { service = { server, "{{port}}" } },
      o.step "use" { needs = "db",
        run = server .. " --ask {{services.db.port}} 'exit 5'; until test -s go; do sleep 0.01; done; exit 1" },
      o.step "late" { needs = "db", after = "use", run = "echo late > late" },
    ]] },
    shell = runs.SHELL .. [[start run w -k; poll 'grep -q "service db exited" err'; echo > go
      wait $pid; code=$?; cat out; cat err >&2; exit $code]],
    code = 1, stderr = { "service db exited 5 while use ran", "use: exit 1; service 'db' was gone by then",
      "db: exited 5" },
    after = function(dir) assert.is_nil(cli.read(dir .. "/late")) end,
  })
end)

describe("a service never outlives the run", function()
  local HELD = [[
    o.step "db" { service = "(trap '' TERM; sleep 1000) & setsid sleep 1000 & exec " .. server
      .. " {{port}} --note notes", %s },
    o.step "use" { needs = "db", run = "echo > began; %s" },
  ]]
  -- The pipe 'held' is open in the service's whole tree: its reader ends when all are gone.
  local function gone(step, shell, code, stop)
    return cli.run {
      files = { ["workflows/w.lua"] = workflow(HELD:format(stop or 'stop = { grace = "100ms" }', step)) },
      shell = runs.SHELL .. [[
        mkfifo held; cat held > rest & reader=$!
        exec 3>held; start run w --timeout 60; exec 3>&-; ]] .. shell .. [[
        wait $pid; code=$?; gone $reader; exit $code]],
      code = code,
    }
  end
  it("when all went well", gone("true", "", 0))
  it("when a step failed", gone("exit 4", "", 1))
  it("when it is interrupted", gone("exec sleep 1000", "await began; kill -INT $pid;", 130))
  it("when it is told to end", gone("exec sleep 1000", "await began; kill -TERM $pid;", 143))
  it("when it is killed", gone("exec sleep 1000", "await began; kill -KILL $pid;", 137))
  it("when only its engine is killed", gone("exec sleep 1000",
    "await began; kill -KILL $(cat /proc/$pid/task/$pid/children);", 137))

  it("is ended with the signal it wants", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { service = { server, "{{port}}", "--note", "notes", "--deaf" }, stop = { signal = "INT" } },
      o.step "use" { needs = "db", run = "true" },
    ]] }, args = "run w", after = function(dir) assert.equal("start\nstop\n", notes(dir)) end,
  })

  it("is killed when it does not end within its grace", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { service = { server, "{{port}}", "--note", "notes", "--deaf" }, stop = { grace = "50ms" } },
      o.step "use" { needs = "db", run = "true" },
    ]] }, args = "run w", after = function(dir) assert.equal("start\n", notes(dir)) end,
  })

  it("ends when the time of the run is over", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "db" { service = { server, "{{port}}", "--note", "notes" } },
      o.step "use" { needs = "db", run = "sleep 1000" },
    ]] }, args = "run w --timeout 500ms", code = 124,
    after = function(dir) assert.equal("start\nstop\n", notes(dir)) end,
  })

  it("is there for finally steps that use it", cli.run {
    files = { ["workflows/w.lua"] = workflow(DB .. [[
      o.step "use" { needs = "db", run = "exit 1" },
      finally = { o.step "clean" { run = { server, "--ask", "{{services.db.port}}", "bye" } } },
    ]]) }, args = "run w", code = 1, stdout = "heard bye",
    after = function(dir) assert.equal("start\nstop\n", notes(dir)) end,
  })
end)

describe("a body", function()
  it("holds a service while its variable lives, started when a call really runs", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      body = function(w)
        do
          local db <close> = w:service("db", { service = { server, "{{port}}", "--note", "notes" } })
          w:run({ server, "--ask", db.port, w.params.word }, { id = "ask", inputs = {} })
        end
        w:run("cat notes > seen", { id = "look", inputs = { "notes" }, outputs = { "seen" } })
      end, params = { word = "one" },
    ]] },
    args = "run w", stdout = "heard one",
    after = function(dir) assert.equal("start\nstop\n", cli.read(dir .. "/seen")) end,
    again = { args = "run w", after = function(dir) assert.equal("start\nstop\n", notes(dir)) end,
      again = { args = "run w -p word=two", stdout = "heard two" } },
  })

  it("raises when the service does not come up", cli.run {
    files = { ["workflows/w.lua"] = workflow [[
      body = function(w)
        local db <close> = w:service("exit 3", { id = "db", ready = { tcp = 1 } })
        w:run("echo used > used")
      end,
    ]] }, args = "run w", code = 1, stderr = "service 'db' exited 3 before it was ready",
    after = function(dir) assert.is_nil(cli.read(dir .. "/used")) end,
  })
end)
