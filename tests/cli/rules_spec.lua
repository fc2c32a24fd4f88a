-- orrery agents rules, and rules that agents are given.
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")

local files = { ["orrery.lua"] = 'return { rules = "docs/rules" }',
  ["docs/rules/ts.mdc"] = "---\ndescription: TypeScript\nglobs: *.ts\n---\n<validation>\n"
    .. "forbidden_patterns:\n  - pattern: \": any\"\n    message: no any\n    severity: error\n"
    .. "    fix: \": unknown\"\n</validation>\n",
  ["docs/rules/c.md"] = "---\nglobs: *.c\n---\n",
  ["src/a.ts"] = "let a: any;\n" }

local function with(more)
  local out = {}
  for k, v in pairs(files) do out[k] = v end
  for k, v in pairs(more) do out[k] = v end
  return out
end

describe("orrery agents rules", function()
  it("is found, has help, and knows its verbs", cli.run { files = files, args = "agents rules help",
    code = 2, stderr = "cannot 'help'", again = { args = "agents", code = 0, stdout = "rules  ",
      again = { args = "help agents rules", code = 0, stdout = "--only-rule" } } })
  it("names the nearest", cli.run { files = files, args = "agents rulse index", code = 2,
    stderr = "did you mean 'rules'" })
  it("indexes where orrery.lua says", cli.run { files = files, args = "agents rules index",
    code = 0, stdout = "2 rules, 2 globs, 1 check" })
  it("says where it looked when there are none", cli.run { files = {}, args = "agents rules index",
    code = 2, stderr = "no rules are found in rules, .cursor/rules, .claude/rules" })
  it("lists a file's rules", cli.run { files = files, args = "agents rules for src/a.ts",
    code = 0, stdout = "docs/rules/ts.mdc  TypeScript" })
  it("refuses a file outside", cli.run { files = files, args = "agents rules for /etc/passwd",
    code = 2, stderr = "outside the root" })
  it("audits with exit 1 for errors", cli.run { files = files, args = "agents rules audit src",
    code = 1, stdout = "src/a.ts:1:6: error: no any [docs/rules/ts.mdc] (has a fix)",
    after = function(dir) assert.are.equal("let a: any;\n", cli.read(dir .. "/src/a.ts")) end })
  it("mends and says where the old file is", cli.run { files = files,
    args = "agents rules audit src --fix", code = 0, stdout = ".orrery/fixed/",
    after = function(dir) assert.are.equal("let a: unknown;\n", cli.read(dir .. "/src/a.ts")) end })
  it("reports to machines", cli.run { files = files, args = "agents rules audit src --json",
    code = 1, after = function(_, out)
      local doc = assert(json.decode(out.stdout))
      assert.are.equal("src/a.ts", doc.files_audited[1].path)
      assert.are.equal(1, doc.audit_summary.errors)
      assert.are.same({ "typescript" }, doc.technologies_detected)
    end })
end)

local AGENT = [=[
local json = require("orrery.core.json")
local doc = json.decode(io.read("a"))
local f <close> = assert(io.open(doc.root .. "/asked", "ab"))
local names = {}
for i, path in ipairs(doc.rules) do names[i] = path:match("[^/]*$") end
f:write(table.concat(names, " ") .. "\n")
]=]

describe("rules of agents", function()
  local all = with { ["agent.lua"] = AGENT, ["package.json"] = '{"devDependencies":{"typescript":"5"}}',
    ["docs/rules/vue/v.md"] = "", ["docs/rules/typescript/t.md"] = "",
    ["workflows/w.lua"] = 'local o = require("orrery")\nreturn o.workflow "w" {\n  o.step "a" { '
      .. 'agent = "dev", prompt = "x", inputs = { "src/a.ts" } } }' }
  local agent = ("run w --agent '*=%s lua agent.lua'"):format(cli.binary())

  it("are in the request, for its files and for the project, and in the key", function()
    cli.within(function(dir)
      local function run() return cli.exec(dir, agent) end
      assert.are.equal(0, run().code)
      assert.are.equal("ts.mdc t.md\n", cli.read(dir .. "/asked"))
      run()
      assert.are.equal("ts.mdc t.md\n", cli.read(dir .. "/asked")) -- nothing changed
      cli.write(dir .. "/docs/rules/vue/v.md", "changed, and not chosen")
      run()
      assert.are.equal("ts.mdc t.md\n", cli.read(dir .. "/asked"))
      cli.write(dir .. "/docs/rules/typescript/t.md", "changed")
      run()
      assert.are.equal("ts.mdc t.md\nts.mdc t.md\n", cli.read(dir .. "/asked"))
    end, all)
  end)
end)
