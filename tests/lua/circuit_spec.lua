-- Circuit breakers on virtual time: what opens one, who is the probe, what closes it. And the
-- waits between tries.
local circuit = require("orrery.run.agents.circuit")
local loop = require("orrery.kernel.loop")
local retry = require("orrery.run.graph.retry")
local virtual = require("orrery.kernel.virtual")

-- A run, and a function that makes a call which ends with an error of a class, or well.
local function new()
  local l = loop.new(virtual.new())
  local run = { loop = l, circuits = {}, said = {}, journal = {} }
  function run.journal.emit(_, ev)
    if ev.ev == "circuit" then run.said[#run.said + 1] = ev.state end
  end
  local function call(class, conf, takes)
    local pass <close> = circuit.enter(run, "dev", conf)
    if pass.error then return pass.error end
    if takes then loop.sleep(takes) end
    pass.came = { error = class and { class = class } or nil }
    return class or "ok"
  end
  local function within(fn) return l:run(l:task("test", fn)) end
  return run, call, within
end

local CONF = { failures = 2, open = 10 }

describe("a circuit", function()
  it("opens after failures in a row, and says for how long", function()
    local run, call, within = new()
    within(function()
      assert.are.equal("network", call("network", CONF))
      assert.are.equal("timeout", call("timeout", CONF))
      loop.sleep(4)
      local err = call(nil, CONF)
      assert.are.equal("circuit", err.class)
      assert.are.equal(6, err.retry_after)
      assert.is_true(err.wait)
    end)
    assert.are.same({ "open" }, run.said)
  end)

  it("is closed by default for four failures, open for thirty seconds after the fifth", function()
    local _, call, within = new()
    within(function()
      for _ = 1, 5 do assert.are.equal("network", call("network")) end
      assert.are.equal(30, call(nil).retry_after)
    end)
  end)

  it("counts no bad work, and begins anew after an answer", function()
    local run, call, within = new()
    within(function()
      for _, class in ipairs { "network", "schema", "network", "gate", "outputs", "exit:1" } do
        assert.are.equal(class, call(class, CONF))
      end
      call("network", CONF)
      call(nil, CONF)
      assert.are.equal("network", call("network", CONF))
      assert.are.equal("ok", call(nil, CONF))
    end)
    assert.are.same({}, run.said)
  end)

  it("lets one probe through, whose success closes it for those that waited", function()
    local run, call, within = new()
    local order = {}
    within(function()
      call("network", CONF)
      call("network", CONF)
      loop.sleep(10)
      local others = {}
      for i = 1, 3 do
        others[i] = run.loop:task("t" .. i, function()
          local came = call(nil, CONF, 5)
          order[#order + 1] = { i, came, run.loop:now() }
        end)
      end
      for _, t in ipairs(others) do t:wait() end
    end)
    assert.are.same({ { 1, "ok", 15 }, { 2, "ok", 20 }, { 3, "ok", 20 } }, order)
    assert.are.same({ "open", "half", "closed" }, run.said)
  end)

  it("opens anew when the probe fails, also for those that waited", function()
    local run, call, within = new()
    within(function()
      call("network", CONF)
      call("network", CONF)
      loop.sleep(10)
      local probe = run.loop:task("probe", function() return call("network", CONF, 1) end)
      local other = run.loop:task("other", function() return call(nil, CONF) end)
      probe:wait()
      local _, err = other:wait()
      assert.are.equal("circuit", err.class)
      assert.are.equal(10, err.retry_after)
    end)
    assert.are.same({ "open", "half", "open" }, run.said)
  end)

  it("has another probe when the first was cancelled", function()
    local run, call, within = new()
    within(function()
      call("network", CONF)
      call("network", CONF)
      loop.sleep(10)
      local probe = run.loop:task("probe", function() return call(nil, CONF, 100) end)
      local other = run.loop:task("other", function() return call(nil, CONF) end)
      loop.sleep(1)
      probe:cancel(require("orrery.kernel.errors").new("cancelled", "cancelled"))
      local _, came = other:wait()
      assert.are.equal("ok", came)
    end)
    assert.are.same({ "open", "half", "half", "closed" }, run.said)
  end)

  it("is none when orrery.lua says so", function()
    local _, call, within = new()
    within(function()
      for _ = 1, 9 do assert.are.equal("network", call("network", false)) end
    end)
  end)
end)

describe("the wait before the next try", function()
  local function waits(spec, random)
    local out = {}
    for i = 1, 4 do out[i] = retry.delay(spec, i, random) end
    return out
  end

  it("grows as backoff says, up to max_delay", function()
    assert.are.same({ 1, 2, 4, 8 }, waits { delay = 1, backoff = 2 })
    assert.are.same({ 1, 2, 3, 4 }, waits { delay = 1, backoff = "linear" })
    assert.are.same({ 1, 1, 1, 1 }, waits { delay = 1, backoff = 1 })
    assert.are.same({ 1, 3, 5, 5 }, waits { delay = 1, backoff = 3, max_delay = 5 })
  end)

  it("with jitter is between half of it and all", function()
    local spec = { delay = 4, backoff = 1, jitter = true }
    assert.are.same({ 2, 2, 2, 2 }, waits(spec, function() return 0 end))
    assert.are.same({ 3, 3, 3, 3 }, waits(spec, function() return 0.5 end))
  end)

  it("is never shorter than what the service asks for", function()
    assert.are.equal(7, retry.delay({ delay = 1 }, 1, nil, 7))
    assert.are.equal(1, retry.delay({ delay = 1 }, 1, nil, 0.2))
  end)

  it("is not waited for when the service asks for more than anybody's patience", function()
    local function due(seconds, most)
      return retry.due({ attempts = 2, max_delay = most }, 1,
        { error = { class = "rate_limit", retry_after = seconds } })
    end
    assert.is_true(due(900, 60))
    assert.is_false(due(901, 60))
    assert.is_true(due(3600, 3600))
    assert.is_false(due(3601, 3600))
  end)
end)
