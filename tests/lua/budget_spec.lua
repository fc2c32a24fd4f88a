-- Budgets and what they go by: limits, what is set aside, medians of earlier calls, usage.
local budget = require("orrery.run.agents.budget")
local history = require("orrery.run.agents.history")
local usage = require("orrery.run.records.usage")

local AGENT = { id = "a", kind = "agent" }
local COMMAND = { id = "c", kind = "run" }

local function refused(b, step, expected)
  local ok, err = pcall(b.launch, b, step, expected)
  assert.is_false(ok)
  assert.are.equal("budget", err.code)
  assert.are.equal("budget", err.class)
  return err.message
end

local function done(loan, used)
  local _ <close> = loan
  loan.used = used
end

describe("a budget", function()
  local function of(limits, clock) return budget.new(limits, clock or function() return 0 end) end

  it("without limits lets everything through, and counts", function()
    local b = of()
    done(b:launch(AGENT), { tokens_in = 5, cost_usd = 2 })
    assert.are.equal(math.huge, b.left.usd)
    assert.are.same({ usd = 2, tokens = 5, steps = 1 }, b.spent)
  end)

  it("sets aside what is expected until the call has ended", function()
    local b = of { tokens = 100 }
    local one = b:launch(AGENT, { tokens = 60, calls = 3 })
    assert.are.equal(40, b.left.tokens)
    assert.matches("40 of 100 tokens left, 60 tokens expected %(the median of 3 earlier calls%)",
      refused(b, AGENT, { tokens = 60, calls = 3 }))
    done(one, { tokens_in = 10, tokens_out = 5 })
    assert.are.equal(85, b.left.tokens)
    assert.are.equal(0, b.reserved.tokens)
  end)

  it("spends nothing for a call that was cancelled, once only for one that ended", function()
    local b = of { usd = 1 }
    done(b:launch(AGENT, { usd = 0.7 }), nil)
    assert.are.equal(1, b.left.usd)
    local loan = b:launch(AGENT, { usd = 0.7 })
    done(loan, { cost_usd = 0.2 })
    done(loan, nil)
    assert.are.equal(0.8, b.left.usd)
  end)

  it("of time is over when the clock says so, or when there is too little for a step", function()
    local now = 0
    local b = of({ time = 10 }, function() return now end)
    b:launch(COMMAND, { time = 9 })
    now = 4
    assert.matches("6.0 of 10.0 s left, 9.0 s expected", refused(b, COMMAND, { time = 9 }))
    now = 11
    assert.matches("0.0 of 10.0 s left", refused(b, COMMAND))
  end)

  it("that is used up refuses agents, not commands, and never what cleans up", function()
    local b = of { tokens = 10, steps = 3 }
    b:spend { tokens_in = 12 }
    refused(b, AGENT)
    b:launch(COMMAND)
    refused(b, COMMAND, { tokens = 1 })
    b:launch { id = "f", kind = "agent", final = true }
  end)

  it("takes each limit from the first that has it", function()
    assert.are.same({ usd = 1, tokens = 2, steps = 0 }, budget.limits({ usd = 1 }, nil,
      { usd = 5, tokens = 2 }, { tokens = 9, steps = 0 }))
  end)
end)

describe("what is known of earlier calls", function()
  local function index()
    local kept = {}
    return { get = function(_, k) return kept[k] end, put = function(_, k, v) kept[k] = v end }
  end

  it("is the median of a step's last nine, in this run and in later ones", function()
    local at = index()
    local h = history.open(at, "w")
    for _, n in ipairs { 100, 7, 3, 1, 5, 9, 2, 8, 4, 6 } do
      h:used(AGENT, "dev", { tokens_in = n, cost_usd = n / 10 })
    end
    assert.are.equal(5, h:expects(AGENT, "dev").tokens)
    local later = history.open(at, "w"):expects(AGENT, "dev")
    assert.are.equal(5, later.tokens)
    assert.are.equal(0.5, later.usd)
    assert.are.equal(9, later.calls)
  end)

  it("is the role's where the step never ran, of any workflow", function()
    local at = index()
    local h = history.open(at, "w")
    h:used(AGENT, "dev", { tokens_in = 2 })
    h:used({ id = "b" }, "dev", { tokens_in = 4 })
    assert.are.equal(3, history.open(at, "other"):expects({ id = "new" }, "dev").tokens)
    assert.is_nil(h:expects({ id = "new" }, "qa").calls)
  end)
end)

describe("usage", function()
  it("is priced when the answer names no cost", function()
    assert.are.same({ tokens_in = 1000, tokens_out = 100, cost_usd = 0.0045 },
      usage.of({ tokens_in = 1000, tokens_out = 100 }, { input = 3, output = 15 }))
    assert.are.equal(9, usage.of({ tokens_in = 1, cost_usd = 9 }, { input = 3 }).cost_usd)
  end)

  it("is nothing where nothing sensible is said", function()
    assert.is_nil(usage.of("much"))
    assert.is_nil(usage.of({ tokens_in = -4, cost_usd = 0 / 0 }))
    assert.is_nil(usage.of({ tokens_in = "many" }))
  end)

  it("totals calls, and what was saved beside them", function()
    local total
    for _, ev in ipairs {
      { ev = "agent_call", usage = { tokens_in = 1, cost_usd = 1 } }, { ev = "agent_call" },
      { ev = "step_finished", saved_usage = { tokens_out = 5 } },
      { ev = "hits", usage = { x = { tokens_out = 2 }, y = { cost_usd = 3 } } },
      { ev = "step_retry", usage = { tokens_in = 99 } },
    } do total = usage.take(total, ev) end
    assert.are.same({ calls = 2, tokens_in = 1, cost_usd = 1,
      saved = { calls = 3, tokens_out = 7, cost_usd = 3 } }, total)
  end)
end)
