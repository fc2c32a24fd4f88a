-- Gates of agent steps end to end: scores by a rubric, checks by name, the user's own, the
-- verdict, and what nobody can check.
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")

-- Writes play/STEP-ATTEMPT, else play/STEP, into made.json.
local agent = [[#!/bin/sh
cat > request
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" request | head -1; }
step=$(field step); attempt=$(sed -n 's/.*"attempt":\([0-9]*\).*/\1/p' request)
cp request request-$step-$attempt
out=$ORRERY_ARTIFACTS/made.json
if [ -f "play/$step-$attempt" ]; then cp "play/$step-$attempt" "$out"; else cp "play/$step" "$out"; fi
]]

local function workflow(validation)
  return ([[
name: w
steps:
  - step: 1
    agent: dev
    outputs: [made.json]
    validation: %s
    retry: { max_attempts: 2 }
]]):format(validation)
end

local function test(t)
  t.files["agent.sh"] = agent
  local one = t
  while one do
    one.args = one.args:gsub("AGENT", "--agent '*=./agent.sh'")
    one = one.again
  end
  return cli.run(t)
end

local function verdict(dir) return json.decode(cli.read(dir .. "/gates/1.json")) end

describe("a gate", function()
  it("refuses a secret that an agent wrote, tells it, and takes the better one", test {
    files = { ["workflows/w.yaml"] = workflow(
      "{ security_checks: [no_hardcoded_secrets], gate: gates/1.json }"),
      ["play/1-1"] = '{"db":{"password":"hunter2"}}', ["play/1-2"] = '{"db":{"password":"{PW}"}}' },
    args = "run w AGENT", code = 0, stdout = "no_hardcoded_secrets: made.json#/db/password",
    after = function(dir)
      local again = json.decode(cli.read(dir .. "/request-1-2"))
      assert.are.same({ "made.json#/db/password: a literal value for 'password' (7 characters)" },
        again.feedback)
      local v = verdict(dir)
      assert.are.equal("passed", v.status)
      assert.are.same({ { name = "no_hardcoded_secrets", passed = true } }, v.validations)
    end,
    again = { args = "run w AGENT", code = 0, stdout = "restored   1" },
  })

  it("fails with its own exit code, and its verdict says what blocks", test {
    files = { ["workflows/w.yaml"] = workflow(
      "{ custom_checks: [dependencies_mapped], gate: gates/1.json }"), ["play/1"] = "{}" },
    args = "run w AGENT", code = 4, stderr = "no artifact has a list of features",
    after = function(dir)
      local v = verdict(dir)
      assert.are.same({ "failed", false }, { v.status, v.allowed })
      assert.are.same({ "dependencies_mapped: no artifact has a list of features" }, v.blockers)
    end,
  })

  it("asks the user's check of a name first, and again when it has changed", test {
    files = { ["workflows/w.yaml"] = workflow("{ custom_checks: [no_hardcoded_secrets, short] }"),
      ["checks/no_hardcoded_secrets.lua"] = "return function() return true end\n",
      ["checks/short.lua"] = [[
return function(it)
  if #it.artifacts[1].text > 50 then return false, it.value.text .. " is too long" end
end
]], ["play/1"] = '{"text":"a","password":"hunter2"}' },
    args = "run w AGENT", code = 0,
    again = { args = "run w AGENT", code = 0, stdout = "restored   1",
      again = { files = { ["checks/short.lua"] = "return { check = function(it) return { 'no ' .."
        .. " it.value.text } end }\n" }, args = "run w AGENT", code = 4, stderr = "short: no a" } },
  })

  it("takes module:function, and says when there is none", test {
    files = { ["workflows/w.yaml"] = workflow("{ custom_checks: ['my.gates:fine'] }"),
      ["lua/my/gates.lua"] = "return { fine = function(it) return it.step == '1' end }\n",
      ["play/1"] = "{}" },
    args = "run w AGENT", code = 0,
    again = { files = { ["lua/my/gates.lua"] = "return {}\n" }, args = "run w AGENT", code = 4,
      stderr = "module 'my.gates' has no function 'fine'" },
  })

  it("with a check nobody knows is unchecked, said loudly, an error under --strict", test {
    files = { ["workflows/w.yaml"] = workflow(
      "{ custom_checks: [no_hardcoded_secret, tea_is_hot], gate: gates/1.json }"),
      ["play/1"] = "{}" },
    args = "check w", code = 0, stderr = { "workflows/w.yaml:6",
      "no check is called 'no_hardcoded_secret'", "did you mean 'no_hardcoded_secrets'?",
      "write checks/tea_is_hot.lua" },
    again = { args = "run w AGENT", code = 0, stderr = "1 gate passed unchecked: step 1",
      after = function(dir)
        local v = verdict(dir)
        assert.are.equal("unchecked", v.status)
        assert.are.equal(2, #v.warnings)
      end,
      again = { args = "run w --strict AGENT", code = 3, stderr = "no check is called",
        again = { args = "check w --strict", code = 3 } } },
  })

  local rubric = '{"criteria":[{"name":"Completeness","weight":0.75},{"name":"risk",'
    .. '"weight":0.25}]}'

  it("computes the score by the rubric, whatever the rating claims", test {
    files = { ["workflows/w.yaml"] = workflow(
      "{ minimum_score: 7, rubric_file: rubric.json, gate: gates/1.json }"),
      ["rubric.json"] = rubric,
      ["play/1"] = '{"overall_score":9,"rubric_scores":{"completeness":6,"risk":8}}' },
    args = "run w --cache=off AGENT", code = 4, stderr = { "the score is 6.5, below the minimum of 7 "
      .. "(by the weights of 2 criteria; the rating says 9)" },
    again = { files = { ["play/1"] = '{"rubric_scores":[{"name":"completeness","score":8},'
      .. '{"name":"risk","score":6}]}' }, args = "run w --cache=off AGENT", code = 0, after = function(dir)
      local one = verdict(dir).validations[1]
      assert.are.same({ "score of at least 7", true, 7.5, "7.5, by the weights of 2 criteria" },
        { one.name, one.passed, one.score, one.message })
    end,
    again = { files = { ["play/1"] = '{"rubric_scores":{"risk":9}}' }, args = "run w --cache=off AGENT",
      code = 4, stderr = "the rating has no score for completeness" } },
  })

  it("reads the total when the rating has nothing else, and says so", test {
    files = { ["workflows/w.yaml"] = workflow(
      "{ minimum_score: 7, rubric_file: rubric.json, gate: gates/1.json }"),
      ["rubric.json"] = rubric, ["play/1"] = '{"overall_score":7}' },
    args = "run w AGENT", code = 0, after = function(dir)
      assert.are.equal("7, as overall_score says", verdict(dir).validations[1].message)
    end,
    again = { files = { ["play/1"] = "{}" }, args = "run w --cache=off AGENT", code = 4,
      stderr = "there is no score: write scores { completeness, risk } into the rating",
    again = { files = { ["rubric.json"] = "{" }, args = "run w AGENT", code = 4,
      stderr = "the rubric cannot be used" } },
  })

  it("is passed by the mock, checks and rubric included", test {
    files = { ["workflows/w.yaml"] = workflow([[{ minimum_score: 7, rubric_file: rubric.json,
      custom_checks: [all_critical_features_preserved, acceptance_criteria_included,
      dependencies_mapped, no_api_errors], security_checks: [no_hardcoded_secrets,
      all_secrets_use_references, resource_names_have_suffixes,
      connection_strings_use_placeholders] }]]), ["rubric.json"] = rubric },
    args = "run w --agent mock", code = 0,
  })
end)
