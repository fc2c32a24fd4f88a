-- Agent workflows from end to end, with an agent that is a script: it writes what it is
-- asked for, and what lies in play/STEP-ATTEMPT or play/STEP changes how it behaves.
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")

local corpus = "../shared/corpus"

local AGENT = [=[
local json = require("orrery.core.json")
local sample = require("orrery.knowledge.sample")
local doc = json.decode(io.read("a"))

local function play(name)
  local f <close> = io.open(doc.root .. "/play/" .. name, "rb")
  return f and f:read("a")
end
local told = play(doc.step .. "-" .. doc.attempt) or play(doc.step) or ""

local log <close> = assert(io.open(doc.root .. "/calls", "ab"))
log:write(("%s %s %d %s\n"):format(doc.step, doc.role, doc.attempt,
  table.concat(doc.feedback, "|")))
local requests <close> = assert(io.open(doc.root .. "/request-" .. doc.step, "wb"))
requests:write(json.encode(doc))
if told:find("^exit ") then os.exit(tonumber(told:match("%d+"))) end

for _, o in ipairs(doc.outputs) do
  local text = "made by " .. doc.role .. "\n"
  if o.primary and told ~= "" and not told:find("^say ") then
    text = told
  elseif o.path:find("%.json$") then
    local f = type(o.schema) == "string" and io.open(o.schema, "rb")
    local schema = f and json.decode(f:read("a"), { last_wins = true })
    text = json.encode(schema and sample.of(schema, doc.params) or { overall_score = 9 })
  end
  local path = o.kind == "directory" and o.path .. "/main.c" or o.path
  os.execute("mkdir -p '" .. path:match("^(.*)/") .. "'")
  local out <close> = assert(io.open(path, "wb"))
  out:write(text)
end
print("a line of its log")
print(told:match("^say (.*)$") or json.encode({ status = "ok", value = { step = doc.step } }))
]=]

local function agent()
  return ("--agent '*=%s lua agent.lua'"):format(cli.binary())
end

local function files(more)
  local out = { ["agent.lua"] = AGENT }
  for k, v in pairs(more) do out[k] = v end
  return out
end

local function calls(dir) return cli.read(dir .. "/calls") or "" end

local function test(t)
  t.files = files(t.files)
  local one = t
  while one do
    one.args = one.args:gsub("AGENT", function() return agent() end)
    one = one.again
  end
  return cli.run(t)
end

local TWO = [[
retry_config: { max_attempts: 2, initial_delay_ms: 0, retryable_errors: [timeout] }
fallback_agents: { dev: [qa, dev, qa, boss] }
steps:
  - step: 1
    agent: dev
    description: Make a thing for {{workflow_id}} in {{run_id}}.
    inputs: [wish, "notes.md (optional)"]
    outputs: [thing.json, src, { reasoning: why/1.json }]
    validation: { schema: thing.schema.json, gate: gates/1.json }
  - step: 2
    agent: qa
    inputs: [thing.json (from step 1), src (from step 1)]
    outputs: [report.json]
]]

local SCHEMA = '{"type":"object","required":["name"],"properties":{"name":{"type":"string"}}}'

local function two(more)
  local out = { ["workflows/two.yaml"] = TWO, ["thing.schema.json"] = SCHEMA }
  for k, v in pairs(more or {}) do out[k] = v end
  return out
end

describe("an agent workflow", function()
  it("runs to the end, and repeats nothing that is paid for", test {
    files = two(), args = "run two AGENT", stdout = { "ok         1", "a line of its log" },
    stderr = "!notes.md", after = function(dir)
      assert.are.equal("1 dev 1 \n2 qa 1 \n", calls(dir))
      local verdict = json.decode(cli.read(dir .. "/gates/1.json"))
      assert.are.equal("passed", verdict.status)
      assert.is_true(verdict.allowed)
    end,
    again = { args = "run two AGENT -p wish=", code = 0,
      after = function(dir)
        assert.are.equal("1 dev 1 \n2 qa 1 \n1 dev 1 \n", calls(dir),
          "another input is another request, an equal artifact stops it there")
      end,
      again = { args = "run two AGENT", code = 0, stdout = "restored   1",
        after = function(dir)
          assert.are.equal(3, select(2, calls(dir):gsub("\n", "")))
          local p <close> = io.popen("ls -d '" .. dir .. "'/.orrery/runs/*/artifacts/src/main.c")
          assert.are.equal(3, select(2, p:read("a"):gsub("\n", "")))
        end } },
  })

  it("asks with absolute paths, digests, params and the artifact directory", test {
    files = two(), args = "run two AGENT -p wish=peace",
    after = function(dir)
      local one = json.decode(cli.read(dir .. "/request-1"))
      assert.are.equal(1, one.v)
      assert.are.equal("dev", one.role)
      assert.are.same({ plan_id = "plan-two", workflow_id = "two", wish = "peace",
        run_id = "run-" .. one.run }, one.params)
      assert.truthy(one.prompt:find("for two in run-" .. one.run, 1, true))
      assert.are.equal(one.root .. "/.orrery/runs/" .. one.run .. "/artifacts", one.artifacts)
      assert.are.equal("notes.md", one.inputs[2].name)
      assert.is_true(one.inputs[2].missing)
      assert.is_false(one.inputs[1].missing)
      assert.are.same({ "artifact", "directory", "reasoning" },
        { one.outputs[1].kind, one.outputs[2].kind, one.outputs[3].kind })
      assert.is_true(one.outputs[1].primary)
      assert.are.equal(one.root .. "/thing.schema.json", one.outputs[1].schema)
      assert.are.equal(one.root .. "/why/1.json", one.outputs[3].path)
      local second = json.decode(cli.read(dir .. "/request-2"))
      assert.are.equal("1", second.inputs[1].from)
      assert.are.equal(64, #second.inputs[1].digest)
    end,
  })

  it("tells the next attempt what its gate refused", test {
    files = two { ["play/1-1"] = '{"title":"x"}' }, args = "run two AGENT",
    after = function(dir)
      local text = calls(dir)
      assert.truthy(text:find("^1 dev 1 \n1 dev 2 [^\n]*'name' is missing"), text)
      assert.truthy(text:find("\n2 qa 1", 1, true))
    end,
  })

  it("asks the fallback agents in order, none twice, then fails", test {
    files = two { ["play/1"] = "{}" }, args = "run two AGENT", code = 1,
    stderr = { "'name' is missing", "skipped because of it: 2" },
    after = function(dir)
      local order = {}
      for line in calls(dir):gmatch("[^\n]+") do order[#order + 1] = line:match("^%S+ (%S+)") end
      assert.are.same({ "dev", "dev", "qa", "boss" }, order)
      assert.are.equal("failed", json.decode(cli.read(dir .. "/gates/1.json")).status)
    end,
  })

  it("remembers what a fallback agent made, too", test {
    files = two { ["play/1-1"] = "exit 3" }, args = "run two AGENT", code = 0,
    after = function(dir)
      assert.truthy(calls(dir):find("^1 dev 1 [^\n]*\n1 qa 2 "), calls(dir))
    end,
    again = { args = "run two AGENT", code = 0, stdout = "restored   1" },
  })

  it("never passes {} through a gate", test {
    files = two { ["play/1"] = "{}" }, args = "run two AGENT", code = 1,
  })

  it("counts a missing output as a failure and an answer of failed as one", test {
    files = two { ["play/1"] = 'say {"status":"failed","error":{"class":"tired","message":"no"}}' },
    args = "run two AGENT", code = 1, stderr = "1: no",
  })

  it("refuses a low score with the gate's own exit code", test {
    files = { ["workflows/rate.yaml"] = [[
steps:
  - { step: 0, agent: planner, outputs: [plan.json] }
  - step: 0.1
    agent: judge
    type: validation
    inputs: [plan.json (from step 0)]
    outputs: [rating.json]
    validation: { minimum_score: 7, rubric_file: rubric.json, gate: gates/0.1.json }
  - { step: 1, agent: dev }
]], ["rubric.json"] = "{}", ["play/0.1"] = '{"overall_score":5}' },
    args = "run rate AGENT", code = 4,
    stderr = { "the score is 5, below the minimum of 7", "skipped because of it: 1" },
    again = { files = { ["play/0.1"] = "{}" }, args = "run rate AGENT", code = 4,
      stderr = "there is no score",
      again = { files = { ["play/0.1"] = '{"overall_score":7}' }, args = "run rate AGENT",
        code = 0 } },
  })

  it("sends what a rating refuses back to its maker, and remembers the better one", test {
    files = { ["workflows/rate.yaml"] = [[
steps:
  - { step: 0, agent: planner, outputs: [plan.json] }
  - step: 0.1
    agent: judge
    type: validation
    inputs: [plan.json (from step 0)]
    outputs: [rating.json]
    validation: { minimum_score: 7, rubric_file: rubric.json }
    retry: { max_attempts: 3 }
  - { step: 1, agent: dev, inputs: [plan.json (from step 0)] }
]], ["rubric.json"] = "{}", ["play/0-1"] = '{"plan":"poor"}', ["play/0-2"] = '{"plan":"good"}',
      ["play/0.1-1"] = '{"overall_score":5}' },
    args = "run rate AGENT", code = 0,
    stdout = "retry      0  attempt 1: refused by 0.1: the score is 5",
    after = function(dir)
      local order = {}
      for line in calls(dir):gmatch("[^\n]+") do
        order[#order + 1] = line:match("^%S+ %S+ %d+")
      end
      assert.are.same({ "0 planner 1", "0.1 judge 1", "0 planner 2", "0.1 judge 2", "1 dev 1" },
        order)
      local seen = json.decode(cli.read(dir .. "/request-1"))
      assert.are.equal('{"plan":"good"}', cli.read(seen.inputs[1].path))
    end,
    again = { args = "run rate AGENT", code = 0, stdout = "restored   0",
      after = function(dir)
        assert.are.equal(5, select(2, calls(dir):gsub("\n", "")), "nothing is asked again")
      end },
  })

  it("goes on with independent steps after a failure, and does not publish", test {
    files = { ["workflows/wide.yaml"] = [[
steps:
  - { step: 1, agent: a, outputs: [x.json] }
  - { step: 2, agent: a, outputs: [y.json] }
  - { step: 3, agent: a, inputs: [x.json (from step 1)] }
  - { step: 4, agent: a, inputs: [y.json (from step 2)] }
  - { step: 5, agent: a, policy: auto-on-pass, condition: "validation_status == 'pass'",
      inputs: [artifact-registry.json] }
]], ["play/1"] = "exit 1" },
    args = "run wide AGENT", code = 1, stderr = "skipped because of it: 3, 5",
    after = function(dir)
      assert.truthy(calls(dir):find("\n4 a 1", 1, true))
      assert.is_nil(calls(dir):find("5 a", 1, true))
    end,
    again = { files = { ["play/1"] = "" }, args = "run wide AGENT", code = 0,
      after = function(dir)
        local doc = json.decode(cli.read(dir .. "/request-5"))
        local registry = cli.read(doc.inputs[1].path)
        assert.truthy(registry and registry:find("x.json", 1, true))
      end },
  })

  it("repeats rounds while the condition holds, and no longer", test {
    files = { ["workflows/loop.yaml"] = [[
inputs: { goal: { type: number, default: 90 } }
steps:
  - { step: 1, agent: dev, inputs: [iteration_count], outputs: [work.json] }
  - { step: 2, agent: qa, inputs: [work.json (from step 1)], outputs: [final-score.json] }
  - { step: 3, agent: o, policy: auto-on-pass }
iteration:
  max_iterations: 4
  loop_back_step: 1
  condition:
    type: and
    checks:
      - { field: final_score, operator: "<", value: "{{goal}}" }
      - { field: iteration_count, operator: "<", value: 4 }
]], ["play/2"] = '{"final_score":50}', ["play/2#2"] = '{"final_score":95}' },
    args = "run loop AGENT", code = 0,
    after = function(dir)
      local order = {}
      for line in calls(dir):gmatch("[^\n]+") do order[#order + 1] = line:match("^%S+") end
      assert.are.same({ "1", "2", "1#2", "2#2", "3" }, order)
      assert.are.equal(2, json.decode(cli.read(dir .. "/request-1#2")).params.iteration_count)
    end,
  })

  it("takes the loops of stories as often as they ask, within the bound given", test {
    files = { ["workflows/book.yaml"] = [[
phases:
  - phase: 0
    epic_loop:
      steps: [ { step: 1, agent: pm, outputs: [sprint.json] } ]
      story_loop:
        - { step: 2, agent: pm, outputs: ["story-{{story_id}}.json"] }
        - step: 3
          agent: dev
          inputs: ["story-{{story_id}}.json (from step 2)"]
          outputs: ["code-{{story_id}}.json"]
        - decision: { type: review_pass, if_fail: { loop_back: 3 }, if_pass: { continue: true } }
        - decision: { type: more_stories, if_yes: { loop_back: 2 }, if_no: { continue: true } }
      after_stories: [ { step: 4, agent: pm } ]
]], ["play/2"] = '{"more_stories":true}', ["play/3"] = '{"review_pass":false}',
      ["play/3#2"] = '{"review_pass":true}',
      ["play/3#story-2"] = '{"review_pass":false}', ["play/3#2#story-2"] = '{"review_pass":true}',
      ["play/2#story-2"] = '{"more_stories":false}' },
    args = "run book AGENT -p max_iterations=2", code = 0,
    after = function(dir)
      local order = {}
      for line in calls(dir):gmatch("[^\n]+") do
        local id = line:match("^%S+")
        if id ~= "1" then order[#order + 1] = id end -- which nothing orders before them
      end
      assert.are.same({ "2", "3", "3#2", "2#story-2", "3#story-2", "3#2#story-2", "4" }, order)
      local last = json.decode(cli.read(dir .. "/request-3#story-2"))
      assert.are.equal("story-2.json", last.inputs[1].name)
      assert.is_false(last.inputs[1].missing)
    end,
  })

  it("says how to configure an executor, before anything runs", test {
    files = two(), args = "run two", code = 2,
    stderr = { "no executor is configured for the agents dev, qa", "--agent '*=CMD'",
      "--agent mock" },
    after = function(dir) assert.are.equal("", calls(dir)) end,
  })

  it("takes executors from orrery.lua, and prefers the command line", test {
    files = two { ["orrery.lua"] = [[return { agents = { ["*"] = { run = { "false" } } } }]] },
    args = "run two AGENT", code = 0,
  })

  it("says what was unchecked at the end, and refuses it when strict", test {
    files = { ["workflows/two.yaml"] = TWO }, args = "run two AGENT", code = 0,
    stderr = "1 gate passed unchecked: step 1",
    after = function(dir)
      assert.are.equal("unchecked", json.decode(cli.read(dir .. "/gates/1.json")).status)
    end,
    again = { args = "run two AGENT --strict", code = 3, stderr = "its gate is unchecked" },
  })

  it("ends an agent that takes too long, with all it started", test {
    files = { ["workflows/slow.yaml"] = [[
parallel_execution: { enabled: true, timeout_per_step: 300 }
steps: [ { step: 1, agent: a } ]
]] }, args = "run slow --agent '*=sleep 60'", code = 1, stderr = "timed out after 300ms",
  })

  it("tells its metadata and nothing else with check -v", test {
    files = { ["workflows/m.yaml"] = [[
completion_criteria: [done]
steps: [ { step: 1, agent: a, plan_mode_integration: true } ]
]] }, args = "check m -v", code = 0, stderr = { "kept as metadata, not used: completion_criteria",
      "1: kept as metadata, not used: plan_mode_integration" },
  })

  it("gives a native step the answer as its value, checked by returns", test {
    files = { ["workflows/n.lua"] = [[
local o = require("orrery")
return o.workflow "n" { result = "{{results.ask.value.n}}",
  o.step "ask" { agent = "judge", prompt = "how many?", inputs = {}, gate = nil,
    returns = { type = "object", required = { "n" }, properties = { n = { type = "integer" } } } },
}]], ["play/ask"] = 'say {"status":"ok","value":{"n":4}}' },
    args = "run n AGENT --json", code = 0, stdout = '"result": 4',
    again = { files = { ["play/ask"] = 'say {"status":"ok","value":{"m":4}}' },
      args = "run n AGENT --force", code = 1, stderr = "'n' is missing",
      again = { args = "run n --agent mock", code = 0 } },
  })

  it("has another workflow as a step, by name or file, and reads what that made", test {
    files = { ["workflows/outer.yaml"] = [[
steps:
  - { step: 1, agent: a, outputs: [a.json] }
  - { step: 2, workflow: .claude/workflows/inner.yaml, with: { goal: "of {{workflow_id}}" },
      inputs: ["a.json (from step 1)"], outputs: [b.json] }
  - { step: 3, agent: c, inputs: ["b.json (from step 2)"], outputs: [c.md] }
]], ["workflows/inner.yaml"] = [[
inputs: { goal: { type: string, required: true } }
steps: [ { step: 1, agent: b, inputs: [goal, a.json], outputs: [b.json] } ]
]] }, args = "run outer AGENT", stdout = { "ok         2/1", "ok         3" }, stderr = "!warning",
    after = function(dir)
      assert.are.equal("1 a 1 \n1 b 1 \n3 c 1 \n", calls(dir))
      assert.is_false(json.decode(cli.read(dir .. "/request-3")).inputs[1].missing)
      assert.are.equal("of outer", json.decode(cli.read(dir .. "/request-1")).params.goal)
      local shown = cli.exec(dir, "artifact show b.json").stdout
      assert.matches("step +2/1\n", shown)
      assert.matches("made from +[^\n]*/a.json %(step 1%)", shown)
      assert.matches("read by +3\n", shown)
    end,
    again = { args = "run outer --agent a=true --agent c=true", code = 2,
      stderr = "no executor is configured for the agent b", after = function(dir)
        assert.are.equal("1 a 1 \n1 b 1 \n3 c 1 \n", calls(dir))
      end,
    again = { files = { ["workflows/outer.yaml"] =
      "steps: [ { step: 1, workflow: iner } ]", ["workflows/third.yaml"] =
      "steps: [ { step: 2, name: x } ]" }, args = "check outer third", code = 3,
      stderr = { "there is no workflow 'iner'; did you mean 'inner'?",
        "step '2' has neither an agent nor a skill; write agent: ROLE, skill: NAME or workflow" } } },
  })

  it("runs a skill written in Lua", test {
    files = { ["workflows/s.yaml"] = 'steps: [ { step: 1, skill: greet, inputs: [who] } ]',
      ["skills/greet.lua"] = "return function(ctx) print('hello ' .. ctx.step.id) return 7 end" },
    args = "run s", code = 0, stdout = "hello 1",
  })
end)

local function corpus_files(name)
  local text = cli.read(corpus .. "/workflows/" .. name .. ".yaml")
  if not text then return nil end
  local out = { ["workflows/" .. name .. ".yaml"] = text }
  local p <close> = io.popen("ls '" .. corpus .. "/schemas'")
  for file in p:lines() do
    out[".claude/schemas/" .. file] = cli.read(corpus .. "/schemas/" .. file)
  end
  return out
end

describe("a workflow people really wrote", function()
  for _, name in ipairs { "quick-flow", "greenfield-fullstack" } do
    local found = corpus_files(name)
    if not found then
      pending(name .. " is not here: " .. corpus)
    else
      it("runs to the end with a scripted agent: " .. name, test {
        files = found, args = "run " .. name .. " AGENT", code = 0,
        again = { args = "run " .. name .. " AGENT --json", code = 0,
          after = function(dir, r)
            local doc = json.decode(r.stdout)
            assert.are.equal(0, doc.code or 0)
            local seen = {}
            for line in calls(dir):gmatch("[^\n]+") do
              assert.is_nil(seen[line], "asked twice: " .. line)
              seen[line] = true
            end
          end },
      })
    end
  end
end)
