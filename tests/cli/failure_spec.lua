-- When an agent fails: tries by class, others that take over, circuits, pools, partial success.
local chat = require("tests.cli.chat")
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")

local function http(model, more)
  return ('http = { base_url = "URL", model = "%s", retry = { attempts = 1 } }, %s'):format(model,
    more or "")
end

local DOWN = chat.refuses(503, "down")

local function work(steps) return { ["workflows/w.lua"] = cli.workflow(steps) } end

local function events(dir, ev)
  local out = {}
  for _, e in ipairs(runs.last(dir).events) do
    if e.ev == ev then out[#out + 1] = e end
  end
  return out
end

describe("fallback agents of orrery.lua", function()
  it("take over in order, none twice", chat.test {
    files = work('o.step "a" { agent = "dev", prompt = "x" },'),
    answers = { m1 = DOWN, m2 = DOWN, m3 = chat.says("at last") },
    agents = ("dev = { %s }, two = { %s }, three = { %s }"):format(
      http("m1", 'fallback = { "two", "dev", "two", "nobody", "three" }'), http("m2"), http("m3")),
    args = "run w", stdout = { "two takes over", "three takes over", "ok         a" },
    after = function(dir)
      local roles = {}
      for i, e in ipairs(events(dir, "agent_call")) do roles[i] = e.role end
      assert.are.same({ "dev", "two", "three" }, roles)
    end })

  it("are tried again by their own retry when they cannot be reached, then the next", chat.test {
    files = work('o.step "a" { agent = "dev", prompt = "x", retry = { attempts = 2, delay = 0 } },'),
    answers = { m1 = DOWN, m2 = DOWN, m3 = chat.says("here") },
    agents = ("dev = { %s }, two = { %s }, three = { %s }"):format(http("m1",
      'fallback = { "two", "three" }'), (http("m2"):gsub("attempts = 1", "attempts = 3, delay = 0")),
      http("m3")),
    args = "run w", stdout = { "two takes over", "three takes over", "ok         a" },
    after = function(dir)
      local roles = {}
      for i, e in ipairs(events(dir, "agent_call")) do roles[i] = e.role end
      assert.are.same({ "dev", "dev", "two", "two", "two", "three" }, roles)
    end })

  it("are not asked again when all have failed", chat.test {
    files = work('o.step "a" { agent = "dev", prompt = "x" },'), answers = { default = DOWN },
    agents = ("dev = { %s }, two = { %s }"):format(http("m1", 'fallback = "two"'), http("m2")),
    args = "run w", code = 1, after = function(dir)
      assert.are.equal(2, #events(dir, "agent_call"))
    end })
end)

describe("an agent that cannot be reached", function()
  local FOUR = [[o.step "a" { agent = "dev", prompt = "1", allow_failure = true },
    o.step "b" { agent = "dev", prompt = "2", allow_failure = true, after = "a" },
    o.step "c" { agent = "dev", prompt = "3", allow_failure = true, after = "b" },
    o.step "d" { agent = "dev", prompt = "4", after = "c" },]]

  it("is left alone by all steps for a while, then probed", chat.test {
    files = work(FOUR), answers = { ["1"] = DOWN, ["2"] = DOWN, default = chat.says("back") },
    agents = ("dev = { %s }"):format(http("m", 'circuit = { failures = 2, open = "200ms" }')),
    args = "run w", stdout = { "circuit    dev could not be reached 2 times in a row",
      "circuit    dev is asked again", "circuit    dev can be reached again" },
    after = function(dir)
      assert.are.equal(4, chat.requests(dir))
      local retries = events(dir, "step_retry")
      assert.are.equal("c", retries[1].id)
      assert.are.equal("circuit", retries[1].class)
      local states = {}
      for i, e in ipairs(events(dir, "circuit")) do states[i] = e.state end
      assert.are.same({ "open", "half", "closed" }, states)
    end })

  it("fails its steps at once when these are not to wait", chat.test {
    files = work(FOUR), answers = { default = DOWN }, agents = ("dev = { %s }"):format(http("m",
      'circuit = { failures = 2, open = "1h", wait = false }')), args = "run w", code = 1,
    stderr = "d: dev could not be reached 2 times in a row", after = function(dir)
      assert.are.equal(2, chat.requests(dir))
      assert.are.equal("circuit", runs.last(dir).steps.d.error.class)
      assert.is_nil(runs.last(dir).began.d)
    end })

  it("is passed over at once where another can take over", chat.test {
    files = work(FOUR), answers = { m1 = DOWN, m2 = chat.says("fine") },
    agents = ("dev = { %s }, two = { %s }"):format(http("m1",
      'fallback = "two", circuit = { failures = 2, open = "1h" }'), http("m2")), args = "run w",
    after = function(dir)
      local roles = {}
      for i, e in ipairs(events(dir, "agent_call")) do roles[i] = e.role end
      assert.are.equal("dev two dev two two two", table.concat(roles, " "))
    end })
end)

describe("agents side by side", function()
  local MANY = [[o.step "r" { agent = "dev", prompt = "{{item}}", for_each = { 1, 2, 3, 4, 5, 6 }%s },]]

  local function some(more) return work(MANY:format(more or "")) end

  it("are limited by a pool of the executor, whatever -j says", chat.test {
    files = some(), answers = { default = chat.says("ok") }, config = ", resources = { claude = 2 }",
    agents = ("dev = { %s }"):format(http("m", "resources = { claude = 1 }")), args = "run w -j 6",
    after = function(dir)
      local most = runs.most_at_once(runs.last(dir), function(id) return id:find("^r%[") end)
      assert.are.equal(2, most)
    end })

  it("are limited by a pool that the step names", chat.test {
    files = some(", resources = { claude = 1 }"), answers = { default = chat.says("ok") },
    config = ", resources = { claude = 1 }", agents = ("dev = { %s }"):format(http("m")),
    args = "run w -j 6", after = function(dir)
      assert.are.equal(1, runs.most_at_once(runs.last(dir), function(id)
        return id:find("^r%[")
      end))
    end })

  it("are good enough with a quorum", chat.test {
    files = work([[o.group "judges" { policy = { "quorum", need = 2 },
      o.step "x" { agent = "one" }, o.step "y" { agent = "two" }, o.step "z" { agent = "three" } },
      o.step "end" { run = "echo over", after = "judges" },]]),
    answers = { m2 = DOWN, default = chat.says("ok") },
    agents = ("one = { %s }, two = { %s }, three = { %s }"):format(http("m1"), http("m2"),
      http("m3")), args = "run w", stdout = { "failed     y", "ok         end" } })
end)

describe("a retry", function()
  it("by class leaves other failures alone", chat.test {
    files = work([[o.step "a" { agent = "dev", retry = { attempts = 3, delay = 0,
      on = "rate_limit" } },]]), answers = { ["1"] = chat.refuses(429, "slow"), default = DOWN },
    agents = ("dev = { %s }"):format(http("m")), args = "run w", code = 1, after = function(dir)
      assert.are.equal(2, chat.requests(dir))
    end })

  it("grows by words too; another word is refused", cli.run {
    files = { ["workflows/w.lua"] = cli.workflow([[o.step "a" { run = "exit 3",
      retry = { attempts = 4, delay = 0.01, backoff = "linear" } },]]) }, args = "run w", code = 1,
    after = function(dir)
      local waits = {}
      for i, e in ipairs(events(dir, "step_retry")) do waits[i] = e.delay end
      assert.are.same({ 0.01, 0.02, 0.03 }, waits)
    end,
    again = { files = { ["workflows/w.lua"] = cli.workflow([[o.step "a" { run = "exit 3",
      retry = { attempts = 4, backoff = "liner" } },]]) }, args = "run w", code = 3,
      stderr = { "retry.backoff 'liner' is not known", "did you mean 'linear'?" } } })

  it("of the dialect grows linearly when its backoff_strategy says so", cli.run {
    files = { ["workflows/w.yaml"] = [[
retry_config: { max_attempts: 3, backoff_strategy: linear, initial_delay_ms: 10, retryable_errors: [timeout] }
steps:
  - step: 1
    agent: dev
    outputs: [x.json]
]], ["orrery.lua"] = 'return { agents = { dev = { run = "true" } } }' }, args = "run w", code = 1,
    after = function(dir)
      local waits = {}
      for i, e in ipairs(events(dir, "step_retry")) do waits[i] = e.delay end
      assert.are.same({ 0.01, 0.02 }, waits)
    end })
end)
