-- Displays are folds over journals; here the journals are written by hand.
local document = require("orrery.face.show.document")
local eta = require("orrery.face.show.eta")
local json = require("orrery.core.json")
local junit = require("orrery.face.show.junit")
local live = require("orrery.face.show.live")
local plain = require("orrery.face.show.plain")
local report = require("orrery.face.show.report")
local summary = require("orrery.face.show.summary")
local tally = require("orrery.face.show.tally")
local trace = require("orrery.face.show.trace")
local words = require("orrery.face.words")

local function bare(_, text) return text end

local function started(steps, jobs)
  local plan = {}
  for i, s in ipairs(steps) do plan[i] = { id = s, kind = "run", needs = {} } end
  return { ev = "run_started", t = 0, run = "r1", workflow = "app", jobs = jobs or 2, wall = 1000,
    steps = #steps }, { ev = "plan", t = 0, steps = plan }
end

local function finished(more)
  local e = { ev = "run_finished", t = 2, status = "ok", code = 0, wall = 1.2, work = 4.1,
    saved = 2.9, critical = { seconds = 0.9, path = { "a", "b" } }, counts = {} }
  for k, v in pairs(more or {}) do e[k] = v end
  return e
end

-- A failed run: a up to date, b restored, c ran, d failed, e skipped because of it.
local function failed_run()
  local first, plan = started({ "a", "b", "c", "d", "e" })
  return { first, plan, { ev = "hits", t = 0.1, ids = { "a" } },
    { ev = "step_finished", t = 0.2, id = "b", status = "ok", cached = "hit", seconds = 0.01,
      stdout = "replayed\n", attempts = 1 },
    { ev = "step_started", t = 0.2, id = "c", attempt = 1, kind = "run", cmd = "cc",
      reason = "first run" },
    { ev = "step_started", t = 0.3, id = "d", attempt = 1, kind = "run", reason = "forced" },
    { ev = "step_finished", t = 1.2, id = "d", status = "failed", exit = 2, seconds = 0.9,
      stdout = "line 1\n<line> 2", stderr = "oops\n", attempts = 2, reason = "forced",
      error = { class = "exit:2", message = "exit 2", hint = "CC is set in your shell",
        place = { file = "workflows/app.lua", line = 7 } } },
    { ev = "step_skipped", t = 1.2, id = "e", why = "failed", cause = "d" },
    { ev = "step_finished", t = 1.4, id = "c", status = "ok", seconds = 1.2, stdout = "",
      attempts = 1, reason = "first run" },
    finished({ status = "failed", code = 1 }) }
end

local function shown(events, how, more, brief)
  local out, err, state = {}, {}, tally.new({ brief = brief })
  local display = plain.new({ state = state, how = how, paint = bare,
    verbose = more and more.verbose, write = function(text) out[#out + 1] = text end,
    complain = function(text) err[#err + 1] = text end })
  for _, e in ipairs(events) do
    tally.add(state, e)
    display(e)
  end
  return table.concat(out), table.concat(err), state
end

-- What a display shows; the same when its tally forgets what ended well.
local function show(events, how, more)
  local out, err, state = shown(events, how, more)
  local brief_out, brief_err = shown(events, how, more, true)
  assert.equal(out, brief_out)
  assert.equal(err, brief_err)
  return out, err, state
end

describe("a brief tally", function()
  it("keeps nothing of steps that ended well, nor of the plan", function()
    local _, _, state = shown(failed_run(), "group", nil, true)
    assert.same({ "d", "e" }, state.order)
    assert.is_nil(state.steps.a or state.steps.b or state.steps.c)
    assert.is_nil(next(state.planned) or next(state.plan) or next(state.started)
      or next(state.clean) or next(state.running))
  end)

  it("counts the members of what spreads, not what spread", function()
    local first, plan = started({ "f" })
    plan.steps[1].fan = true
    local events = { first, plan }
    for i = 1, 2 do
      local id = ("f[%d]"):format(i)
      events[#events + 1] = { ev = "step_added", id = id, kind = "run", group = "f", needs = {} }
      events[#events + 1] = { ev = "step_finished", id = id, status = "ok", seconds = 1 }
    end
    events[#events + 1] = { ev = "group_finished", id = "f" }
    for _, brief in ipairs { true, false } do
      local _, _, state = shown(events, "group", nil, brief)
      assert.same({ 2, 2 }, { state.total, state.done })
    end
  end)
end)

describe("the end of a run", function()
  it("tells counts, wall, work, what was saved and the critical path", function()
    local s = tally.of(failed_run())
    assert.equal("5 steps: 1 up to date, 1 restored, 1 ran, 1 failed, 1 skipped · 1.2 s wall, "
      .. "4.1 s of work, saved 2.9 s · critical path a → b (0.9 s)", report.summary(s))
  end)

  it("says that everything is up to date, and how long that took", function()
    local first, plan = started({ "a", "b" })
    local s = tally.of({ first, plan, { ev = "hits", t = 0, ids = { "a", "b" } },
      finished({ wall = 0.0042, work = 0 }) })
    assert.equal("2 steps: everything up to date · 4 ms", report.summary(s))
  end)

  it("claims no savings there were not", function()
    local first, plan = started({ "a" })
    local s = tally.of({ first, plan, { ev = "step_finished", id = "a", status = "ok",
      seconds = 1, attempts = 1 }, finished({ work = 1, wall = 1.1, saved = -0.1,
      critical = { seconds = 1, path = { "a" } } }) })
    assert.equal("1 step: 1 ran · 1.1 s wall, 1.0 s of work", report.summary(s))
  end)

  it("names a failed step with place, attempts, tail, hint and what it kept from running",
    function()
      local s = tally.of(failed_run())
      assert.same({ "workflows/app.lua:7: error: d: exit 2 (2 attempts)", "  | line 1",
        "  | <line> 2", "  | oops", "  note: CC is set in your shell",
        "  skipped because of it: e" }, report.failures(s, { paint = bare }))
    end)

  it("cuts long output and says how to see the rest", function()
    local first, plan = started({ "a" })
    local text = {}
    for i = 1, 50 do text[i] = "l" .. i end
    local s = tally.of({ first, plan, { ev = "step_finished", id = "a", status = "failed",
      stdout = table.concat(text, "\n"), seconds = 1, attempts = 1,
      error = { message = "exit 1" } }, finished({ status = "failed", code = 1 }) })
    local lines = report.failures(s, { paint = bare })
    assert.equal("error: a: exit 1", lines[1])
    assert.equal("  | … 30 lines above: orrery log a", lines[2])
    assert.equal("  | l31", lines[3])
    assert.equal(22, #lines)
  end)

  it("counts what was not started, and says how to go on after an interrupt", function()
    local first, plan = started({ "a", "b", "c" })
    local s = tally.of({ first, plan, { ev = "step_started", t = 0.1, id = "a", attempt = 1 },
      { ev = "step_finished", t = 0.5, id = "a", status = "cancelled", seconds = 0 },
      finished({ status = "interrupted", code = 130, work = 0, critical = false }) })
    assert.equal("interrupted: orrery resume goes on with it\n3 steps: 1 cancelled, "
      .. "2 not started · 1.2 s wall", report.summary(s))
    assert.equal(0.4, s.steps.a.seconds)
  end)

  it("shows errors of the run itself", function()
    local first, plan = started({})
    local s = tally.of({ first, plan, finished({ code = 1, errors = { { id = "", class = "result",
      message = "result: no such step", place = { file = "w.lua", line = 2 } } } }) })
    assert.same({ "w.lua:2: error: result: no such step" }, report.failures(s, { paint = bare }))
  end)
end)

describe("plain output", function()
  it("has a line and the output of each step that did something", function()
    local out, err = show(failed_run(), "group")
    assert.equal([[
restored   b
replayed
failed     d  0.9 s · exit 2 · 2 attempts
line 1
<line> 2
oops
ok         c  1.2 s · first run
]], (out:gsub("5 steps.*$", "")))
    assert.truthy(err:find("app.lua:7: error: d: exit 2", 1, true))
  end)

  it("does not repeat the output of a failure that was shown last", function()
    local events = failed_run()
    table.insert(events, 7, table.remove(events, 9))
    local _, err = show(events, "group")
    assert.is_nil(err:find("| oops", 1, true))
    local _, again = show(failed_run(), "group")
    assert.truthy(again:find("| oops", 1, true))
  end)

  it("quiet says only what failed, errors shows only its output", function()
    local out, err = show(failed_run(), "quiet")
    assert.equal("failed     d  0.9 s · exit 2 · 2 attempts\n", out)
    assert.truthy(err:find("| oops", 1, true))
    out = show(failed_run(), "errors")
    assert.is_nil(out:find("replayed", 1, true))
    assert.truthy(out:find("oops", 1, true))
  end)

  it("with prefix puts the step before each whole line, as it comes", function()
    local first, plan = started({ "a", "b" })
    local out = show({ first, plan, { ev = "output", id = "a", stream = 1, data = "one\ntw" },
      { ev = "output", id = "b", stream = 1, data = "x\n" },
      { ev = "output", id = "a", stream = 1, data = "o\nthree" },
      { ev = "step_finished", id = "a", status = "ok", seconds = 1, attempts = 1,
        stdout = "one\ntwo\nthree" } }, "prefix")
    assert.equal("[a] one\n[b] x\n[a] two\n[a] three\nok         a  1.0 s\n", out)
  end)

  it("streams when the run is a single step", function()
    local first, plan = started({ "a" })
    local out = show({ first, plan, { ev = "output", id = "a", stream = 1, data = "tick\n" },
      { ev = "step_finished", id = "a", status = "ok", seconds = 1, attempts = 1,
        stdout = "tick\n" } }, "group")
    assert.equal("tick\nok         a  1.0 s\n", out)
  end)

  it("gives the advice about inputs once", function()
    local first, plan = started({ "a", "b" })
    local why = "always (declares no inputs; add inputs = {…} to have it remembered)"
    local function step(id)
      return { ev = "step_finished", id = id, status = "ok", seconds = 1, reason = why }
    end
    local out = show({ first, plan, step("a"), step("b") }, "group")
    assert.equal("ok         a  1.0 s · " .. why .. "\n"
      .. "ok         b  1.0 s · always (declares no inputs)\n", out)
  end)

  it("sends messages to the other stream, with place and hint", function()
    local out, err = show({ { ev = "message", level = "warning", text = "odd",
      place = { file = "w.lua", line = 3 }, hint = "do this" },
      { ev = "cache_off", why = "no space" } }, "group")
    assert.equal("", out)
    assert.equal("w.lua:3: warning: odd; do this\nwarning: the cache is off for this run: "
      .. "no space\n", err)
  end)
end)

describe("the live footer", function()
  local function screen(events, now, columns, rows)
    local s = tally.of(events)
    return live.lines({ state = s, paint = bare }, now, columns or 60, rows or 24)
  end

  it("tells what runs and for how long, in the order of starts", function()
    local first, plan = started({ "a", "b", "c" })
    assert.same({ "[1/3] · 2 running · 0:03", "  c  3.0 s", "  b  2.0 s" },
      screen({ first, plan, { ev = "step_started", id = "c", t = 0.5 },
        { ev = "hits", ids = { "a" }, t = 0.6 }, { ev = "step_started", id = "b", t = 1.5 } }, 3.5))
  end)

  it("never has more lines or columns than the terminal", function()
    local ids = {}
    for i = 1, 40 do ids[i] = ("step-%02d-%s"):format(i, ("x"):rep(50)) end
    local first, plan = started(ids)
    local events = { first, plan }
    for i, id in ipairs(ids) do events[i + 2] = { ev = "step_started", id = id, t = 0 } end
    local lines = screen(events, 1, 30, 8)
    assert.equal(6, #lines)
    assert.equal("  … and 36 more", lines[6])
    for i = 2, #lines do assert.is_true(words.width(lines[i]) <= 30) end
  end)

  it("is erased before anything else is written and gone at the end", function()
    local got, now, s = {}, 10, tally.new()
    local l = live.new({ state = s, raw = function(t) got[#got + 1] = t end, paint = bare,
      clock = function() return now end, size = function() return 60, 24 end })
    local first, plan = started({ "a", "b" })
    local function add(e)
      tally.add(s, e)
      l:before(e)
    end
    add(first)
    add(plan)
    add({ ev = "step_started", id = "a", t = 0 })
    now = 11
    l:refresh()
    assert.equal("[0/2] · 1 running · 0:01\n  a  1.0 s\r\27[1A", got[1])
    l:write("hello\n")
    assert.equal("\27[Jhello\n[0/2] · 1 running · 0:01\n  a  1.0 s\r\27[1A", got[2])
    add(finished())
    assert.equal("\27[J", got[3])
    l:refresh()
    assert.equal(3, #got)
  end)

  it("stays away from a step that has the terminal", function()
    local got, now, s = {}, 10, tally.new()
    local l = live.new({ state = s, raw = function(t) got[#got + 1] = t end, paint = bare,
      clock = function() return now end, size = function() return 60, 24 end })
    for _, e in ipairs({ (started({ "a" })), { ev = "step_started", id = "a", t = 0, tty = true } })
    do
      tally.add(s, e)
      l:before(e)
    end
    now = 20
    l:refresh()
    assert.same({}, got)
  end)

  it("estimates from earlier times: the longest chain, or the work over the places", function()
    local plan = { { id = "a", expected = 4, needs = {} }, { id = "b", expected = 6,
      needs = { "a" } }, { id = "c", expected = 2, needs = {} } }
    local s = tally.of({ { ev = "run_started", t = 0, jobs = 2 },
      { ev = "plan", t = 0, steps = plan } })
    assert.equal(10, eta.new(s)(0))
    tally.add(s, { ev = "step_started", id = "a", t = 0 })
    assert.equal(9, eta.new(s)(1))
    s.run.jobs = 1
    assert.equal(11, eta.new(s)(1))
  end)

  it("estimates nothing from nothing", function()
    local first, plan = started({ "a", "b" })
    assert.is_nil(eta.new(tally.of({ first, plan }))(1))
  end)
end)

describe("documents", function()
  it("hold every step, clean ones too, in order of the plan", function()
    local d = json.decode(document.text(tally.of(failed_run())))
    assert.equal("failed", d.status)
    assert.equal(1, d.code)
    assert.same({ "d" }, d.failed)
    local seen = {}
    for i, s in ipairs(d.steps) do seen[i] = s.id .. ":" .. s.status end
    assert.same({ "a:ok", "b:ok", "c:ok", "d:failed", "e:skipped" }, seen)
    assert.equal("line 1\n<line> 2\noops\n", d.steps[4].output)
  end)

  it("survive bytes that are no text", function()
    local first, plan = started({ "a" })
    local s = tally.of({ first, plan, { ev = "step_finished", id = "a", status = "failed",
      stdout = "\255\0\27", seconds = 0, error = { message = "\254" } }, finished() })
    assert.truthy(json.decode(document.text(s)))
    local xml = junit.text(s)
    assert.truthy(utf8.len(xml))
    assert.is_nil(xml:find("[%z\27]"))
    assert.truthy(summary.text(s))
  end)

  it("JUnit has a case a step, escaped", function()
    local xml = junit.text(tally.of(failed_run()))
    assert.truthy(xml:find('tests="5" failures="1" errors="0" skipped="1"', 1, true))
    assert.truthy(xml:find('<testcase classname="app" name="d" time="0.9">\n      <properties>'
      .. '<property name="reason" value="forced"/></properties>\n      <failure '
      .. 'message="exit 2" type="exit:2">line 1\n&lt;line&gt; 2\noops</failure>', 1, true))
    assert.truthy(xml:find('<skipped message="d failed"/>', 1, true))
    assert.truthy(xml:find('name="a" time="0"', 1, true))
  end)

  it("Markdown has what was not up to date, and the output of failures in a safe fence", function()
    local events = failed_run()
    events[7].stdout = "```\n<b>"
    local md = summary.text(tally.of(events))
    assert.truthy(md:find("### ❌ app", 1, true))
    assert.is_nil(md:find("| a |", 1, true))
    assert.truthy(md:find("| d | failed | 0.9 s | exit 2 |", 1, true))
    assert.truthy(md:find("````\n```\n<b>", 1, true))
  end)

  it("a trace has a lane for each step that ran beside another", function()
    local t = json.decode(trace.text(tally.of(failed_run())))
    local lanes = {}
    for _, e in ipairs(t.traceEvents) do lanes[e.name] = e.tid end
    assert.same({ c = 1, d = 2 }, lanes)
    assert.equal(200000, t.traceEvents[1].ts)
  end)
end)

describe("words", function()
  it("tell times as people do", function()
    local list = { [0] = "0 ms", [0.0004] = "0.4 ms", [0.042] = "42 ms", [1.23] = "1.2 s",
      [59.94] = "59.9 s", [59.96] = "1 m 00 s", [185] = "3 m 05 s", [7620] = "2 h 07 m",
      [172800] = "2 days" }
    for s, text in pairs(list) do assert.equal(text, words.seconds(s)) end
  end)

  it("tell and read sizes", function()
    assert.equal("812 B", words.bytes(812))
    assert.equal("1.0 MiB", words.bytes(1024 * 1024 - 10))
  end)

  it("cut by characters, not bytes", function()
    assert.equal("äö…", words.cut("äöüß", 3))
    assert.equal("äöüß", words.cut("äöüß", 4))
  end)
end)
