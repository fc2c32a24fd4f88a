-- orrery agents convert: the Lua it prints plans and draws as the YAML it comes from.
local cli = require("tests.cli.harness")
local condition = require("orrery.model.agents.condition")
local fs = require("orrery.core.fs")
local spell = require("orrery.model.agents.spell")

local corpus = "../shared/corpus/workflows"

local function same(dir, params)
  params = params or ""
  local made = cli.exec(dir, "agents convert ./x.yaml")
  assert.are.equal("", made.stderr)
  assert.are.equal(0, made.code)
  cli.write(dir .. "/y.lua", made.stdout)
  for _, view in ipairs { "plan --json --agent mock", "graph", "graph --format=dot" } do
    local plan = view:find("^plan") and " " .. params or ""
    local a, b = cli.exec(dir, view .. " ./x.yaml" .. plan), cli.exec(dir, view .. " ./y.lua" .. plan)
    assert.are.equal(0, a.code, a.stderr)
    assert.are.equal(a.stdout, b.stdout, view .. b.stderr)
  end
  return made.stdout
end

local function files(text)
  return { ["orrery.lua"] = "return {}", ["x.yaml"] = text, ["workflows/inner.yaml"] =
    "inputs: { goal: { type: string }, n: { type: integer } }\nsteps: [ { step: 1, agent: i } ]" }
end

local function test(text, check, params)
  return function()
    cli.within(function(dir)
      local lua = same(dir, params)
      if check then check(lua, dir) end
    end, files(text))
  end
end

local FLOW = [[
name: Small Flow
description: What it is for.
project_type: web
workflow_inputs: { required: [goal], optional: [hint] }
retry_config: { max_attempts: 3, initial_delay_ms: 10, backoff_strategy: exponential, retryable_errors: [timeout] }
fallback_agents: { planner: [architect, planner, pm] }
steps:
  - step: 0
    agent: planner
    name: Plan
    description: Make the plan {{plan_id}}.
    inputs: [goal, hint (optional)]
    outputs: ["plan-{{workflow_id}}.json", { reasoning: why/plan.json }]
    validation: { schema: schemas/plan.json, gate: "gates/{{workflow_id}}/plan.json" }
  - step: 0.1
    agent: rater
    type: validation
    inputs: ["plan-{{workflow_id}}.json (from step 0)"]
    validation: { minimum_score: 7, rubric_file: rubric.json, custom_checks: [dependencies_mapped] }
    retry: { max_attempts: 2, on_failure: escalate_to_human }
  - step: 0.5
    agent: scout
    optional: true
    outputs: [map.md]
  - { step: 1, agent: dev, parallel_group: work, inputs: ["map.md (from step 0.5, if available)"], outputs: [code] }
  - { step: 2, agent: qa, parallel_group: work, condition: "plan.risk >= moderate OR NOT (hint == 'no' AND goal)" }
  - { step: 9, agent: boss, skill: artifact-publisher, policy: auto-on-pass, condition: "validation_status == 'pass'" }
]]

describe("orrery agents convert", function()
  it("says where the ids come from that the YAML does not give", test(FLOW, function(lua)
    local said = lua:find("-- epic_id, plan_id, run_id, story_id and workflow_id are params of the "
      .. "YAML dialect\n  -- itself, for its templates; <run> becomes the id of the run\n", 1, true)
    assert.is_truthy(said, lua)
    assert.is_true(said < lua:find('run_id = "run-<run>"', 1, true))
  end, "-p goal=x"))
  it("writes inputs, gates, groups, retries and edges as fields", test(FLOW, function(lua)
    for _, text in ipairs {
      'return o.workflow "Small Flow"', "-- not used: project_type",
      'goal = o.param { required = true }',
      'reads = { "goal", { "hint", optional = true } }',
      '"plan-{{params.workflow_id}}.json"', 'kind = "reasoning"',
      'fallback = { "architect", "pm" }', 'behind = "0.1"',
      'retry = o.merge(retry, { attempts = 2 })', 'on_failure = "escalate_to_human"',
      'o.group "parallel:work" { policy = "settled"',
      "o.condition \"plan.risk >= 'moderate' OR NOT (hint == 'no' AND goal)\"",
      'needs = "*"', 'uses = { skill = "artifact-publisher" }',
      '{ "map.md", from = "0.5", optional = true }',
      'Make the plan {{params.plan_id}}.' } do
      assert.truthy(lua:find(text, 1, true), text .. "\n" .. lua)
    end
  end, "-p goal=ship"))

  it("runs to the end as the YAML did, and takes its results from the cache", test([[
steps:
  - { step: 0, agent: a, outputs: [a.json] }
  - { step: 1, agent: b, inputs: ["a.json (from step 0)"], outputs: [b.md], validation: { gate: "gate.json" } }
]], function(_, dir)
    local first = cli.exec(dir, "run ./x.yaml --agent mock")
    assert.are.equal(0, first.code, first.stderr)
    local second = cli.exec(dir, "run ./y.lua --agent mock")
    assert.are.equal(0, second.code, second.stderr)
    assert.truthy((second.stdout .. second.stderr):find("2 steps: 2 restored", 1, true))
  end))

  it("keeps a bounded loop, whose rounds are steps", test([[
iteration:
  max_iterations: "{{max_rounds}}"
  loop_back_step: 1
  condition: { type: and, checks: [{ field: score.total, operator: "<", value: "{{goal}}" }] }
inputs:
  max_rounds: { type: integer, default: 3 }
  goal: { type: number, default: 8 }
steps:
  - { step: 0, agent: a }
  - { step: 1, agent: a, parallel: true, outputs: [score.json] }
  - { step: 2, agent: a, parallel: true, inputs: [iteration_count] }
  - { step: 9, agent: a, policy: auto-on-pass }
]], function(lua, dir)
    assert.truthy(lua:find('from = "1", to = "2", max = "{{params.max_rounds}}"', 1, true), lua)
    assert.truthy(lua:find('again = o.condition "score.total < goal"', 1, true), lua)
    local plan = cli.exec(dir, "plan ./y.lua --agent mock -p max_rounds=2").stdout
    assert.truthy(plan:find("1#2", 1, true))
    assert.falsy(plan:find("1#3", 1, true))
  end))

  it("keeps phases, decisions and loops over stories", test([[
phases:
  - phase: 1
    steps:
      - { step: 1, agent: a, outputs: [story.json] }
      - decision: { id: big, if_yes: [{ step: 1.5, agent: b }, { skip_to: phase_3 }] }
  - phase: 2
    steps: [{ step: 2, agent: a }]
  - phase: 3
    epic_loop:
      steps: [{ step: 3.1, agent: a }]
      story_loop:
        - { step: 3.2, agent: a, task: "Story {{story_id}}", outputs: ["s-{{story_id}}.json"] }
        - decision: { id: more_stories, if_yes: { loop_back: 3.2 }, if_no: { continue: true } }
        - { step: 3.3, agent: a }
]], function(lua)
    assert.truthy(lua:find('counter = "story_id"', 1, true), lua)
    assert.truthy(lua:find('before = { "3.3" }', 1, true), lua)
    assert.truthy(lua:find('when = o.condition "NOT big"', 1, true), lua)
  end, "-p max_iterations=3 -p big=yes"))

  it("keeps a workflow within, what it is given and what others read of it", test([[
steps:
  - { step: 1, agent: a, outputs: [a.json] }
  - { step: 2, workflow: inner, with: { goal: "{{workflow_id}}", n: 2 }, condition: a.x > 1,
      inputs: [a.json (from step 1)], outputs: [b.json] }
  - { step: 3, agent: b, inputs: [b.json (from step 2)] }
]], function(lua)
    assert.truthy(lua:find('workflow = "inner"', 1, true), lua)
    assert.truthy(lua:find('with = { goal = "{{params.workflow_id}}", n = 2 }', 1, true), lua)
    assert.truthy(lua:find('reads = { { "b.json", from = "2" } }', 1, true), lua)
  end))

  it("writes the order of a file whose steps go one after the other", test([[
parallel_execution: { enabled: false, timeout_per_step: 1500 }
steps:
  - { step: 1, agent: a, parallel_group: x }
  - { step: 2, agent: a, parallel_group: x }
  - { step: 3, agent: a }
]], function(lua) assert.truthy(lua:find("timeout = 1.5", 1, true), lua) end))

  it("refuses what is none of the dialect", cli.run { files = files(
    "steps:\n  - { id: a, run: 'true' }\n"), args = "agents convert ./x.yaml", code = 2,
    stderr = "is no workflow of the agent dialect" })

  it("converts every file of the corpus", function()
    local list = fs.list(corpus)
    if not list or #list == 0 then return pending("needs the corpus of agent workflows beside the checkout") end
    for _, name in ipairs(list) do
      cli.within(function(dir)
        local missing = cli.exec(dir, "plan ./x.yaml").stderr
        local params = {}
        for one in missing:gmatch("param '([^']+)' is required") do
          params[#params + 1] = "-p " .. one .. "=src"
        end
        local ok, why = pcall(same, dir, table.concat(params, " "))
        assert(ok, name .. ": " .. tostring(why))
      end, files(cli.read(corpus .. "/" .. name)))
    end
  end)

  it("writes conditions that read back as the same tree", function()
    for _, text in ipairs { "a", "a OR b AND NOT c", "(a OR b) AND c", "a and (b and c)",
      "file_size(x) > 15KB", "changed('src/**')", "plan.complexity >= moderate",
      "plan includes UI components", "plan matches security keywords (auth, two words, 'x y')",
      "v.list.length > -1.5", "not (a == null) or b != true", 'a == "it\'s"',
      "r.json:field.x <= 2", "NOT NOT a", "(a == b) == false" } do
      local tree = condition.parse(text)
      assert.are.same(tree, condition.parse(spell.condition(tree)), text)
    end
  end)
end)

describe("steps with artifacts in Lua", function()
  local function says(text, message, args)
    return cli.run { files = { ["orrery.lua"] = "return {}", ["x.lua"] =
      'local o = require("orrery")\nreturn o.workflow "x" {\n' .. text .. "\n}\n" },
      args = args or "check ./x.lua", code = 3, stderr = message }
  end

  it("refuse an unknown field of a read", says(
    'o.step "a" { agent = "a", reads = { { "x", form = "b" } } }',
    "x.lua:3: error: reads: unknown field 'form' of x; did you mean 'from'?"))
  it("refuse a read from a step that is not there", says(
    'o.step "a" { agent = "a", reads = { { "x", from = "b" } } }',
    "'a' reads x from step 'b', which is not there"))
  it("refuse inputs beside reads", says(
    'o.step "a" { agent = "a", reads = { "x" }, inputs = { "y" } }',
    "'inputs' stands beside reads or artifacts"))
  it("refuse a loop without a condition", says(
    'loops = { { from = "a", max = 2 } }, o.step "a" { agent = "a" }', "again = o.condition"))
  it("refuse a loop from nowhere", says(
    'loops = { { from = "b", max = 2, again = o.condition "x" } }, o.step "a" { agent = "a" }',
    "there are no steps from 'b' to 'the end'"))
  it("refuse a condition that cannot be read", says(
    'o.step "a" { agent = "a", when = o.condition "x ==" }', "x.lua:3: error: condition 'x =='"))
  it("refuse a when that is a plain table", says(
    'o.step "a" { agent = "a", when = {} }', "when is text, a function or o.condition"))
  it("take a condition on a command, too", cli.run { files = { ["orrery.lua"] = "return {}",
    ["x.lua"] = [[
local o = require("orrery")
return o.workflow "x" { params = { risk = "low" },
  o.step "a" { run = "echo careful", when = o.condition "risk >= medium" } }
]] }, args = "run ./x.lua -p risk=high", code = 0, stdout = "careful", next = {
    args = "run ./x.lua", code = 0, stderr = "skipped" } })
end)
