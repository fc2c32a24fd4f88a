-- What agents use, and what a budget allows: collected by call, step and run; asked before a
-- launch; the run that stops at it goes on with more.
local chat = require("tests.cli.chat")
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")
local runs = require("tests.cli.runs")

-- An agent that notes each call and says that it used 1000 + 200 tokens, or what the file
-- `used` holds.
local AGENT = [=[#!/bin/sh
cat > request
echo x >> calls
if test -e fail; then echo '{"status":"failed","usage":{"tokens_in":1000,"tokens_out":200}}'; exit 1; fi
if test -e used; then cat used; exit; fi
echo '{"status":"ok","value":"fine","usage":{"tokens_in":1000,"tokens_out":200}}'
]=]

local CONFIG = [[return { agents = { dev = { run = { "./agent" }, reads = "request",
  price = { input = 3, output = 15 } } }%s }]]

local function project(steps, config, before)
  return { agent = AGENT, ["orrery.lua"] = CONFIG:format(config or ""),
    ["workflows/w.lua"] = cli.workflow(steps, before) }
end

local THREE = [[o.step "a" { agent = "dev", prompt = "1" },
  o.step "b" { agent = "dev", prompt = "2", needs = "a" },
  o.step "c" { agent = "dev", prompt = "3", needs = "b" },]]

local function calls(dir) return runs.lines(dir, "calls") end

local function document(r) return assert(json.decode(r.stdout)) end

local function near(want, have) assert.is_true(math.abs(want - have) < 1e-9, tostring(have)) end

describe("what agents use", function()
  it("is told at the end, priced where the executor has a price", cli.run {
    files = project(THREE), args = "run w", stdout = "\n3 agent calls · 3.6k tokens · $0.02\n",
    again = { args = "runs show", stdout = "\n3 agent calls · 3.6k tokens · $0.02\n" } })

  it("is in --json by step and run, and in the journal by call", cli.run {
    files = project(THREE), args = "run w --json", after = function(dir, r)
      local doc = document(r)
      near(0.006, doc.steps[1].usage.cost_usd)
      assert.are.equal(3, doc.usage.calls)
      assert.are.equal(3000, doc.usage.tokens_in)
      assert.are.equal(600, doc.usage.tokens_out)
      near(0.018, doc.usage.cost_usd)
      local j = runs.last(dir)
      assert.are.equal("a b c", runs.order(j, "agent_call"))
      near(0.018, j.run_finished.usage.cost_usd)
      near(0.006, j.steps.b.usage.cost_usd)
    end })

  it("counts also for tries that failed", cli.run {
    files = { agent = AGENT, ["orrery.lua"] = CONFIG:format(""), fail = "",
      ["workflows/w.lua"] = cli.workflow([[o.step "a" { agent = "dev", prompt = "1",
        retry = { attempts = 3, delay = 0 } },]]) }, args = "run w --json", code = 1,
    after = function(_, r)
      local doc = document(r)
      assert.are.equal(3000, doc.steps[1].usage.tokens_in)
      assert.are.equal(3, doc.usage.calls)
      near(0.018, doc.usage.cost_usd)
    end })

  it("is the cost that the service names, when it names one", cli.run {
    files = { agent = AGENT, ["orrery.lua"] = CONFIG:format(""),
      used = '{"usage":{"tokens_in":10,"cost_usd":0.5}}\n',
      ["workflows/w.lua"] = cli.workflow('o.step "a" { agent = "dev" },') }, args = "run w",
    stdout = "1 agent call · 10 tokens · $0.50" })

  it("is nothing for answers that were there, and what these save is said", cli.run {
    files = project(THREE .. 'o.step "d" { agent = "dev", prompt = "{{args}}", needs = "c", '
      .. 'outputs = {} },'), args = "run w -- x", stdout = "4 agent calls",
    again = { args = "run w -- x", stdout = "saved 4 agent calls · 4.8k tokens · $0.02\n",
      again = { args = "run w --json -- y", after = function(dir, r)
        local doc = document(r)
        assert.are.equal(1, doc.usage.calls)
        assert.are.equal(3, doc.usage.saved.calls)
        assert.are.equal(3600, doc.usage.saved.tokens_in + doc.usage.saved.tokens_out)
        near(0.018, doc.usage.saved.cost_usd)
        assert.are.equal(5, calls(dir))
      end, again = { args = "run w -- x", stdout = "saved 4 agent calls" } } } })

  it("saves also what a resumed run did not repeat", cli.run {
    files = project(THREE .. 'o.step "bad" { run = "test -e ok", needs = "c" },',
      nil), args = "run w --cache=off", code = 1, again = { files = { ok = "" },
      args = "resume --cache=off", stdout = "saved 3 agent calls · 3.6k tokens · $0.02",
      after = function(dir) assert.are.equal(3, calls(dir)) end } })

  it("of a streamed answer is asked for and counted", chat.test {
    files = { ["workflows/w.lua"] = cli.workflow('o.step "a" { agent = "dev" },') },
    answers = { default = chat.streams({ "x" }) },
    agents = 'dev = { http = { base_url = "URL", model = "m", stream = true }, '
      .. "price = { input = 1000000, output = 0 } }",
    args = "run w", stdout = "1 agent call · 10 tokens · $7.00" })
end)

describe("a budget", function()
  it("lets no call start that would pass it; the run resumes with more", cli.run {
    files = project(THREE), args = "run w --budget tokens=2000 --cache=off", code = 6,
    stderr = { "b: would pass the budget: 800 of 2000 tokens left, 1200 tokens expected", "resume --budget tokens=" },
    after = function(dir)
      assert.are.equal(1, calls(dir))
      assert.are.equal("failed", runs.last(dir).run_finished.status)
    end,
    again = { args = "resume --cache=off", code = 6, after = function(dir)
      assert.are.equal(1, calls(dir), "the limit was of the run, and it is used up")
    end,
      again = { args = "resume --cache=off --budget tokens=5000", code = 0, after = function(dir)
        assert.are.equal(3, calls(dir))
      end } } })

  it("goes by the median of earlier runs before a launch", cli.run {
    files = project(THREE), args = "run w --cache=off", again = {
      args = "run w --cache=off --budget tokens=3000", code = 6,
      stderr = "c: would pass the budget: 600 of 3000 tokens left, 1200 tokens expected "
        .. "(the median of 1 earlier call)",
      after = function(dir) assert.are.equal(5, calls(dir)) end } })

  it("sets aside what running calls are expected to use", cli.run {
    files = project([[o.group "g" { policy = "settled",
      o.step "a" { agent = "dev", prompt = "1" }, o.step "b" { agent = "dev", prompt = "2" },
      o.step "c" { agent = "dev", prompt = "3" } },]]), args = "run w --cache=off",
    again = { args = "run w --cache=off --budget tokens=2500", code = 6, after = function(dir)
      assert.are.equal(5, calls(dir))
    end } })

  it("says when nothing is known of an agent", cli.run {
    files = project(THREE), args = "run w --budget usd=1",
    stderr = "nothing is known of what dev uses; it counts as nothing", again = {
      args = "run w --budget usd=1 --force", stderr = "!nothing is known" } })

  it("may be of the workflow or of orrery.lua, by limit; the flag counts first", cli.run {
    files = { agent = AGENT, ["orrery.lua"] = CONFIG:format(", budget = { tokens = 1, usd = 9 }"),
      ["workflows/w.lua"] = 'local o = require("orrery")\nreturn o.workflow "w" { budget = '
        .. "{ tokens = 1300 },\n" .. THREE .. "\n}\n" }, args = "run w --cache=off", code = 6,
    stderr = "b: would pass the budget: 100 of 1300 tokens left", again = {
      args = "run w --cache=off --budget tokens=9e9", code = 0 } })

  it("of steps and of money", cli.run {
    files = project(THREE), args = "run w --cache=off --budget steps=2", code = 6,
    stderr = "c: would pass the budget: 0 of 2 steps left", again = {
      args = "run w --cache=off --budget usd=0.01", code = 6,
      stderr = "b: would pass the budget: $0.004 of $0.01 left, $0.006 expected" } })

  it("does not keep commands from running, nor what cleans up", cli.run {
    files = project([[o.step "a" { agent = "dev" }, o.step "r" { run = "echo report > r", after = "a" },
      finally = { o.step "end" { run = "echo end > e" } },]]),
    args = "run w --budget tokens=100 --budget steps=1", code = 6, after = function(dir)
      assert.is_nil(cli.read(dir .. "/r"))
      assert.are.equal("end\n", cli.read(dir .. "/e"))
    end, again = { args = "run w --cache=off --budget tokens=1200", code = 0, after = function(dir)
      assert.are.equal("report\n", cli.read(dir .. "/r"))
    end } })

  it("can be caught and looked at by a body", cli.run {
    files = { agent = AGENT, ["orrery.lua"] = CONFIG:format(""),
      ["workflows/w.lua"] = [[local o = require("orrery")
return o.workflow "w" { body = function(w)
  local n = 0
  for i = 1, 5 do
    local ok, err = pcall(function() w:agent("dev", { prompt = tostring(i) }) end)
    if not ok then return { n, err.code, w.budget.left.tokens } end
    n = n + 1
  end
end }]] }, args = "run w --cache=off --budget tokens=3000 --json", after = function(_, r)
      local doc = document(r)
      assert.are.same({ 2, "budget", 600 }, { table.unpack(doc.result) })
      assert.are.equal(0, doc.code)
    end })

  it("of a negative size, or of an unknown thing, is refused", cli.run {
    files = project(THREE), args = "run w --budget usd=-1", code = 2,
    stderr = "budget.usd is below 0", again = { args = "run w --budget euro=1", code = 2,
      stderr = "unknown field 'euro'" } })

  it("that was passed leaves a journal that tells it all", cli.run {
    files = project(THREE), args = "run w --budget tokens=1200 --cache=off", code = 6,
    after = function(dir)
      local j = runs.last(dir)
      assert.are.equal(6, j.run_finished.code)
      assert.are.equal("budget", j.steps.b.error.class)
      assert.is_nil(j.began.b)
      assert.are.equal("ok", j.steps.a.status)
    end })
end)
