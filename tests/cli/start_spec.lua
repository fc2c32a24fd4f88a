-- What a start costs is what it loads: the binary carries what most runs need, loaded
-- (core/host/image), and without that a plain run loads no module that it has no use for.
local cli = require("tests.cli.harness")

-- Runs the command line in a state of its own and says what was loaded: all that there is, or
-- what there was not before.
local script = [[
local before = {}
for name in pairs(arg[1] == "more" and package.loaded or {}) do before[name] = true end
require("orrery.face.main")({ [0] = "orrery", "run", "./w.lua", "-q" })
local mine = {}
for name in pairs(package.loaded) do
  if name:find("^orrery%.") and not before[name] then mine[#mine + 1] = name end
end
table.sort(mine)
print(table.concat(mine, "\n") .. "\n")
]]

local workflow = [[
local o = require("orrery")
return o.workflow "w" { o.step "a" { run = "true" } }
]]

local FOR_SOME = { "model.agents", "model.clauses", "model.expr", "model.fan", "model.mistakes",
  "model.params", "model.paths", "model.scope", "model.yaml", "kernel.misplaced",
  "kernel.nearest", "kernel.workers", "run.gates.approval", "run.body", "run.conditions",
  "run.keys.depfile", "run.memo.differ", "run.agents.executors", "run.graph.fanout",
  "run.gates.gate", "run.improve", "run.memo.locks", "run.memo", "run.services.readiness",
  "run.keys.recorded", "run.records.resume", "run.graph.retry", "run.keys.schemakeys",
  "run.graph.selection", "run.services.service", "core.git", "core.pool", "core.regex",
  "core.yaml", "knowledge.schema", "time", "steps.agent", "face.ask", "face.show.live" }

local expected = { "orrery.run.scheduler\n" }
for _, name in ipairs(FOR_SOME) do expected[#expected + 1] = "!orrery." .. name .. "\n" end

-- Sanitizers watch each block by itself; their binary carries no state.
local function has_image()
  local cache = cli.read(cli.binary():match("^(.*)/") .. "/CMakeCache.txt") or ""
  return not cache:find("ORRERY_SANITIZE:STRING=[^\n]")
end

describe("the start of orrery run", function()
  it("loads what the run needs, and not what only others do", cli.run {
    files = { ["s.lua"] = script, ["w.lua"] = workflow }, args = "lua s.lua",
    env = { ORRERY_LUA_DIR = cli.lua_dir() }, stdout = expected })

  it("is asked about modules that there are", function()
    for _, name in ipairs(FOR_SOME) do
      if not name:find("^core%.") then -- those are of C
        assert(io.open("lua/orrery/" .. name:gsub("%.", "/") .. ".lua")):close()
      end
    end
  end)
end)

if not has_image() then return end

local remembered = [[
local o = require("orrery")
return o.workflow "w" { o.step "b" { run = "cp a b", inputs = { "a" }, outputs = { "b" } },
  o.step "c" { run = "cp b c", inputs = { "b" }, outputs = { "c" } } }
]]

describe("what the binary carries loaded", function()
  it("is all that a plain run needs", cli.run {
    files = { ["s.lua"] = script, ["w.lua"] = workflow }, args = "lua s.lua more",
    stdout = "!orrery." })

  it("is all that a run needs that stores, finds all clean, or little changed", cli.run {
    files = { ["s.lua"] = script, ["w.lua"] = remembered, a = "1" }, args = "lua s.lua more",
    stdout = "!orrery.", again = { args = "run ./w.lua", stdout = "everything up to date",
      again = { args = "lua s.lua more", stdout = "!orrery.",
        again = { files = { a = "2" }, args = "lua s.lua more", stdout = "!orrery.",
          again = { args = "run ./w.lua", stdout = "everything up to date" } } } } })

  it("is a state like any: LUA_PATH counts", cli.run { files = {
    ["s.lua"] = 'print(require("there"))', ["there.lua"] = 'return "found"' },
    args = "lua s.lua", env = { LUA_PATH = "./?.lua" }, stdout = "found\t" })

  it("is a state like any: its random numbers are its own", cli.run {
    files = { ["s.lua"] = "print(math.random(1 << 60))" },
    shell = "$orrery lua s.lua > a; $orrery lua s.lua > b; cmp -s a b; echo $?",
    stdout = "1\n" })

  it("is a state like any: the standard files work, and finalisers run at the end", cli.run {
    files = { ["s.lua"] = [[
      last = setmetatable({}, { __gc = function() io.stdout:write("finalised\n") end })
      io.stderr:write("said\n")
      print(io.read("l"))
      io.output():write("written\n")
    ]] }, args = "lua s.lua", stdin = "read\n", stdout = "read\nwritten\nfinalised\n",
    stderr = "said\n" })

  it("leaves os.exit its code", cli.run {
    files = { ["s.lua"] = "io.write('x') os.exit(3, true)" }, args = "lua s.lua", code = 3,
    stdout = "x" })

  it("has what each command begins with", cli.run { files = { ["s.lua"] = [[
      local had = {}
      for name in pairs(package.loaded) do
        if name:find("^orrery%.") and not name:find("%.core%.") then
          had[#had + 1], package.loaded[name] = name, nil
        end
      end
      require("orrery.face.ready")
      table.sort(had)
      for _, name in ipairs(had) do
        if not package.loaded[name] then print(name) end
      end]] }, args = "lua s.lua", after = function(_, r)
    assert.are.equal("orrery.face.cmd.lua\n", r.stdout)
  end })

  it("is made once", cli.run { args = "--make-image x", code = 7,
    stderr = "the image cannot be made: this binary has one" })
end)
