-- What a failure, a limit or a resource means for the rest, as the journal of the real
-- binary tells it.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")
local workflow = cli.workflow

local function status(dir, want)
  local j = runs.last(dir)
  local skipped = {}
  for _, e in ipairs(j.events) do
    if e.ev == "step_skipped" then skipped[e.id] = e.why end
  end
  for id, s in pairs(want) do
    local have = j.steps[id] and j.steps[id].status or skipped[id] and "skipped:" .. skipped[id] or "none"
    assert.equal(s, have, "status of " .. id)
  end
  return j
end

local function w(steps, before) return { ["workflows/w.lua"] = workflow(steps, before) } end

describe("policy", function()
  local failing = [[
    o.step "bad" { run = "exit 3" },
    o.step "next" { needs = "bad", run = "echo" },
    o.step "order" { after = "bad", run = "echo" },
    o.step "other" { run = "until grep -q 'step_finished.*\"bad\"' .orrery/runs/*/journal.jsonl; do sleep 0.02; done" },
    o.step "later" { needs = "other", run = "echo" },
  ]]

  it("stop lets finish what runs and starts nothing more", cli.run {
    files = w(failing), args = "run w -j2", code = 1, after = function(dir)
      status(dir, { bad = "failed", other = "ok", next = "skipped:failed", later = "skipped:stopped" })
    end,
  })

  it("settled does all that does not need the failed; so does -k", cli.run {
    files = w('policy = "settled",' .. failing), args = "run w -j2", code = 1, after = function(dir)
      status(dir, { bad = "failed", other = "ok", next = "skipped:failed", order = "ok", later = "ok" })
    end,
    again = { files = w(failing), args = "run w -j2 -k", code = 1, after = function(dir)
      status(dir, { bad = "failed", other = "ok", next = "skipped:failed", order = "ok", later = "ok" })
    end },
  })

  it("fail_fast cancels what runs", cli.run {
    files = w([[ o.group "g" { policy = "fail_fast",
      o.step "bad" { run = "until test -s on; do sleep 0.02; done; exit 3" },
      o.step "slow" { run = "echo 1 > on; exec sleep 1000" } },
      o.step "end" { after = "g", when = "failure()", call = function(ctx)
        local g = ctx.results.g
        return { g.status, #g.failed, g.results[2].status }
      end } ]]), args = "run w -j2 -k", code = 1, after = function(dir)
      local j = status(dir, { bad = "failed", slow = "cancelled", ["end"] = "ok" })
      assert.same({ "failed", 1, "cancelled" }, j.steps["end"].value)
    end,
  })

  it("race takes the first success and cancels the rest", cli.run {
    files = w([[ o.group "g" { policy = "race",
      o.step "loses" { run = "echo 1 > on; exec sleep 1000" },
      o.step "fails" { run = "exit 1" },
      o.step "wins" { run = "until test -s on && grep -q 'step_finished.*\"fails\"' .orrery/runs/*/journal.jsonl; "
          .. "do sleep 0.02; done; echo won", parse = "text" } },
      o.step "end" { needs = "g", run = "echo {{results.g.winner}} {{results.g.value}}", parse = "text" } ]]),
    args = "run w -j3", after = function(dir)
      local j = status(dir, { loses = "cancelled", fails = "failed", wins = "ok" })
      assert.equal("wins won", j.steps["end"].value)
    end,
  })

  it("race is won at once by what the cache has", cli.run {
    files = w([[ o.group "g" { policy = "race",
      o.step "slow" { run = "test -e go && exec sleep 1000; exit 1" },
      o.step "kept" { run = "echo kept", inputs = {} } } ]]),
    args = "run w -j1", again = { shell = "touch go; $orrery run w", stdout = "1 up to date" },
  })

  it("quorum is good with enough successes; the rest finishes or is cancelled", cli.run {
    files = w([[
      o.group "q" { policy = { "quorum", need = 2, rest = "cancel" },
        o.step "a" { run = "until test -s on; do sleep 0.02; done" }, o.step "b" { run = "until test -s on; do sleep 0.02; done" },
        o.step "c" { run = "echo 1 > on; exec sleep 1000" } },
      o.group "r" { policy = { "quorum", need = "50%" }, after = "q",
        o.step "d" { run = "exit 1" }, o.step "e" { run = "echo" }, o.step "f" { run = "echo" } },
      o.step "end" { needs = { "q", "r" }, run = "echo" } ]]),
    args = "run w -j3", after = function(dir)
      status(dir, { a = "ok", b = "ok", c = "cancelled", d = "failed", e = "ok", f = "ok", ["end"] = "ok" })
    end,
  })

  it("quorum that cannot be reached fails and starts nothing more", cli.run {
    files = w([[ policy = { "quorum", need = 2 },
      o.step "a" { run = "exit 1" }, o.step "b" { run = "exit 1" }, o.step "c" { run = "echo" } ]]),
    args = "run w -j1", code = 1, after = function(dir) status(dir, { c = "skipped:stopped" }) end,
  })

  it("of one's own is a Lua module of the project", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ policy = { "acme.canary", first = 1 },
        o.step "a" { run = "exit 1" }, o.step "b" { run = "echo" } ]],
      ["lua/acme/canary.lua"] = [[return function(g, opt)
        local n = 0
        for unit in g:ready({ order = "first" }) do
          n = n + 1
          g:start(unit)
          local r = g:wait(unit)
          if n == opt.first and not r.ok then g:fail("the canary died") break end
        end
        g:settle()
      end]] },
    args = "run w", code = 1, after = function(dir) status(dir, { a = "failed", b = "skipped:stopped" }) end,
  })
end)

describe("how many run at once", function()
  local six = [[ o.step "m" { matrix = { i = { 1, 2, 3, 4, 5, 6 } }, run = "sleep 0.02" } ]]

  it("is -j", cli.run { files = w(six), args = "run w -j2",
    after = function(dir) assert.equal(2, runs.most_at_once(runs.last(dir))) end,
    again = { args = "run w -j1", after = function(dir) assert.equal(1, runs.most_at_once(runs.last(dir))) end } })

  it("is the group's limit", cli.run {
    files = w([[ o.group "g" { limit = 1, o.step "a" { run = "sleep 0.02" }, o.step "b" { run = "sleep 0.02" },
      o.step "c" { matrix = { i = { 1, 2 } }, run = "sleep 0.02" } } ]]), args = "run w -j4",
    after = function(dir) assert.equal(1, runs.most_at_once(runs.last(dir))) end,
  })

  it("is a fan-out's limit", cli.run {
    files = w((six:gsub("run =", "limit = 3, run ="))), args = "run w -j6",
    after = function(dir) assert.is_true(runs.most_at_once(runs.last(dir)) <= 3) end,
  })

  it("is what resources allow", cli.run {
    files = w([[ o.step "g" { matrix = { i = { 1, 2, 3 } }, resources = { gpu = 1 }, run = "sleep 0.02" },
      o.step "free" { run = "sleep 0.02" } ]]), args = "run w -j4 --resources gpu=1",
    after = function(dir)
      assert.equal(1, runs.most_at_once(runs.last(dir), function(id) return id:find("^g") end))
    end,
    again = { args = "run w --resources gpu=0", code = 3, stderr = "gpu" },
  })
end)

describe("fan-out", function()
  it("makes a member of each, in item order, one of which may fail", cli.run {
    files = w([[ policy = "settled",
      o.step "list" { run = "printf 'x\ny\nz\n'", parse = "lines" },
      o.step "each" { needs = "list", for_each = "{{results.list.value}}", run = "echo {{item}}; test {{item}} != y", parse = "text" },
      o.step "none" { for_each = {}, run = "exit 1" },
      o.step "m" { matrix = { os = { "l", "w" }, v = { 1, 2 }, exclude = { { os = "w", v = 1 } } },
        run = "echo {{matrix.os}}{{matrix.v}}" },
      o.step "end" { after = { "each", "none" }, when = "always()", call = function(ctx)
        local e = ctx.results.each
        return { #e.results, #e.failed, e.results[1].value, e.results[3].value, e.values[1], ctx.results.none.ok }
      end },
    ]]), args = "run w", code = 1, after = function(dir)
      local j = status(dir, { ["each[x]"] = "ok", ["each[y]"] = "failed", ["each[z]"] = "ok", ["m[l,1]"] = "ok",
        ["m[l,2]"] = "ok", ["m[w,2]"] = "ok", ["m[w,1]"] = "none" })
      assert.same({ 3, 1, "x", "z", "x", true }, j.steps["end"].value)
    end,
  })
end)

describe("conditions", function()
  it("skip by when without blocking dependants; failure() and always() look at what failed", cli.run {
    files = w([[ params = { deploy = false }, policy = "settled",
      o.step "cond" { when = "params.deploy", run = "echo" },
      o.step "use" { needs = "cond", run = "echo" },
      o.step "bad" { run = "exit 1" },
      o.step "blocked" { needs = "bad", run = "echo" },
      o.step "sorry" { after = "bad", when = "failure()", run = "echo" },
      o.step "good" { after = "use", when = "success()", run = "echo" },
      o.step "fine" { after = "cond", when = "failure()", run = "echo" },
      o.step "all" { needs = "bad", when = "always()", run = "echo" },
      o.step "there" { when = "exists('workflows/w.lua') and not exists('nothing')", run = "echo" },
      finally = { o.step "clean" { run = "echo" }, o.step "only_bad" { when = "failure()", run = "echo" } },
    ]]), args = "run w", code = 1, after = function(dir)
      status(dir, { cond = "skipped:when", use = "ok", bad = "failed", blocked = "skipped:failed", sorry = "ok",
        good = "ok", fine = "skipped:when", all = "ok", there = "ok", clean = "ok", only_bad = "ok" })
    end,
    again = { args = "run w -p deploy=true", code = 1, after = function(dir) status(dir, { cond = "ok" }) end },
  })

  it("a failure that is allowed fails neither the run nor what needs it", cli.run {
    files = w([[
      o.step "lint" { run = "exit 4", allow_failure = true },
      o.step "next" { after = "lint", run = "echo {{results.lint.exit}}" } ]]),
    args = "run w", after = function(dir)
      local j = status(dir, { lint = "failed", next = "ok" })
      assert.is_true(j.steps.lint.allowed)
      assert.equal("4\n", j.steps.next.stdout)
    end,
  })

  it("a finally step that fails fails the run and hides no earlier failure", cli.run {
    files = w([[ o.step "a" { run = "echo" }, finally = { o.step "z" { run = "exit 9" } } ]]), args = "run w", code = 1,
    stderr = "z: exit 9",
    again = { files = w([[ o.step "a" { run = "exit 2" }, finally = { o.step "z" { run = "exit 9" }, o.step "y" { run = "echo" } } ]]),
      args = "run w", code = 1, stderr = { "a: exit 2", "z: exit 9" },
      after = function(dir) status(dir, { a = "failed", z = "failed", y = "ok" }) end },
  })
end)

describe("a nested workflow", function()
  it("gets its params, gives its result, and its steps are remembered", cli.run {
    files = {
      ["workflows/w.lua"] = workflow [[
        o.step "sub" { workflow = "image", with = { tag = "v1" } },
        o.step "use" { needs = "sub", run = "echo got {{results.sub.value}}", parse = "text" } ]],
      ["workflows/image.lua"] = 'local o = require("orrery")\nreturn o.workflow "image" { params = { tag = "none" },'
        .. ' o.step "build" { run = "echo built {{params.tag}}", inputs = {}, parse = "text" },'
        .. ' finally = { o.step "tidy" { run = "echo >> tidy" } }, result = "{{results.build.value}}!" }' },
    args = "run w", after = function(dir)
      local j = status(dir, { sub = "ok", ["sub/build"] = "ok", ["sub/tidy"] = "ok" })
      assert.equal("got built v1!", j.steps.use.value)
    end,
    again = { args = "run w", stdout = "!built v1\n", after = function(dir)
      assert.equal("got built v1!", runs.last(dir).steps.use.value)
    end },
  })

  it("that fails fails its step, with the place of the inner one", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ o.step "sub" { workflow = "image" } ]],
      ["workflows/image.lua"] = 'local o = require("orrery")\nreturn o.workflow "image" {\n o.step "b" { run = "exit 5" } }' },
    args = "run w", code = 1, stderr = { "workflows/image.lua:3", "exit 5" },
  })
end)

describe("-k", function()
  it("goes on in nested workflows, too", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ o.step "sub" { workflow = "in" }, o.step "z" { run = "true" } ]],
      ["workflows/in.lua"] = 'local o = require("orrery")\nreturn o.workflow "in" {'
        .. ' o.step "a" { run = "false" }, o.step "b" { run = "true" }, o.step "c" { needs = "a", run = "true" } }' },
    args = "run w -k -j1", code = 1, after = function(dir)
      status(dir, { ["sub/a"] = "failed", ["sub/b"] = "ok", ["sub/c"] = "skipped:failed", z = "ok" })
    end,
    again = { args = "run w -j1", code = 1, after = function(dir)
      status(dir, { ["sub/a"] = "failed", ["sub/b"] = "skipped:stopped", z = "skipped:stopped" })
    end },
  })
end)

describe("a fan-out among the calls of a body", function()
  local FAN = [[ body = function(w)
    local r = w:step("x", { for_each = { "a", "b", "c" }, run = "echo {{item}}; test {{item}} != $BAD",
      env = { "BAD" }, parse = "text", inputs = {} })
    return table.concat(r.values, " ")
  end ]]

  it("runs its members once, and gives their values", cli.run {
    files = w(FAN), env = { BAD = "none" }, args = "run w -j2", stdout = "3 ran",
    after = function(dir) assert.equal("a b c", runs.last(dir).events[#runs.last(dir).events].result) end,
    again = { args = "run w", env = { BAD = "none" }, stdout = "up to date" },
  })

  it("stops at a failure, and with -k does not", cli.run {
    files = w(FAN), env = { BAD = "a" }, args = "run w -j1", code = 1, stderr = "x[a]: exit 1",
    after = function(dir) status(dir, { ["x[a]"] = "failed", ["x[b]"] = "skipped:stopped" }) end,
    again = { args = "run w -k -j1", env = { BAD = "a" }, code = 1,
      after = function(dir) status(dir, { ["x[a]"] = "failed", ["x[b]"] = "ok", ["x[c]"] = "ok" }) end },
  })

  it("that fails is the body's to catch", cli.run {
    files = w [[ body = function(w)
      local ok = pcall(w.step, w, "x", { matrix = { k = { "a", "b" } }, run = "test {{matrix.k}} = b" })
      w:step("later", { run = "true" })
      return ok
    end, finally = { o.step "bye" { for_each = { "1", "2" }, run = "echo {{item}}" } } ]],
    args = "run w -k", after = function(dir)
      local j = status(dir, { ["x[a]"] = "failed", ["x[b]"] = "ok", later = "ok", ["bye[1]"] = "ok", ["bye[2]"] = "ok" })
      assert.is_false(j.events[#j.events].result)
    end,
  })
end)

describe("a condition on the environment", function()
  local STEPS = w [[ dotenv = { ".env" }, o.step "out" { run = "true", when = "env.STAGE == 'prod'" },
    o.step "dot" { run = "true", env = { "FROM" }, when = "env.FROM == 'file'" },
    o.step "set" { run = "true", env = { MODE = "fast" }, when = function(c) return c.env.MODE == "fast" end } ]]
  STEPS[".env"] = "FROM=file\n"

  it("reads the process's, a file's and what the step sets, and looks each time", cli.run {
    files = STEPS, env = { STAGE = "prod" }, args = "run w",
    after = function(dir) status(dir, { out = "ok", dot = "ok", set = "ok" }) end,
    again = { args = "run w", env = { STAGE = "test", FROM = "shell" },
      after = function(dir) status(dir, { out = "skipped:when", dot = "skipped:when", set = "ok" }) end },
  })
end)

describe("the environment", function()
  it("comes from step, workflow, process and dotenv, in that order; a later file wins", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ dotenv = { ".env", ".env.{{params.stage}}", "absent" }, params = { stage = "dev" },
        env = { "A", "B", "C", "D", B = "workflow" },
        o.step "show" { run = "echo $A $B $C $D $E $F", inputs = {}, env = { A = "step", "E" }, pass_env = { "F" }, parse = "text" } ]],
      [".env"] = "A=dot\nB=dot\nC=dot\nD=first\nE='from file'\nF=file\n", [".env.dev"] = "D=second\n" },
    env = { C = "process" }, args = "run w",
    after = function(dir) assert.equal("step workflow process second from file file", runs.last(dir).steps.show.value) end,
    again = { args = "run w", env = { C = "process", F = "other" }, stdout = "up to date",
      again = { args = "run w", env = { C = "changed" }, stdout = "env C process → changed" } },
  })
end)

describe("values", function()
  it("of parse = json keep their types and reach templates, calls and conditions", cli.run {
    files = w([[
      o.step "j" { run = [=[echo '{"n": 3, "f": 0.5, "list": ["a b", "c"], "none": null}']=], parse = "json" },
      o.step "n" { needs = "j", call = function(ctx) local v = ctx.results.j.value
        return { math.type(v.n), v.f, #v.list } end },
      o.step "argv" { needs = "j", run = { "printf", "%s|", "{{results.j.value.list}}", "n={{results.j.value.n}}" } },
      o.step "when" { needs = "j", when = "results.j.value.n > 5", run = "echo" },
    ]]), args = "run w", after = function(dir)
      local j = status(dir, { when = "skipped:when" })
      assert.same({ "integer", 0.5, 2 }, j.steps.n.value)
      assert.equal("a b|c|n=3|", j.steps.argv.stdout)
    end,
    again = { files = w [[ o.step "j" { run = "echo '{broken'", parse = "json" } ]], args = "run w", code = 1,
      stderr = "j: stdout is not JSON", after = function(dir)
        assert.equal("parse", runs.last(dir).steps.j.error.class)
      end },
  })

  it("that do not fit returns are of class schema, and a retry gets the feedback", cli.run {
    files = w([[
      o.step "v" { retry = { attempts = 3, on = { "schema" } },
        returns = { type = "object", required = { "score" }, properties = { score = { type = "integer" } } },
        cache = false, call = function(ctx)
          if ctx.attempt == 1 then return { score = "high" } end
          return { score = 7, heard = table.concat(ctx.feedback, ";") }
        end },
      o.step "never" { after = "v", call = function() return { 1 } end, returns = { type = "object" } },
    ]]), args = "run w", code = 1, stderr = "never:", after = function(dir)
      local j = status(dir, { v = "ok", never = "failed" })
      assert.equal(2, j.steps.v.attempts)
      assert.matches("score", j.steps.v.value.heard)
      assert.equal("schema", j.steps.never.error.class)
    end,
  })

  it("that a gate refuses exit 4", cli.run {
    files = w([[ o.step "g" { run = "echo 3", parse = "json", gate = { check = function(ctx) return ctx.value > 5, "too low" end } },
      o.step "n" { needs = "g", run = "echo" } ]]), args = "run w", code = 4, stderr = "g:",
    after = function(dir) status(dir, { g = "failed", n = "skipped:failed" }) end,
  })
end)

describe("a body", function()
  it("runs steps as it goes, side by side, and a failed item is only its own", cli.run {
    files = w([[ body = function(w)
      local files = w:run("printf 'a\nb\nc\n'", { parse = "lines" }).value
      local all = w:parallel("work", files, function(f, i)
        return w:run("test " .. f .. " != b; echo " .. f .. i, { id = "one", parse = "text" }).value
      end, { limit = 2 })
      return { ok = all.ok, values = all.values, failed = #all.failed }
    end ]]), args = "run w -j4", after = function(dir)
      local r = runs.last(dir).run_finished.result
      assert.equal(1, r.failed)
      assert.equal("a1", r.values[1])
    end,
  })
end)
