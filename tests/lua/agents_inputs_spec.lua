local inputs = require("orrery.model.agents.inputs")

local function one(text) return inputs.read(text)[1] end

describe("an input of an agent step", function()
  it("names the step it comes from, with its exact id", function()
    assert.are.same({ name = "plan.json", from = "0.10", optional = false },
      one("plan.json (from step 0.10)"))
  end)

  it("is optional in each of the spellings", function()
    for _, text in ipairs { "x.json (optional, from step 1.5)", "x.json (from step 1.5, optional)",
      "x.json (from step 1.5, if available)" } do
      assert.are.same({ name = "x.json", from = "1.5", optional = true }, one(text))
    end
    assert.are.same({ name = "schema", optional = true }, one("schema (optional)"))
  end)

  it("keeps any other note, and needs none", function()
    assert.are.same({ name = "req", optional = false, note = "markdown file" },
      one("req (markdown file)"))
    assert.are.same({ name = "user_requirements", optional = false }, one("user_requirements"))
  end)

  it("may have another that stands in for it", function()
    local list = inputs.read("req (or short.json from step 0.5 if file > 15KB)")
    assert.are.same({ name = "req", optional = false }, list[1])
    assert.are.same({ name = "short.json", from = "0.5", optional = true, instead_of = "req",
      note = "if file > 15KB" }, list[2])
  end)

  it("keeps templates in its name", function()
    assert.are.equal("plan-{{workflow_id}}.json", one("plan-{{workflow_id}}.json (from step 0)").name)
  end)
end)

describe("an output of an agent step", function()
  it("is an artifact, a file, a directory or the reasoning", function()
    local function kind(text, label) return inputs.output(text, label).kind end
    assert.are.equal("artifact", kind("plan-{{workflow_id}}.json"))
    assert.are.equal("artifact", kind("plan.md"))
    assert.are.equal("file", kind(".claude/a/b.json"))
    assert.are.equal("directory", kind("code-artifacts"))
    assert.are.equal("directory", kind("code-artifacts (simulated)"))
    assert.are.equal("reasoning", kind("a/b.json", "reasoning"))
  end)

  it("is optional only when its note says so", function()
    assert.is_true(inputs.output("a.md (optional)").optional)
    assert.is_false(inputs.output("a.json (partial)").optional)
  end)

  it("is primary when it is the first JSON that is no reasoning", function()
    assert.are.equal(3, inputs.primary { { name = "a.md", kind = "artifact" },
      { name = "r.json", kind = "reasoning" }, { name = "b.json", kind = "artifact" },
      { name = "c.json", kind = "artifact" } })
    assert.is_nil(inputs.primary { { name = "a.md", kind = "artifact" } })
  end)
end)
