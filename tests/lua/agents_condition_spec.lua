local condition = require("orrery.model.agents.condition")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local sys = require("orrery.core.sys")
local truth = require("orrery.model.agents.truth")

local root, said

-- Decides a text with params, artifacts (name → value), results.
local function decide(text, t)
  t = t or {}
  local artifacts, before = {}, {}
  for name, v in pairs(t.artifacts or {}) do
    assert(fs.write_atomic(root .. "/" .. name .. ".json", json.encode(v)))
    artifacts[#artifacts + 1] = { key = truth.fold(name), path = name .. ".json" }
  end
  for id in pairs(t.results or {}) do before[#before + 1] = id end
  said = {}
  return truth.decide(condition.parse(text), truth.view({ root = root, run_id = "r",
    params = t.params or {}, artifacts = artifacts, results = t.results or {}, before = before,
    environ = t.environ or {}, strict = t.strict, warn = function(w) said[#said + 1] = w end }))
end

local function wrong(text)
  local ok, e = pcall(condition.parse, text)
  assert.is_false(ok)
  return e.message
end

describe("a condition of an agent step", function()
  before_each(function()
    root = "/tmp/orrery-condition-" .. sys.random(8)
    assert(fs.mkdir(root))
  end)
  after_each(function() fs.remove_tree(root) end)

  it("binds OR weaker than AND, AND than NOT, NOT than a comparison", function()
    local p = { params = { a = true, b = false, c = false, n = 2 } }
    assert.is_true(decide("a OR b AND c", p))
    assert.is_false(decide("(a OR b) AND c", p))
    assert.is_true(decide("NOT b AND NOT n == 3", p))
    assert.is_true(decide("b || a && !c", p))
  end)

  it("leaves no word unread", function()
    assert.truthy(wrong("a == true OR b extra words"):find("'extra words' is left over", 1, true))
    assert.truthy(wrong("a =="):find("it ends where", 1, true))
    assert.truthy(wrong("(a OR b"):find("')' is expected", 1, true) or
      wrong("(a OR b"):find("it ends where ')'", 1, true))
    assert.truthy(wrong("a == 'x"):find("a quote is not closed", 1, true))
    assert.truthy(wrong("size(x) > 3"):find("there is no function 'size'", 1, true))
    assert.truthy(wrong("n > 15XB"):find("neither a number nor a size", 1, true))
    assert.truthy(wrong(""):find("it is empty", 1, true))
  end)

  it("takes a name in the braces of a template for the name", function()
    local p = { params = { fix = true, who = "ann" }, artifacts = { plan = { n = 2 } } }
    assert.is_true(decide("{{fix}}", p))
    assert.is_true(decide("{{ fix }} == true AND {{plan.n}} > 1", p))
    assert.is_false(decide("NOT {{fix}} OR {{who}} == 'bob'", p))
    assert.truthy(wrong("{{fix"):find("'{' is not understood", 1, true))
  end)

  it("says of a sentence what to write instead", function()
    local _, e = pcall(condition.parse, "if lint or security issues found")
    assert.truthy(e.hint:find("such as lint_or_security_issues_found,", 1, true))
    _, e = pcall(condition.parse, "a == 1 b")
    assert.is_nil(e.hint)
  end)

  it("knows sizes with units", function()
    assert(fs.write_atomic(root .. "/big.md", ("x"):rep(16 * 1024)))
    local p = { params = { doc = "big.md", text = "short" } }
    assert.is_true(decide("file_size(doc) > 15KB", p))
    assert.is_false(decide("file_size(doc) > 16 KB", p))
    assert.is_false(decide("file_size(text) > 15KB", p))
    assert.is_true(decide("exists(doc)", p))
    assert.is_false(decide("exists(text)", p))
  end)

  it("compares ranks as ranks", function()
    local function complexity(v) return { artifacts = { plan = { complexity = v } } } end
    assert.is_true(decide("plan.complexity >= moderate", complexity("high")))
    assert.is_true(decide("plan.complexity >= moderate", complexity("moderate")))
    assert.is_false(decide("plan.complexity >= moderate", complexity("simple")))
    assert.is_false(decide("plan.complexity >= moderate", complexity("purple")))
    assert.truthy(said[1]:find("cannot be compared", 1, true))
  end)

  it("reads artifacts by path, with - and _ alike, and lengths", function()
    local t = { artifacts = { ["validation-report"] = { consensus_issues = { 1, 2 } } } }
    assert.is_true(decide("validation-report.consensus_issues.length > 0", t))
    assert.is_true(decide("validation_report.consensus-issues.length == 2", t))
    assert.is_false(decide("validation-report.consensus_issues.length > 2", t))
    assert.is_true(decide("mobile_issues_detected",
      { artifacts = { audit = { mobile_issues_detected = true } } }))
  end)

  it("finds words by their beginning, phrases as a whole, never inside a word", function()
    local function plan(text) return { artifacts = { plan = { notes = { text } } } } end
    local text = "plan matches security keywords (auth, encrypt, go)"
    assert.is_true(decide(text, plan("Adds authentication.")))
    assert.is_true(decide(text, plan("written in Go")))
    assert.is_false(decide(text, plan("a django app that was reauthored")))
    assert.is_true(decide("plan includes UI components", plan("with a UI component")))
    assert.is_true(decide("plan includes UI components", { artifacts = {
      plan = { ui_components = { "x" } } } }))
    assert.is_false(decide("plan includes UI components", plan("components of the UI")))
  end)

  it("counts what nothing defines as false, says so, and refuses it when strict", function()
    assert.is_false(decide("ghost"))
    assert.are.same({ "'ghost' is defined by nothing; it counts as false" }, said)
    assert.is_false(decide("ghost != 'x'"))
    assert.is_false(pcall(decide, "ghost", { strict = true }))
    assert.is_true(decide("ghost OR GIVEN", { environ = { GIVEN = "1" } }))
  end)

  it("takes text of the command line for what it says", function()
    assert.is_true(decide("security_focus == true", { params = { security_focus = "true" } }))
    assert.is_false(decide("flag", { params = { flag = "false" } }))
    assert.is_true(decide("n >= 10", { params = { n = "10" } }))
  end)

  it("passes validation_status only when nothing before has failed", function()
    local text = "validation_status == 'pass'"
    assert.is_true(decide(text, { results = { a = { ok = true, status = "ok" },
      b = { ok = false, status = "skipped" } } }))
    assert.is_false(decide(text, { results = { a = { ok = false, status = "failed" } } }))
    assert.is_true(decide(text, { results = { a = { ok = false, status = "failed",
      allowed = true } } }))
  end)

  it("reads a field of an artifact after a colon", function()
    assert.are.same({ "perf-report", "issues", "count" },
      condition.parse("perf-report.json:issues.count > 0")[1].path)
  end)
end)
