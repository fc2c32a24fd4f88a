-- Bodies: the w object, w:parallel, nested workflows.
local fakes = dofile("tests/lua/fakes.lua")
local loop = require("orrery.kernel.loop")

-- An executor for calls of bodies: runs the function of a call at once, in the task.
local function executor()
  local exec = fakes.exec()
  exec.running, exec.most = 0, 0
  function exec.step(run, step)
    exec.started[#exec.started + 1] = step.id
    run.journal:emit({ ev = "step_started", id = step.id, attempt = 1, kind = step.kind })
    exec.running = exec.running + 1
    exec.most = math.max(exec.most, exec.running)
    local _ <close> = setmetatable({}, { __close = function() exec.running = exec.running - 1 end })
    local value = type(step.action) == "function" and step.action(step) or nil
    local r = { ok = true, status = "ok", value = value, outputs = {}, seconds = 0, attempts = 1 }
    if value == "fail" then
      r = { ok = false, status = "failed", outputs = {}, seconds = 0, attempts = 1,
        allowed = step.allow_failure or nil, error = { class = "exit", message = "exited 1" } }
    end
    run.journal:finished(step, r)
    return r
  end
  return exec
end

local function run(fn, opts, more)
  more = more or {}
  more.body = fn
  opts = opts or {}
  opts.exec = executor()
  opts.jobs = opts.jobs or 4
  return fakes.run({}, opts, more)
end

local function gives(value, takes)
  return function()
    if takes then loop.sleep(takes) end
    return value
  end
end

describe("a body", function()
  after_each(fakes.clean)

  it("suspends at each call and goes on with its record", function()
    local record, exec = run(function(w)
      local a = w:call(gives(2, 1)).value
      local b = w:call(gives(3, 1)).value
      return a * b
    end)
    assert.are.equal(6, record.result)
    assert.are.same({ "call", "call#2" }, exec.started)
    assert.are.equal(2, record.seconds)
    assert.are.equal(0, record.code)
  end)

  it("names its calls after what they call, and takes an id", function()
    local _, exec = run(function(w)
      w:run({ "/usr/bin/make", "x" })
      w:run("cat a | b")
      w:run("cat c", { id = "mine" })
      w:step("own", { run = "true" })
    end)
    assert.are.same({ "run:make", "run:cat", "mine", "own" }, exec.started)
  end)

  it("raises the error of a failed call, with its id", function()
    local record = run(function(w) w:call(gives("fail")) end)
    assert.are.equal(1, record.code)
    assert.are.equal("call", record.errors[1].id)
    assert.are.equal("exited 1", record.errors[1].message)
  end)

  it("may catch it, and is ok", function()
    local record = run(function(w)
      local ok, err = pcall(w.call, w, gives("fail"))
      return { ok = ok, class = err.class }
    end)
    assert.are.equal(0, record.code)
    assert.are.same({ ok = false, class = "exit" }, record.result)
  end)

  it("gets the record of a failure that is allowed", function()
    local record = run(function(w)
      return w:call(gives("fail"), { allow_failure = true }).status
    end)
    assert.are.equal("failed", record.result)
    assert.are.equal(0, record.code)
  end)

  it("that raises fails the run with its place", function()
    local record = run(function() error("oh no") end)
    assert.are.equal(1, record.code)
    assert.equal("oh no", record.errors[1].message)
    assert.matches("body_spec.lua$", record.errors[1].place.file)
  end)

  it("reads params, results and what is left of the budget", function()
    local record = run(function(w)
      w:call(gives(5), { id = "five" })
      return { w.results.five.value, w.budget.left.usd }
    end, {}, { budget = { usd = 3 } })
    assert.are.same({ 5, 3 }, record.result)
  end)

  it("is told about a field of w that does not exist", function()
    local record = run(function(w) return w.nothing end)
    assert.matches("w has no 'nothing'", record.errors[1].message)
  end)

  it("is told about a field of a result that no result has", function()
    local record = run(function(w)
      local r = w:step("x", { for_each = { "a", "b" }, run = "true" })
      return #r.members
    end)
    assert.are.equal(1, record.code)
    assert.truthy(record.errors[1].message:find("a result has no 'members'; it has ok, status, "
      .. "values, failed, passed, skipped, results, value, winner", 1, true))
    record = run(function(w) return w:run("true").stdot end)
    assert.truthy(record.errors[1].message:find("no 'stdot'; did you mean 'stdout'?", 1, true))
    record = run(function(w)
      local r = w:parallel("p", { 1 }, function() return w:run("true") end)
      return { r.winner == nil, r.results[1].exit == nil, r.results[1].seconds }
    end)
    assert.are.same({ true, true, 0 }, record.result)
  end)

  it("gives its records on as values", function()
    local record = run(function(w)
      local r = w:step("x", { for_each = { "a", "b" }, run = "true" })
      return { r, seen = r }
    end)
    assert.are.equal(0, record.code)
    assert.are.equal("ok", record.result.seen.results[2].status)
  end)

  it("that returns what is no value fails with the path of it", function()
    local record = run(function() return { list = { 1, print } } end)
    assert.are.equal(1, record.code)
    assert.are.equal("its value.list[2]: cannot pass a function", record.errors[1].message)
    record = run(function()
      local round = {}
      round.again = round
      return round
    end)
    assert.are.equal("its value.again: cannot pass a table that contains itself",
      record.errors[1].message)
    record = run(function(w)
      return w:parallel("p", { 1, 2 }, function(i) return i == 1 and w or i end).failed
    end)
    assert.are.same({ "p[1]" }, record.result)
  end)

  it("with a dot for a colon is told so", function()
    local record = run(function(w) w.run("true") end)
    assert.matches("use a colon: w:run", record.errors[1].message)
    assert.matches("body_spec.lua$", record.errors[1].place.file)
  end)

  it("that calls inside gsub is told so", function()
    local record = run(function(w)
      return (("abc"):gsub("b", function() return w:call(gives("x")).value end))
    end)
    local e = record.errors[1]
    assert.matches("w:call inside string.gsub; collect the matches first", e.message)
    assert.matches("body_spec.lua$", e.place.file)
  end)

  it("with a wrong field is told its place", function()
    local record = run(function(w) w:call(gives(1), { inptus = {} }) end)
    local e = record.errors[1]
    assert.matches("unknown field 'inptus'; did you mean 'inputs'%?", e.message)
    assert.matches("body_spec.lua$", e.place.file)
    assert.is_truthy(e.place.line)
  end)

  it("is cancelled with all it started, and finally runs", function()
    local record, exec = run(function(w)
      w:parallel("p", { 1, 2 }, function() return w:call(gives(1, 100)) end)
    end, { timeout = 5 }, { finally = { { id = "f" } } })
    assert.are.equal(124, record.code)
    assert.are.equal("cancelled", record.steps["p[1]/call"].status)
    assert.are.equal("f", exec.started[#exec.started])
    assert.are.equal(5, record.seconds)
  end)

  it("keeps artifacts", function()
    local record = run(function(w)
      w:artifact("notes/a.json", { 1, 2 })
      return w:artifact("b.md", "# b\n")
    end)
    local fs = require("orrery.core.fs")
    assert.are.equal("# b\n", fs.read(record.result))
    assert.are.equal("[\n  1,\n  2\n]\n", fs.read(record.dir .. "/artifacts/notes/a.json"))
    assert.is_truthy(fs.read(record.dir .. "/registry.json"):find("notes/a.json", 1, true))
  end)

  it("keeps no artifact outside the run", function()
    local record = run(function(w) w:artifact("../x", "y") end)
    assert.matches("relative path without", record.errors[1].message)
  end)
end)

describe("w:parallel", function()
  after_each(fakes.clean)

  it("gives values in item order, whatever ended first", function()
    local record = run(function(w)
      return w:parallel("p", { 3, 1, 2 }, function(n)
        return w:call(gives(n * 10, n)).value
      end).values
    end)
    assert.are.same({ 30, 10, 20 }, { table.unpack(record.result) })
    assert.are.equal(3, record.seconds)
  end)

  it("runs at most limit items at once", function()
    local record, exec = run(function(w)
      w:parallel("p", { 1, 2, 3, 4 }, function() w:call(gives(1, 1)) end, { limit = 2 })
    end)
    assert.are.equal(2, exec.most)
    assert.are.equal(2, record.seconds)
  end)

  it("is bounded by jobs too", function()
    local _, exec = run(function(w)
      w:parallel("p", { 1, 2, 3, 4 }, function() w:call(gives(1, 1)) end)
    end, { jobs = 3 })
    assert.are.equal(3, exec.most)
  end)

  it("lets an error fail its item only", function()
    local record = run(function(w)
      local p = w:parallel("p", { "a", "b", "c" }, function(v)
        if v == "b" then error("no b") end
        return v
      end)
      return { p.values, #p.failed, p.failed[1], p.ok }
    end)
    assert.are.same({ "a", "c" }, { table.unpack(record.result[1]) })
    assert.are.same({ 1, "p[b]", false }, { record.result[2], record.result[3], record.result[4] })
    assert.are.equal(0, record.code)
  end)

  it("raises when a policy of its own says that it failed", function()
    local record = run(function(w)
      w:parallel("p", { 1, 2 }, function() error("x") end, { policy = { "quorum", need = 1 } })
    end)
    assert.are.equal(1, record.code)
    assert.matches("p: 0 of 2 succeeded, 1 were needed", record.errors[1].message)
  end)

  it("is ok with nothing to do", function()
    local record = run(function(w)
      local p = w:parallel("p", {}, function() error("never") end)
      return { p.ok, #p.values }
    end)
    assert.are.same({ true, 0 }, record.result)
  end)

  it("labels items by a function", function()
    local _, exec = run(function(w)
      w:parallel("p", { { n = "x" }, { n = "y" } }, function() w:call(gives(1)) end,
        { label = function(item) return item.n end, limit = 1 })
    end)
    assert.are.same({ "p[x]/call", "p[y]/call" }, exec.started)
  end)

  it("nests", function()
    local record = run(function(w)
      return w:parallel("p", { 1, 2 }, function(a)
        return w:parallel("q", { 10, 20 }, function(b) return a + b end).values[2]
      end).values
    end)
    assert.are.same({ 21, 22 }, { table.unpack(record.result) })
  end)

  it("races", function()
    local record = run(function(w)
      local p = w:parallel("p", { 5, 1, 9 }, function(n) return w:call(gives(n, n)).value end,
        { policy = "race" })
      return { p.value, p.winner }
    end)
    assert.are.same({ 1, "p[1]" }, record.result)
    assert.are.equal(1, record.seconds)
  end)
end)
