local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local load = require("orrery.model.load")
local project = dofile("tests/lua/project.lua")

local function flow(text, opts)
  opts = opts or {}
  opts.file = "x.yaml"
  return project.load(text, opts)
end

local function says(text, opts)
  opts = opts or {}
  opts.file = "x.yaml"
  return project.says(text, opts)
end

local function before(wf, id, of) return wf.graph:is_before(id, of) end

local function sorted(list)
  table.sort(list)
  return list
end

describe("the agent dialect", function()
  it("is recognised, and keeps the exact text of ids", function()
    local wf = flow([[
name: A Flow
description: What it is for.
steps:
  - { step: 0.10, agent: planner, outputs: [a.json] }
  - { step: 0.1, agent: qa, inputs: [a.json (from step 0.10)] }
]])
    assert.are.equal("agents", wf.form)
    assert.are.equal("A Flow", wf.name)
    assert.are.equal("agent", wf.by_id["0.10"].kind)
    assert.are.same({ "0.10" }, wf.by_id["0.1"].needs)
    assert.are.equal("settled", wf.top.policy.module)
  end)

  it("refuses a duplicate id instead of dropping a step", function()
    assert.truthy(says([[
steps:
  - { step: 1, agent: a }
  - { step: 1, agent: b }
]]):find("x.yaml:3:5: error: duplicate id '1'", 1, true))
  end)

  it("orders by data, and an optional input does not block", function()
    local wf = flow([[
steps:
  - { step: 1, agent: a, inputs: ["late.json (from step 3, if available)"] }
  - { step: 2, agent: a, inputs: ["x.json (from step 1)"] }
  - { step: 3, agent: a, outputs: [late.json] }
]])
    assert.are.same({ "3" }, wf.by_id["1"].after)
    assert.are.same({}, wf.by_id["1"].needs)
    assert.are.same({ "1" }, wf.by_id["2"].needs)
    assert.truthy(wf.warnings[1].text:find("'2' reads x.json from step '1', which does not "
      .. "declare it", 1, true))
  end)

  it("names a step that is not there, and a cycle", function()
    assert.truthy(says([[
steps:
  - { step: 1, agent: a, inputs: [x.json (from step 11)] }
]]):find("'1' reads x.json from step '11', which is not there", 1, true))
    assert.truthy(says([[
steps:
  - { step: a, agent: a, inputs: [y.json (from step b)], outputs: [x.json] }
  - { step: b, agent: a, inputs: [x.json (from step a)], outputs: [y.json] }
]]):find("cycle: a → b → a", 1, true))
  end)

  it("puts a rating gate before every later step, but not before what it waits for", function()
    local wf = flow([[
steps:
  - { step: 0, agent: planner, inputs: ["f.json (from step 0.5, optional)"], outputs: [p.json] }
  - { step: 0.1, agent: rater, type: validation, inputs: [p.json (from step 0)] }
  - { step: 0.5, agent: analyst, outputs: [f.json] }
  - { step: 1, agent: dev }
]])
    assert.is_true(before(wf, "0.1", "1"))
    assert.is_true(before(wf, "0.5", "0.1"))
    assert.is_false(before(wf, "0.1", "0.5"))
  end)

  it("puts a publish step after all others", function()
    local wf = flow([[
steps:
  - { step: 9, agent: o, skill: artifact-publisher, policy: auto-on-pass }
  - { step: 1, agent: a }
  - { step: 2, agent: a }
]])
    assert.are.same({ "1", "2" }, sorted(wf.by_id["9"].needs))
  end)

  it("makes one group of a parallel_group, and of neighbours that are parallel", function()
    local wf = flow([[
parallel_execution: { enabled: true, timeout_per_step: 1500 }
steps:
  - { step: 1, agent: a, parallel_group: 7, outputs: [a.json] }
  - { step: 2, agent: a, parallel_group: 7, inputs: ["a.json (from step 1, optional)"] }
  - { step: 3, agent: a, parallel: true }
  - { step: 4, agent: a, parallel: true }
]])
    assert.are.equal(wf.by_id["1"].group, wf.by_id["2"].group)
    assert.are.equal(wf.by_id["3"].group, wf.by_id["4"].group)
    assert.are_not.equal(wf.by_id["1"].group, wf.by_id["3"].group)
    assert.are.equal("settled", wf.by_id["1"].group.policy.module)
    assert.is_false(before(wf, "1", "2"))
    assert.are.equal(1.5, wf.by_id["4"].timeout)
  end)

  it("refuses a hard edge inside a group, unless asked to run it in order", function()
    local text = [[
steps:
  - { step: 1, agent: a, parallel_group: g, outputs: [a.json] }
  - { step: 2, agent: a, parallel_group: g, inputs: [a.json (from step 1)] }
]]
    local said = says(text)
    assert.truthy(said:find("'2' reads a.json from '1', which runs beside it", 1, true))
    assert.truthy(said:find("--sequential-fallback", 1, true))
    local wf = project.with({ ["workflows/x.yaml"] = text }, function(root)
      return load.file("workflows/x.yaml", { root = root, sequential_fallback = true })
    end)
    assert.is_true(before(wf, "1", "2"))
  end)

  it("goes in file order when parallel execution is off, and stops at once when told", function()
    local wf = flow([[
parallel_execution: { enabled: false, fail_fast: true }
steps:
  - { step: 1, agent: a, parallel_group: 1 }
  - { step: 2, agent: a, parallel_group: 1 }
  - { step: 3, agent: a }
]])
    assert.is_true(before(wf, "1", "2"))
    assert.is_true(before(wf, "2", "3"))
    assert.are.equal("fail_fast", wf.top.policy.module)
  end)

  it("gives typed values to whole templates, and names one without a value", function()
    local text = [[
inputs:
  rounds: { type: number, default: 3 }
  who: { type: string, required: true }
steps:
  - { step: 1, agent: "{{who}}", outputs: ["{{who}}-{{workflow_id}}.json", "out/{{lost}}.md"] }
]]
    local ok, e = pcall(flow, text)
    assert.is_false(ok)
    assert.are.equal("usage", e.code)
    assert.truthy(e.message:find("param 'lost' is required (for {{lost}} of step 1)", 1, true))
    assert.truthy(e.message:find("-p who=VALUE", 1, true))
    local wf = flow(text, { params = { who = "qa", lost = "found", rounds = "5" } })
    assert.are.equal("qa", wf.by_id["1"].action)
    assert.are.equal(5, wf.values.rounds)
    assert.are.equal("qa-x.json", wf.by_id["1"].agent_io.outputs[1].name)
    assert.are.equal("out/found.md", wf.by_id["1"].outputs[2].path)
  end)

  it("leaves no template over: not in prose an agent reads, nor one that is no name", function()
    local ok, e = pcall(flow, 'steps: [ { step: 1, agent: x, description: "for {{whom}}" } ]')
    assert.is_false(ok)
    assert.truthy(e.message:find("param 'whom' is required (for {{whom}} of step 1)", 1, true))
    local wf = flow('steps: [ { step: 1, agent: x, description: "{a} {{ b c }}" } ]')
    assert.are.equal("{a} {{ b c }}", wf.by_id["1"].prompt)
    assert.truthy(says('steps: [ { step: 1, agent: x, outputs: ["{a}.md", "x-{{b c}}.md"] } ]')
      :find("x.yaml:1:[%d]+: error: .*{{b c}} is no template"))
  end)

  it("asks for required inputs all at once", function()
    local ok, e = pcall(flow, [[
workflow_inputs: { required: [a, b], optional: [c] }
steps: [ { step: 1, agent: x, inputs: [a, c] } ]
]])
    assert.is_false(ok)
    assert.truthy(errors.text(e):find("'a' is required.*'b' is required"))
  end)

  it("keeps unknown keys as metadata at both levels", function()
    local wf = flow([[
trigger_keywords: [x]
steps: [ { step: 1, agent: x, plan_mode_integration: true, on_failure: "go back" } ]
]])
    assert.are.same({ trigger_keywords = { "x" } }, wf.meta)
    assert.are.same({ plan_mode_integration = true, on_failure = "go back" }, wf.by_id["1"].meta)
  end)

  it("says loudly which gates cannot be checked, and refuses them when strict", function()
    local text = [[
steps:
  - step: 1
    agent: x
    outputs: [a.json]
    validation: { schema: s/none.schema.json, gate: g/1.json }
]]
    assert.are.equal("x.yaml:5:27: warning: step '1': its gate is unchecked: the schema "
      .. "s/none.schema.json is not there", says(text))
    project.with({ ["workflows/x.yaml"] = text }, function(root)
      assert.is_false(pcall(load.file, "workflows/x.yaml", { root = root, strict = true }))
    end)
    assert.are.equal("", says(text, { files = { ["s/none.schema.json"] = "{}" } }))
  end)

  it("refuses a condition it cannot read to its end", function()
    assert.truthy(says([[
steps: [ { step: 1, agent: x, condition: "a == true or b whatever comes" } ]
]]):find("'whatever comes' is left over", 1, true))
  end)

  it("keeps outputs inside the root", function()
    assert.truthy(says('steps: [ { step: 1, agent: x, outputs: ["../a.json"] } ]')
      :find("error", 1, true))
    assert.truthy(says('steps: [ { step: 1, agent: x, outputs: ["/etc/a.json"] } ]')
      :find("error", 1, true))
  end)

  it("lets two steps make an artifact of one name, each its own", function()
    local wf = flow([[
steps:
  - { step: 1, agent: x, outputs: [code] }
  - { step: 2, agent: x, outputs: [code], inputs: [code (from step 1)] }
]])
    assert.are_not.equal(wf.by_id["1"].outputs[1].path, wf.by_id["2"].outputs[1].path)
    assert.are.equal(wf.by_id["1"].outputs[1].path, wf.by_id["2"].inputs[1].path)
  end)

  it("unrolls an iteration into bounded rounds with a condition", function()
    local wf = flow([[
inputs: { most: { type: number, default: 3 } }
steps:
  - { step: 0, agent: x }
  - { step: 1, agent: x, outputs: [score.json] }
  - { step: 2, agent: x, inputs: [score.json (from step 1)], outputs: [final.json] }
  - { step: 9, agent: x, policy: auto-on-pass }
iteration:
  max_iterations: "{{most}}"
  loop_back_step: 1
  condition: { type: and, checks: [ { field: final.ok, operator: "==", value: false } ] }
]])
    assert.is_not_nil(wf.by_id["2#3"])
    assert.is_nil(wf.by_id["0#2"])
    assert.is_nil(wf.by_id["1#4"])
    assert.is_true(before(wf, "2", "1#2"))
    assert.is_true(before(wf, "2#3", "9"))
    assert.are.equal("1#2", wf.by_id["2#2"].agent_io.inputs[1].from)
    assert.are.equal("function", type(wf.by_id["1#2"].when))
    assert.is_nil(wf.by_id["1"].when)
  end)

  it("reads phases, with decisions as conditions and one phase after the other", function()
    local wf = flow([[
phases:
  - phase: 0
    steps: [ { step: 0.1, agent: p, outputs: [p.json] } ]
  - phase: 1
    decision:
      type: has_ui
      if_yes: [ { step: 1.1, agent: ux } ]
      if_no: [ { skip_to: phase_3 } ]
  - phase: 2
    steps: [ { step: 2.1, agent: a } ]
  - phase: 3
    epic_loop: { story_loop: [ { step: 3.1, agent: dev } ] }
]], { params = { has_ui = "true" } })
    assert.is_true(before(wf, "0.1", "1.1"))
    assert.is_true(before(wf, "2.1", "3.1"))
    for _, id in ipairs { "1.1", "2.1" } do
      assert.are.equal("function", type(wf.by_id[id].when))
    end
    assert.is_nil(wf.by_id["3.1"].when)
  end)

  it("takes a branch as a list or as one map, and decisions in it", function()
    local wf = flow([[
phases:
  - phase: 1
    steps:
      - { step: 1.1, agent: a }
      - decision: { id: big, if_no: { skip_to: phase_3 }, if_yes: { steps: [ { step: 1.2, agent: a } ] } }
      - { step: 1.3, agent: a }
  - phase: 2
    steps: [ { step: 2.1, agent: a } ]
  - phase: 3
    steps:
      - { step: 3.1, agent: a }
      - decision:
          condition: big AND deep
          if_yes:
            - { step: 3.2, agent: a }
            - decision: { id: late, if_yes: { step: 3.3, agent: a } }
            - { loop_back: 3.1 }
          if_no: continue
      - { step: 3.4, agent: a }
]], { params = { max_iterations = 2 } })
    local asked = {}
    for _, s in ipairs(wf.steps) do asked[s.id] = type(s.when) end
    assert.are.same({ ["1.1"] = "nil", ["1.2"] = "function", ["1.3"] = "function",
      ["2.1"] = "function", ["3.1"] = "nil", ["3.2"] = "function", ["3.3"] = "function",
      ["3.4"] = "nil", ["3.1#2"] = "function", ["3.2#2"] = "function",
      ["3.3#2"] = "function" }, asked)
  end)

  it("refuses what it does not understand in a decision, which would lose steps", function()
    local function said(branch)
      return says("phases: [ { phase: 1, steps: [ { step: 1, agent: a }, { decision: { id: x, "
        .. branch .. " } } ] } ]")
    end
    assert.truthy(said("if_no: phase_3"):find("'phase_3' is not understood in a decision", 1, true))
    assert.truthy(said("if_no: { goto: 3 }"):find("'goto' is not understood in a decision", 1, true))
    assert.truthy(said("if_maybe: [ { step: 2, agent: a } ]"):find("a decision has no 'if_maybe'",
      1, true))
    assert.are.equal("", (said("if_yes: { continue: true }, if_no: { end: true }"):gsub(
      "^.-warning[^\n]*\n?", "")))
  end)
end)

local corpus = "../shared/corpus/workflows"

describe("the workflows people really wrote", function()
  local names = fs.list(corpus)
  if not names then
    pending("are not here: " .. corpus)
    return
  end
  for _, name in ipairs(names) do
    it("load unchanged: " .. name, function()
      local text = assert(fs.read(corpus .. "/" .. name))
      local wf = flow(text, { inspect = true })
      assert.are.equal("agents", wf.form)
      local _, n = text:gsub("\n%s*%- step:", "")
      local written = 0
      for _, s in ipairs(wf.steps) do
        if not s.id:find("#", 1, true) then written = written + 1 end
      end
      assert.are.equal(n, written)
      assert.are.equal(#wf.steps, #wf.graph.order)
    end)
  end

  it("takes phases as a map, in the order of the file, and id for step", function()
    local wf = flow([[
phases:
  zeta:
    steps: [{ id: one, agent: a }]
  alpha:
    steps: [{ id: two, agent: a }]
]])
    assert.is_true(before(wf, "one", "two"))
  end)

  it("reads tasks, artifacts, a list of validations and a primary agent", function()
    local wf = flow([[
name: pr
primary_agent: devops
steps:
  - id: step-1
    agent: dev
    description: Clean up.
    tasks: [remove caches, "list: files"]
    artifacts: [report.json]
    validation: [nothing is left]
    max_retries: 2
  - { id: b, description: Push., inputs: ["report.json (from step 1)", plan: "p/{{story_id}}.md"] }
]])
    local s = wf.by_id["step-1"]
    assert.are.equal("Clean up.\n\n- remove caches\n- list: files", s.prompt)
    assert.are.equal("report.json", s.agent_io.outputs[1].name)
    assert.are.same({ "nothing is left" }, s.agent_io.gate.checks)
    assert.are.equal(3, s.retry.attempts)
    assert.are.equal("devops", wf.by_id.b.action)
    assert.are.same({ "step-1" }, wf.by_id.b.needs)
    assert.are.equal("p/1.md", wf.by_id.b.agent_io.inputs[2].path)
  end)

  it("names the first steps that nobody does, and what their handlers are", function()
    local text = says([[
phases:
  evaluate:
    steps:
      - { id: a, action: function, handler: checkState }
      - { id: b, action: prompt }
      - { id: c, action: prompt }
      - { id: d, action: prompt }
]])
    assert.truthy(text:find("x.yaml:4:9: error: step 'a' has neither an agent nor a skill; "
      .. "'checkState' is a function of another engine; write agent: ROLE or skill: NAME", 1, true))
    assert.truthy(text:find("step 'c' has neither an agent nor a skill, nor have 1 more", 1, true))
    assert.falsy(text:find("step 'd'", 1, true))
  end)

  it("refuses a workflow without steps, and a delay that is no time", function()
    assert.truthy(says("phases: []"):find("x.yaml:1:9: error: the workflow has no steps", 1, true))
    assert.truthy(says([[
retry_config: { max_attempts: 2, initial_delay_ms: -1 }
steps: [ { step: 1, agent: a } ]
]]):find("initial_delay_ms is a time, 0 or more", 1, true))
  end)
end)
