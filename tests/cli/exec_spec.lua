-- One command, remembered without a workflow.
local cli = require("tests.cli.harness")

local command = [[exec -v --in a.txt --out out/b.txt -- ]]
  .. [[sh -c 'echo working; echo more >&2; cp a.txt out/b.txt']]

describe("orrery exec", function()
  it("runs once, then puts back what it made and says again what it said", cli.run {
    files = { ["a.txt"] = "1\n" }, args = command, stdout = "working\n",
    stderr = { "more\n", "runs: first run" },
    again = { args = command, stdout = "working\n", stderr = { "more\n", "up to date" },
      again = { shell = "rm out/b.txt; $orrery " .. command .. "; cat out/b.txt",
        stdout = "working\n1\n", stderr = "restored",
        again = { files = { ["a.txt"] = "2\n" }, args = command,
          stderr = "runs: a.txt changed" } } } })

  it("is silent itself and exits as the command does", cli.run {
    args = "exec -- sh -c 'echo only; exit 5'", code = 5,
    after = function(_, r) assert(r.stdout == "only\n" and r.stderr == "", r.stderr) end,
    again = { args = "exec -- nosuchprogram", code = 127, stderr = "no such program",
      again = { args = "exec -- sh -c 'kill -9 $$'", code = 137, stderr = "KILL" } } })

  it("without --in runs each time", cli.run { args = "exec -v -- echo x",
    stderr = "always", again = { args = "exec -v -- echo x", stdout = "x\n", stderr = "always" } })

  it("works where one is, below the root", cli.run {
    files = { ["sub/a.txt"] = "1", ["workflows/w.lua"] = "" },
    shell = "cd sub && $orrery exec --in a.txt --out b.txt -- cp a.txt b.txt && ls",
    stdout = "a.txt\nb.txt\n" })

  it("wants the command after --", cli.run { args = "exec ls", code = 2,
    stderr = "write -- before ls" })

  it("keeps outputs inside", cli.run { args = "exec --out ../x -- true", code = 2,
    stderr = "leaves the root" })

  it("cannot be resumed, and says so", cli.run { args = "exec -- false", code = 1,
    again = { args = "resume", code = 2, stderr = "give it again" } })
end)
