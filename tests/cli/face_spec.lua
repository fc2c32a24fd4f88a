-- What people see: flags, names, exit codes, streams, the forms of a report.
local cli = require("tests.cli.harness")

local site = [[
local o = require("orrery")
return o.workflow "site" { doc = "A site.", params = { name = "x" },
  o.step "make" { run = "echo made; cp src.txt out.txt", inputs = { "src.txt" },
    outputs = { "out.txt" }, doc = "Makes it." },
  o.step "look" { run = "cat out.txt", inputs = { "out.txt" } },
}
]]
local broken = [[
local o = require("orrery")
return o.workflow "bad" {
  o.step "ok" { run = "true" },
  o.step "fails" { needs = "ok", run = "echo some output; echo trouble >&2; exit 3" },
  o.step "after" { needs = "fails", run = "true" },
}
]]

local function files(more)
  local all = { ["workflows/site.lua"] = site, ["workflows/bad.lua"] = broken,
    ["src.txt"] = "hello\n" }
  for k, v in pairs(more or {}) do all[k] = v or nil end
  return all
end

local function t(value)
  value.files = value.files or files()
  return cli.run(value)
end

describe("the command line", function()
  it("suggests the nearest command", t { args = "rnu", code = 2,
    stderr = { "orrery: error: there is no command 'rnu'", "did you mean 'orrery run'?" } })

  it("suggests the nearest flag", t { args = "run site --job=4", code = 2,
    stderr = { "orrery run has no flag --job", "did you mean --jobs?" } })

  it("refuses a flag that the command does not take", t { args = "list -j4", code = 2,
    stderr = "orrery list has no flag -j (--jobs)" })

  it("suggests the nearest workflow", t { args = "run sit", code = 2, stdout = "",
    stderr = { "there is no workflow 'sit'", "did you mean 'site'?" } })

  it("suggests the nearest step of the default workflow",
    t { files = files { ["orrery.lua"] = 'return { default = "site" }' }, args = "run mak",
      code = 2, stderr = "did you mean 'make'?" })

  it("prints help on one screen, and of a command with examples", t { args = "help",
    stdout = { "usage: orrery COMMAND", "doctor" }, after = function(_, r)
      local _, lines = r.stdout:gsub("\n", "")
      assert(lines <= 42, "help has " .. lines .. " lines")
    end, again = { args = "run --help", stdout = { "usage: orrery run", "Examples", "--jobs=N" } } })

  it("without a command is a mistake", t { args = "", code = 2, stdout = "usage: orrery COMMAND" })

  it("goes elsewhere with -C, before or after the command", t { shell = "cd / && "
    .. '$orrery -C "$OLDPWD" list && $orrery list -C "$OLDPWD"', stdout = { "site", "A site." } })

  it("says when there is nowhere to go", t { args = "-C nowhere list", code = 2,
    stderr = "nowhere: No such file" })

  it("ends quietly when nobody reads any more", t {
    shell = [[mkfifo gate; { cat gate; $orrery list -v; echo "code $?" >&2; } | { exec <&-; : > gate; }; wait]],
    stderr = { "code 141", "!traceback", "!error" } })

  it("tells an internal error from the user's", t { files = files(), args = "eval 1",
    env = { ORRERY_LUA_DIR = "/nonexistent" }, code = 7, stderr = "internal error" })
end)

describe("orrery run", function()
  it("says everything is up to date the second time", t { args = "run site",
    stdout = { "made", "2 steps: 2 ran" }, again = { args = "run site",
      stdout = { "2 steps: everything up to date", "!made" } } })

  it("runs the default workflow, or a step of it with what it needs",
    t { files = files { ["orrery.lua"] = 'return { default = "site" }' }, args = "run look",
      stdout = "2 steps: 2 ran", again = { args = "run", stdout = "everything up to date" } })

  it("without a default lists what there is, and fails when nobody is there to choose",
    t { args = "run", code = 2, stdout = "", stderr = { "A site.", "name one: orrery run NAME" } })

  it("does not guess between a workflow and a step of the default one",
    t { files = files { ["orrery.lua"] = 'return { default = "site" }',
        ["workflows/make.lua"] = site }, args = "run make", code = 2,
      stderr = { "'make' is a workflow (workflows/make.lua) and a step of the default workflow "
        .. "'site'", "write ./workflows/make.lua" }, again = { args = "run ./workflows/make.lua",
        stdout = "2 steps" } })

  it("reports a failure with place, output and what it kept from running",
    t { args = "run bad", code = 1, stdout = "1 ran, 1 failed, 1 skipped",
      stderr = { "workflows/bad.lua:4: error: fails: exit 3", "skipped because of it: after" } })

  it("-q says only what failed", t { args = "run bad -q", code = 1,
    stdout = { "failed", "!ok " }, stderr = { "  | some output", "  | trouble" },
    again = { args = "run site -q", after = function(_, r) assert(r.stdout == "", r.stdout) end } })

  it("-n plans and runs nothing", t { args = "run site -n", stdout = { "make", "first run" },
    after = function(dir)
      assert(not cli.read(dir .. "/out.txt"))
    end })

  it("--strict makes a warning of the check an error", t { files = files {
      ["workflows/soft.lua"] = 'local o = require("orrery")\n'
        .. 'return o.workflow "soft" { o.step "s" { run = "echo {{parms.x}}" } }' },
    args = "run soft", stderr = "warning: ", again = { args = "run soft --strict", code = 3,
      stdout = "", stderr = { "workflows/soft.lua:2: error: ", "!warning" } } })

  it("refuses -p for a param that is not there", t { args = "run site -p nme=1", code = 2,
    stderr = "did you mean 'name'?" })

  it("--json prints one document and moves progress to stderr", t { args = "run bad --json",
    code = 1, stderr = "1 ran, 1 failed", after = function(_, r)
      local d = require("orrery.core.json").decode(r.stdout)
      assert(d.status == "failed" and d.code == 1 and d.failed[1] == "fails" and #d.steps == 3)
      assert(d.steps[2].output == "some output\ntrouble\n")
    end })

  it("--events - is the journal as it grows", t { args = "run site --events -",
    after = function(_, r)
      local seen = {}
      for line in r.stdout:gmatch("[^\n]+") do
        seen[#seen + 1] = require("orrery.core.json").decode(line).ev
      end
      assert(seen[1] == "run_started" and seen[#seen] == "run_finished", r.stdout)
    end })

  it("writes reports beside", t {
    args = "run bad --junit out/j.xml --summary s.md --trace t.json --events e.jsonl", code = 1,
    after = function(dir)
      assert(cli.read(dir .. "/out/j.xml"):find('<failure message="exit 3"', 1, true))
      assert(cli.read(dir .. "/s.md"):find("| fails | failed |", 1, true))
      assert(cli.read(dir .. "/t.json"):find('"traceEvents"', 1, true))
      assert(cli.read(dir .. "/e.jsonl"):find('"run_finished"', 1, true))
    end })

  it("--output=prefix puts the step before each line", t { args = "run site --output=prefix",
    stdout = { "[make] made", "[look] hello" } })

  it("goes on when nobody reads its progress", t {
    shell = [[{ $orrery run site; echo "code $?" >&2; } | true; cat out.txt]],
    stderr = "code 0", stdout = "hello" })

  it("colors only when asked, off a terminal", t { args = "run site",
    after = function(_, r) assert(not r.stdout:find("\27", 1, true)) end,
    again = { args = "run site --color=always --force", stdout = "\27[32m" } })
end)

describe("looking", function()
  it("makes no .orrery", t { shell = "for c in list 'show site' 'check' 'graph site' 'runs' "
    .. "'cache' 'cache prune' 'artifact' 'env site make' 'doctor' 'plan site'; do "
    .. "$orrery $c >/dev/null 2>&1; done; ls -a", stdout = { "workflows", "!.orrery" } })

  it("lists workflows with what they are for", t { args = "list", stdout = "site  A site.",
    again = { args = "list site", stdout = "make  run  Makes it." } })

  it("lists what cannot be loaded, too", t {
    files = files { ["workflows/worse.lua"] = "return nonsense(" }, args = "list",
    stdout = { "worse", "cannot be loaded", "A site." } })

  it("checks everything, in order of place, and exits 3", t { files = files {
      ["workflows/worse.lua"] = 'local o = require("orrery")\nreturn o.workflow "w" {\n'
        .. '  o.step "b" { run = "x", needs = "nosuch" },\n  o.step "a" { rnu = "x" } }' },
    args = "check", code = 3, stdout = "3 workflows checked: ", stderr = "workflows/worse.lua:" })

  it("checks well-formed ones without a word but the count", t { args = "check",
    stdout = "2 workflows checked: no errors" })

  it("draws the graph", t { args = "graph bad",
    stdout = "after\n└─ fails\n   └─ ok\n",
    again = { args = "graph bad --format=dot", stdout = '"fails" -> "after"',
      again = { args = "graph bad --format=mermaid", stdout = "n2 --> n3" } } })

  it("shows a step", t { args = "show site look",
    stdout = { "make (reads out.txt)", "remembered  yes" } })

  it("shows the environment and where it is from", t {
    files = files { ["workflows/e.lua"] = 'local o = require("orrery")\n'
      .. 'return o.workflow "e" { dotenv = ".env", secrets = { "TOKEN" }, o.step "s" { '
      .. 'run = "x", inputs = {}, env = { "FROM_FILE", SET = "v", T = "{{secrets.TOKEN}}" } } }',
      [".env"] = "FROM_FILE=1\n" }, args = "env e s", env = { TOKEN = "hidden" },
    stdout = { "FROM_FILE  .env     in the key  1", "SET        step     in the key  v",
      "(secret TOKEN)", "!hidden" } })
end)

describe("looking back", function()
  it("shows a run again as it was", t { args = "run bad --color=never", code = 1,
    after = function(dir, first)
      local r = cli.exec(dir, "runs show last --color=never")
      assert(r.stdout == first.stdout and r.stderr == first.stderr, r.stdout .. r.stderr)
    end })

  it("lists runs, the newest first", t { args = "run site", again = { args = "run bad", code = 1,
    again = { args = "runs", stdout = "failed", after = function(_, r)
      assert(r.stdout:find("bad.*\n.*site"), r.stdout)
    end } } })

  it("has the whole log of a step, also one that was up to date", t { args = "run site",
    again = { args = "run site", again = { args = "log make", stdout = "made" } } })

  it("keeps the two streams of a log apart", t { args = "run bad", code = 1,
    again = { args = "log fails", stdout = { "some output", "!trouble" }, stderr = "trouble" } })

  it("explains", t { args = "run site", again = { args = "explain make",
    stdout = { "make\n  last run (just now): ok", ": first run\n" } } })

  it("knows what a run produced", t { args = "run site", again = { args = "artifact",
    stdout = "out.txt@v1", again = { args = "artifact show out.txt", stdout = "digest" } } })

  it("names what is there when asked for what is not", t { args = "run site",
    again = { args = "log mkae", code = 2, stderr = "did you mean 'make'?" } })

  it("says that there was no run", t { args = "runs show", code = 2,
    stderr = "there is no run yet" })

  it("counts and clears the cache", t { args = "run site", again = { args = "cache",
    stdout = "records", again = { args = "cache verify", stdout = "0 damaged",
      again = { args = "cache clear", stdout = "removed", again = { args = "run site",
        stdout = "2 ran" } } } } })
end)

describe("setting up", function()
  it("init writes a workflow that runs, and nothing over another", cli.run { args = "init",
    stdout = "workflows/main.lua", again = { args = "run main -p name=you", stdout = "2 ran",
      again = { args = "init", code = 2, stderr = "there already",
        again = { args = "init other --yaml", again = { args = "check",
          stdout = "no errors" } } } } })

  it("completion scripts are valid shell and know the names", t {
    shell = "$orrery completion bash | bash -n && $orrery completion words run",
    stdout = { "bad\n", "site\n" } })

  it("a parent that ignores the end of its children changes nothing", t {
    files = files(), shell = "git init -q . && git config core.repositoryformatversion 1 && "
      .. "git config extensions.partialClone x && git -c user.name=a -c user.email=a@b commit -q "
      .. "--allow-empty -m 1 && "
      .. "env --ignore-signal=CHLD $orrery doctor",
    stdout = { "ok  git", "!No child processes" } }) -- libgit2 refuses it: git is run

  it("doctor finds a broken workflow", t {
    files = files { ["workflows/worse.lua"] = "return nonsense(" }, args = "doctor", code = 1,
    stdout = { "bad", "worse" } })
end)
