-- The files of the agent-workflow dialect that people really wrote, unchanged: each is checked,
-- planned, drawn and converted, and runs to its end with the mock; a second run asks nobody.
local cli = require("tests.cli.harness")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")

local CORPUS = "../shared/corpus"

-- What the plan says is required; asked of the binary, so that no file is named here.
local function given(dir, name)
  local words = {}
  local said = cli.exec(dir, "plan " .. name .. " --agent mock").stderr
  for param in said:gmatch("give it: %-p ([%w_]+)=") do words[#words + 1] = "-p " .. param .. "=1" end
  return table.concat(words, " ")
end

local function done(dir, args)
  local r = cli.exec(dir, args)
  assert.are.equal(0, r.code, args .. "\n" .. r.stdout .. r.stderr)
  assert.is_nil(r.stderr:find("traceback", 1, true), r.stderr)
  return r.stdout
end

local function whole_way(name)
  cli.within(function(dir)
    assert(os.execute(("mkdir -p %s/.claude %s/workflows && cp -r %s/schemas %s/.claude/ && "
      .. "cp %s/workflows/%s.yaml %s/workflows/"):format(dir, dir, CORPUS, dir, CORPUS, name, dir)))
    done(dir, "check " .. name)
    local with = name .. " --agent mock " .. given(dir, name)
    done(dir, "plan " .. with)
    assert.matches("digraph", done(dir, ("graph %s --format dot %s"):format(name,
      given(dir, name))))
    local first = json.decode(done(dir, "run --json " .. with))
    assert.are.equal("ok", first.status)
    assert.is_true(first.usage.calls > 0)
    local again = json.decode(done(dir, "run --json " .. with))
    assert.are.equal("ok", again.status)
    assert.are.equal(0, again.usage and again.usage.calls or 0)
  end, {})
end

describe("a workflow people really wrote", function()
  local names = fs.list(CORPUS .. "/workflows")
  if not names then return pending("the corpus is not here") end
  table.sort(names)
  for _, file in ipairs(names) do
    local name = file:match("^(.*)%.yaml$")
    it("goes the whole way with the mock: " .. name, function() whole_way(name) end)
  end
end)
