-- Resources: capacities, rates, what is too much.
local fakes = dofile("tests/lua/fakes.lua")

local function users(n, resources, takes)
  local members = {}
  for i = 1, n do
    members[i] = { id = "s" .. i, resources = resources, act = { takes = takes or 1 } }
  end
  return members
end

describe("resources", function()
  after_each(fakes.clean)

  it("bound how many run at once, whatever -j says", function()
    local record, exec = fakes.run(users(4, { gpu = 1 }), { jobs = 8, resources = { gpu = 2 } })
    assert.are.equal(2, exec.most)
    assert.are.equal(2, record.seconds)
  end)

  it("come from orrery.lua, and --resources overrules it", function()
    local _, exec = fakes.run(users(4, { gpu = 1 }), { jobs = 8,
      config = { resources = { gpu = 1 } }, resources = { gpu = 3 } })
    assert.are.equal(3, exec.most)
  end)

  it("let those run that need none while others wait", function()
    local members = users(2, { gpu = 1 }, 5)
    members[3] = { id = "free", act = { takes = 1 } }
    local _, exec = fakes.run(members, { jobs = 8, resources = { gpu = 1 } })
    assert.are.equal(0, exec.now.free)
    assert.are.equal(5, exec.now.s2)
  end)

  it("asked for beyond the capacity are an error before anything runs", function()
    local ok, err = pcall(fakes.run, users(1, { gpu = 4 }), { resources = { gpu = 2 } })
    assert.is_false(ok)
    assert.are.equal("invalid", err.code)
    assert.matches("s1 asks for 4 gpu, and there are 2", err.message)
  end)

  it("of the machine that nobody declared are taken whole instead", function()
    local record = fakes.run(users(1, { cpu = 10000 }))
    assert.are.equal(0, record.code)
  end)

  it("without a capacity are not limited, and a warning says so", function()
    local record, exec, events = fakes.run(users(2, { fpga = 1 }), { jobs = 8 })
    assert.are.equal(0, record.code)
    assert.are.equal(2, exec.most)
    local text
    for _, ev in ipairs(events) do
      if ev.ev == "message" then text = ev.text end
    end
    assert.matches("resource 'fpga' has no capacity", text)
  end)

  it("may be a function, asked when the step is ready", function()
    local _, exec = fakes.run(users(3, function(ctx) return { gpu = ctx.attempt } end),
      { jobs = 8, resources = { gpu = 1 } })
    assert.are.equal(1, exec.most)
  end)

  it("that cannot be computed fail their step", function()
    local record = fakes.run(users(1, function() error("no idea") end))
    assert.are.equal("failed", record.steps.s1.status)
    assert.matches("no idea", record.steps.s1.error.message)
  end)

  it("that are rates refill with time", function()
    local record, exec = fakes.run(users(4, { tpm = 50 }, 0), { jobs = 8,
      resources = { tpm = { 100, per = 10 } } })
    assert.are.same({ 0, 0 }, { exec.now.s1, exec.now.s2 })
    assert.is_true(exec.now.s3 >= 5 and exec.now.s3 < 5.1)
    assert.is_true(exec.now.s4 >= 10 and exec.now.s4 < 10.1)
    assert.are.equal(0, record.code)
  end)

  it("that a big step waits for are not taken by small ones for ever", function()
    local members = { { id = "first", resources = { gpu = 1 }, act = { takes = 1 } },
      { id = "big", resources = { gpu = 2 }, act = { takes = 1 } } }
    for i = 1, 40 do
      members[#members + 1] = { id = "s" .. i, resources = { gpu = 1 },
        act = { takes = 1 + i % 2 / 2 } }
    end
    local _, exec = fakes.run(members, { jobs = 8, resources = { gpu = 2 } })
    assert.is_true(exec.now.big < 10)
  end)

  it("may be templates", function()
    local wf = fakes.workflow(users(2, { gpu = "{{params.n}}" }))
    wf.values = { n = 2 }
    local _, exec = fakes.run(wf, { jobs = 8, resources = { gpu = 2 } })
    assert.are.equal(1, exec.most)
  end)
end)

describe("a rate of tokens", function()
  after_each(fakes.clean)

  -- What each call of an agent really uses, as run.meter tells it.
  local function users_of(n, asked, used)
    local members = {}
    for i = 1, n do
      members[i] = { id = "s" .. i, kind = "agent", resources = { tpm = asked },
        act = { takes = 1, uses = used } }
    end
    return members
  end

  local function starts(used, asked)
    local _, exec = fakes.run(users_of(3, asked or 60, used), { jobs = 8,
      resources = { tpm = { 60, per = 60 } } })
    return { exec.now.s1, exec.now.s2, exec.now.s3 }
  end

  local function roughly(want, have)
    for i, t in ipairs(want) do
      assert.is_true(math.abs(t - have[i]) < 0.1, ("%s: %s, not %s"):format(i, have[i], t))
    end
  end

  it("counts what was reserved while nothing else is known", function()
    roughly({ 0, 60, 120 }, starts(nil))
  end)

  it("gets back what a call did not use", function()
    roughly({ 0, 30, 60 }, starts(30))
  end)

  it("is owed what a call used beyond its estimate", function()
    roughly({ 0, 90, 180 }, starts(90))
  end)

  it("costs nothing when the call did not happen", function()
    roughly({ 0, 1, 2 }, starts(false))
  end)
end)
