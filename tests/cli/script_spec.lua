-- eval, lua and repl without a terminal.
local cli = require("tests.cli.harness")

describe("a function given to the cache", function()
  local files = { ["s.lua"] = [[
local c <close> = require("orrery.cache").open { dir = "c" }
local n, opts = 0, arg[1] and { version = 1 } or nil
local function count(p)
  n = n + 1
  return p.x
end
for i = 1, 3 do print(i, select(2, c:get_or_compute("x", { x = 1 }, count, opts))) end
]] }
  it("that counts in what it captured is told so once", cli.run { files = files, args = "lua s.lua",
    stdout = "1\tfalse\n2\tfalse\n3\tfalse", after = function(_, r)
      assert.truthy(r.stderr:find("s.lua:3: the function given to cache.get_or_compute changed 'n', which", 1, true))
      assert.equal(1, select(2, r.stderr:gsub("warn: ", "")))
    end })
  it("may do so when it says who it is", cli.run { files = files, args = "lua s.lua yes",
    stdout = "1\tfalse\n2\ttrue\n3\ttrue", stderr = "!warn" })
end)

describe("orrery eval", function()
  it("prints values", cli.run { args = [['1 + 1, "text", { a = 1 }']],
    shell = [[$orrery eval '1 + 1, "text", { a = 1 }']], stdout = "2\ntext\n{ a = 1 }\n" })

  it("prints JSON", cli.run { args = [[eval --json 'fs.glob("*.c")']],
    files = { ["a.c"] = "", ["b.h"] = "" }, stdout = '[\n  "a.c"\n]' })

  it("fails with the place", cli.run { args = "eval nosuch.field", code = 1,
    stderr = "eval:1: error: attempt to index a nil value (global 'nosuch')" })
end)

describe("orrery lua", function()
  it("gives a script its arguments, flags too", cli.run {
    files = { ["s.lua"] = "#!/usr/bin/env orrery\nprint(arg[0], ...)" },
    args = "lua s.lua a -v --x=1", stdout = "s.lua\ta\t-v\t--x=1\n" })

  it("lets it wait, and flushes before os.exit", cli.run {
    files = { ["s.lua"] = 'require("orrery.kernel.loop").sleep(0)\nio.write("x") os.exit(7)' },
    args = "lua s.lua", code = 7, stdout = "x" })

  it("says where it failed", cli.run { files = { ["s.lua"] = "local x\nx.y = 1" },
    args = "lua s.lua", code = 1,
    stderr = "s.lua:2: error: attempt to index a nil value (local 'x')" })

  it("says where it does not parse", cli.run { files = { ["s.lua"] = "x = = 1" },
    args = "lua s.lua", code = 1, stderr = "s.lua:1: error: unexpected symbol near '='" })

  it("ends when nobody reads what it prints", cli.run {
    files = { ["s.lua"] = "while true do print(1) end" },
    shell = "$orrery lua s.lua | head -1", stdout = "1\n" })
end)

describe("orrery repl from a pipe", function()
  it("evaluates lines, keeps names, goes on after errors", cli.run { args = "repl", code = 1,
    stdin = "x = 20\nlocal y = 22\nnosuch.field\nfor i = 1, 2 do\n  x = x + i - 1\nend\nx + y\n",
    stdout = "43\n", stderr = "error: prompt:1: attempt to index a nil value" })

  it("has no prompt and is quiet when all is well", cli.run { args = "repl", stdin = "'a'\n",
    after = function(_, r) assert(r.stdout == '"a"\n' and r.stderr == "", r.stdout .. r.stderr) end })

  it("runs workflows by colon commands and keeps the run", cli.run { args = "repl",
    files = { ["workflows/w.lua"] = 'local o = require("orrery")\n'
      .. 'return o.workflow "w" { o.step "s" { run = "echo hi" }, o.step "u" { run = "true" } }' },
    stdin = ":run w s\nrun.status, run.steps.s.stdout\n:list\n:lsit\n", code = 1,
    stdout = { "hi\n", '"ok"\n"hi\\n"\n', "w" }, stderr = "did you mean 'list'?" })

  it("says what is missing at the end", cli.run { args = "repl", stdin = "f(", code = 1,
    stderr = "near <eof>" })
end)
