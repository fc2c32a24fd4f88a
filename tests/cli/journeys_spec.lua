-- orrery agents journey: what people do with workflows and skills, from a registry.
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")

local function registry(list)
  return json.encode({ version = "1.0.0", cujs = list })
end

local WORKFLOW = "name: w\nsteps:\n  - step: 1\n    agent: dev\n    name: x\n    outputs: [a.json]\n"
local files = { ["journeys/registry.json"] = registry { { id = "J-1", name = "Build it",
    category = "Building", execution_mode = "workflow", workflow = ".claude/workflows/w.yaml",
    schemas = { ".claude/schemas/none.json" },
    skills = { { name = "rater", requires_cli = { "no-such-program" } } } },
  { id = "J-2", name = "Greet", execution_mode = "skill-only", primary_skill = "greet" },
  { id = "J-3", name = "Set up", execution_mode = "manual-setup",
    expected_outputs = { "a directory" }, file_path = "docs/j3.md" },
  { id = "J-4", name = "Nothing", execution_mode = "workflow" },
  { id = "J-5", name = "Prose", description = "Do as it says.", execution_mode = "skill-only",
    primary_skill = "write", skills = { { name = "write", location = ".x/skills/write" } } } },
  ["workflows/w.yaml"] = WORKFLOW,
  ["skills/greet.lua"] = "return function() print('hello') return 1 end",
  ["skills/write/SKILL.md"] = "Write a poem.\n", ["docs/j3.md"] = "by hand" }

local function test(t)
  t.files = t.files or files
  return cli.run(t)
end

describe("orrery agents journey", function()
  it("lists, by id, name and what runs", test { args = "agents journey list", code = 0,
    stdout = "J-2  Greet     skill greet" })
  it("lists some", test { args = "agents journey list 'Set*'", code = 0, stdout = { "J-3", "!J-1" } })
  it("shows one by id in any case", test { args = "agents journey show j-1", code = 0,
    stdout = ".claude/workflows/w.yaml" })
  it("names the nearest", test { args = "agents journey show J-11", code = 2,
    stderr = "did you mean 'J-1'" })
  it("says which schemas, programs and agents are missing, before it runs", test {
    args = "agents journey check J-1", code = 3, stdout = "J-1  blocked",
    stderr = "no executor is configured for dev", again = { args = "agents journey check J-1",
      code = 3, stderr = "its schema .claude/schemas/none.json is not there",
      again = { args = "agents journey run J-1", code = 3,
        stderr = "needs the program no-such-program" } } })
  it("runs a workflow found without its first directory", test {
    args = "agents journey run J-1 --agent mock", code = 0, stdout = "1 step: 1 ran" })
  it("is strict when asked to be", test { args = "agents journey run J-1 --agent mock --strict",
    code = 3, stderr = "J-1 cannot run" })
  it("runs a skill of code, remembered as one", test { args = "agents journey run J-2", code = 0,
    stdout = "hello", again = { args = "agents journey run J-2", code = 0, stdout = "up to date",
      again = { args = "agents journey run J-2 --cache=off", code = 0, stdout = "1 ran" } } })
  it("tells a skill of prose to an agent of its name", test {
    args = [[agents journey run J-5 --agent 'write=cat > asked']], code = 0,
    after = function(dir)
      local doc = assert(json.decode(cli.read(dir .. "/asked")))
      assert.are.equal("write", doc.role)
      assert.are.equal("Do as it says.\n\nWrite a poem.\n", doc.prompt)
    end })
  it("says what is done by hand", test { args = "agents journey run J-3", code = 0,
    stdout = "expected: a directory" })
  it("refuses one without a workflow", test { args = "agents journey run J-4", code = 3,
    stderr = "the registry names no workflow" })
  it("looks at all: doctor", test { args = "agents journey doctor --agent mock", code = 1,
    stdout = "5 journeys, 4 ready, 1 blocked" })
  it("tells of each that is blocked what blocks it, not what it might lack", test {
    args = "agents journey doctor", code = 1, stdout = { "5 journeys, 2 ready, 3 blocked",
      "J-1  blocked  no executor is configured for dev" },
    again = { args = "agents journey run J-1", code = 3,
      stderr = "J-1 cannot run: 1 finding stands in its way" } })
  it("says where registries are looked for", cli.run { files = {}, args = "agents journey list",
    code = 2, stderr = "journeys/registry.json" })
  it("refuses what is no registry, with its place", cli.run { code = 3,
    files = { ["journeys.json"] = '{"cujs": [}' }, args = "agents journey list",
    stderr = "journeys.json:1:11" })
  it("tells entries that cannot be", cli.run { code = 0, files = { ["journeys.json"] =
    registry { { name = "x" }, { id = "a", execution_mode = "dance" }, { id = "a" } } },
    args = "agents journey list", stderr = "entry 1 has no id" })
end)

describe("journeys of the corpus", function()
  local corpus = "../shared/corpus"
  it("are all listed and checked", function()
    if not cli.read(corpus .. "/journeys/registry.json") then
      return pending("the corpus is not here")
    end
    local doc = cli.within(function(dir)
      os.execute(("cp -r %s/. %s/"):format(corpus, cli.quote(dir)))
      local r = cli.exec(dir, "agents journey doctor --agent mock --json")
      return assert(json.decode(r.stdout))
    end, {})
    assert.are.equal(60, #doc.journeys)
    local ready = 0
    for _, one in ipairs(doc.journeys) do ready = ready + (one.ready and 1 or 0) end
    -- 15 by a workflow that is here, 2 by hand; 36 name no workflow, and none is guessed.
    assert.are.equal(17, ready)
  end)
end)
