-- Secrets: where they may stand, when they are read, and that nobody ever sees them.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")
local workflow = cli.workflow

-- Nothing below .orrery, and nothing that was printed, holds a text.
local function nowhere(text)
  return function(dir, r)
    assert(not r.stdout:find(text, 1, true), r.stdout)
    assert(not r.stderr:find(text, 1, true), r.stderr)
    local found = cli.exec(dir, "", { shell = "grep -rlF -e '" .. text .. "' .orrery *.xml *.md 2>/dev/null" })
    assert.equal("", found.stdout)
  end
end

local function one(step, more)
  return { ["workflows/w.lua"] = workflow(('secrets = { "TOKEN" }, ' .. (more or "")
    .. 'o.step "s" { env = { T = "{{secrets.TOKEN}}" }, %s }'):format(step)) }
end

local hush = { TOKEN = "hush-4711" }

describe("a secret", function()
  it("reaches the step as a variable, and nobody else", cli.run {
    files = one [[run = "echo got $T; echo $T > out; echo also $T >&2"]], env = hush,
    args = "run w --events - --junit r.xml --summary s.md", stdout = "***",
    after = function(dir, r)
      assert.equal("hush-4711\n", cli.read(dir .. "/out"))
      nowhere("hush-4711")(dir, r)
    end,
    again = { args = "log s", env = hush, stdout = "got ***", stderr = "also ***" } })

  it("is masked in a failure, its message and the report", cli.run {
    files = one [[run = "echo $T; exit 3"]], env = hush, args = "run w --junit r.xml", code = 1,
    stdout = "***", stderr = "exit 3", after = nowhere("hush-4711") })

  it("is masked in the document of --json", cli.run { files = one [[parse = "json",
      run = "echo '{\"a\":[\"'$T'\",1],\"'$T'\":2}'"]], env = hush, args = "run w --json",
    stdout = '"a"', after = nowhere("hush-4711") })

  it("is masked in values, also of numbers, for the steps after it", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ secrets = { "TOKEN" },
      o.step "s" { parse = "json", env = { T = "{{secrets.TOKEN}}" }, run = "echo [$T,7]" },
      o.step "use" { needs = "s", run = "echo {{results.s.value[1]}} {{results.s.value[2]}} > out" } ]] },
    env = { TOKEN = "884422" }, args = "run w", after = function(dir, r)
      assert.equal("*** 7\n", cli.read(dir .. "/out"))
      nowhere("884422")(dir, r)
    end })

  it("is masked in what a function prints, returns and raises", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ secrets = { "TOKEN" },
      o.step "s" { env = { T = "{{secrets.TOKEN}}" }, call = function(ctx)
        print("p " .. ctx.env.T) return { ctx.env.T, #ctx.env.T } end },
      o.step "bad" { env = { T = "{{secrets.TOKEN}}" }, after = "s", allow_failure = true,
        call = function(ctx) error("no " .. ctx.env.T) end } ]] },
    env = hush, args = "run w --json", stdout = { "***", "9" }, after = nowhere("hush-4711") })

  it("is masked in what an agent is told to be, says and asks", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ secrets = { "TOKEN" },
      o.step "s" { agent = "a", prompt = "x", env = { T = "{{secrets.TOKEN}}" } } ]],
      ["ag.sh"] = "#!/bin/sh\ncat > request\necho log $T\necho '{\"status\":\"needs_approval\",\"value\":\"'$T'?\"}'\n" },
    env = hush, args = "run w --agent ./ag.sh", code = 8, stdout = "asks for approval: ***?",
    after = function(dir, r)
      nowhere("hush-4711")(dir, r)
      assert(not cli.read(dir .. "/request"):find("hush", 1, true))
    end })

  it("is masked where a step simply inherits the variable it is from", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ secrets = { "TOKEN" },
      o.step "s" { run = "echo $TOKEN" } ]] }, env = hush, args = "run w", stdout = "***",
    after = nowhere("hush-4711") })

  it("is masked where a function reads the variable it is from; its change is seen", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ secrets = { "TOKEN" },
      o.step "s" { call = function() return #os.getenv("TOKEN") end } ]] }, env = hush,
    args = "run w", after = nowhere("hush-4711"), again = { args = "run w", env = hush,
      stdout = "up to date", again = { args = "run w", env = { TOKEN = "hush-815" },
        stdout = "1 ran", after = nowhere("hush-815") } } })

  it("that comes in pieces is masked in live output", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ secrets = { "TOKEN" },
      o.step "s" { env = { T = "{{secrets.TOKEN}}" }, run = "printf 'a hush'; sleep 0.05; printf -- '-47'; "
        .. "sleep 0.05; printf '11 b'; sleep 0.05; printf ' hush'" } ]] },
    env = hush, args = "run w --events -", stdout = { '"data":"a "', "*** b" },
    after = function(dir, r)
      nowhere("hush-47")(dir, r)
      local live = ""
      for data in r.stdout:gmatch('"data":"([^"]*)"') do live = live .. data end
      assert.equal("a *** b hush", live)
    end })

  it("of several lines is masked line by line, and in base64, URLs and JSON", cli.run {
    files = { ["key.pem"] = "first line of it\nzweite/line?\n\nend\n", ["say.sh"] = [[#!/bin/sh
echo "$K" | tac; echo; printf 'user:%s' "$K" | base64 -w0; echo
echo x=zweite%2Fline%3F; printf '"first line of it\\nzweite/line?"' ]], ["workflows/w.lua"] = workflow [[
      secrets = { KEY = { file = "key.pem" } },
      o.step "s" { env = { K = "{{secrets.KEY}}" }, run = "./say.sh" } ]] },
    args = "run w", stdout = { "***", "x=" }, after = function(dir, r)
      for _, text in ipairs { "first line", "zweite", "Zmlyc3QgbGluZS", "aXJzdCBsaW5l", "cnN0IGxpbm" } do
        nowhere(text)(dir, r)
      end
    end })

  it("that overlaps another is masked whole", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ secrets = { A = { env = "A1" }, B = { env = "B1" } },
      o.step "s" { env = { A = "{{secrets.A}}", B = "{{secrets.B}}" }, run = "echo x-abcdefghi-y-defghidefghi-z" } ]] },
    env = { A1 = "abcdef", B1 = "defghi" }, args = "run w", stdout = "x-***-y-***-z" })

  it("is masked in what waits to be remembered, and in what is restored", cli.run {
    files = one [[run = "echo got $T", inputs = {}]], env = hush, args = "run w",
    after = nowhere("hush-4711"), again = { args = "run w", env = { TOKEN = "hush-other" },
      stdout = "everything up to date", again = { shell = "$orrery log s", stdout = "got ***" } } })
end)

describe("when a secret is read", function()
  local counted = workflow [[
    secrets = { PW = { run = "echo r >> reads; echo pass-word" } },
    o.step "a" { env = { P = "{{secrets.PW}}" }, inputs = {}, run = "echo $P" },
    o.step "b" { env = { P = "{{secrets.PW}}" }, inputs = {}, run = "echo b $P" } ]]

  it("its command runs once, when a step really runs; not to check, to plan, nor for clean steps", cli.run {
    files = { ["workflows/w.lua"] = counted }, shell = "$orrery check w && $orrery plan w && test ! -e reads",
    stdout = "first run", again = { args = "run w -j2", stdout = "***", after = function(dir)
      assert.equal(1, runs.lines(dir, "reads"))
    end, again = { args = "run w", stdout = "everything up to date", after = function(dir)
      assert.equal(1, runs.lines(dir, "reads"))
    end } } })

  it("its name is in the key, its value is not", cli.run {
    files = one [[run = "echo run >> ran", inputs = {}]], env = hush, args = "run w",
    again = { args = "run w", env = { TOKEN = "another" }, stdout = "up to date",
      again = { files = { ["workflows/w.lua"] = (one [[run = "echo run >> ran", inputs = {}]])["workflows/w.lua"]
        :gsub("TOKEN", "OTHER") }, args = "run w", env = { OTHER = "hush-4711" }, stdout = "1 ran" } } })

  it("with key = true a new value is a new key, kept as a digest only", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ secrets = { TOKEN = { env = "TOKEN", key = true } },
      o.step "s" { env = { T = "{{secrets.TOKEN}}" }, inputs = {}, run = "true" } ]] },
    env = hush, args = "run w", again = { args = "run w", env = hush, stdout = "up to date",
      again = { args = "run w", env = { TOKEN = "hush-815" }, stdout = "1 ran", after = nowhere("hush"),
        again = { args = "explain s", env = { TOKEN = "hush-815" }, stdout = "env T changed" } } } })

  it("a missing one fails the step before it starts, and says who declares it", cli.run {
    files = one [[run = "echo > ran"]], args = "run w", code = 1,
    stderr = { "secret TOKEN is not set; workflows/w.lua has it from env TOKEN", "set TOKEN" },
    after = function(dir)
      assert.is_nil(cli.read(dir .. "/ran"))
      local j = runs.last(dir)
      assert.is_nil(j.began.s)
      assert.equal("secret", j.steps.s.error.class)
    end })

  it("a command that fails, a file that is not there, are told", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ policy = "settled",
      secrets = { A = { run = "echo locked >&2; exit 4" }, B = { file = "no/such" } },
      o.step "a" { env = { X = "{{secrets.A}}" }, run = "true" },
      o.step "b" { env = { X = "{{secrets.B}}" }, run = "true" } ]] }, args = "run w", code = 1,
    stderr = { "secret A cannot be got: exit 4: locked", "secret B cannot be read" } })

  it("an empty or a short one is refused, for it cannot be masked", cli.run {
    files = one [[run = "true"]], env = { TOKEN = "" }, args = "run w", code = 1,
    stderr = "secret TOKEN is empty", again = { args = "run w", env = { TOKEN = "abc" }, code = 1,
      stderr = { "secret TOKEN is too short to be masked", "!abc" } } })

  it("declared in orrery.lua, it serves all workflows", cli.run {
    files = { ["orrery.lua"] = 'return { secrets = { "TOKEN" } }', ["workflows/w.lua"] = workflow [[
      o.step "s" { env = { T = "{{secrets.TOKEN}}" }, run = "echo $T" } ]] }, env = hush,
    args = "run w", stdout = "***", after = nowhere("hush-4711"),
    again = { args = "run w", code = 1, stderr = "orrery.lua has it from env TOKEN" } })

  it("in a body it is used in env, too, and nowhere else", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ secrets = { "TOKEN" }, body = function(w)
      local got = w:run("echo $T", { env = { T = "{{secrets.TOKEN}}" }, parse = "text" }).value
      local ok, why = pcall(function() w:run("echo {{secrets.TOKEN}}") end)
      return { got, ok, why.message }
    end ]] }, env = hush, args = "run w --json", stdout = { "***", "secrets are used inside env only" },
    after = nowhere("hush-4711") })
end)

describe("a service", function()
  it("gets its secrets as a step does, and says none", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ secrets = { "TOKEN" },
      o.step "db" { service = "echo $T > seen; echo up $T; exec sleep 1000", env = { T = "{{secrets.TOKEN}}" },
        ready = { log = "up" } },
      o.step "s" { needs = "db", run = "cat seen > out" } ]] }, env = hush, args = "run w -v",
    after = function(dir, r)
      assert.equal("hush-4711\n", cli.read(dir .. "/out"))
      nowhere("hush-4711")(dir, r)
    end })
end)

describe("the check", function()
  local function refused(text, ...)
    return cli.run { files = { ["workflows/w.lua"] = workflow(text) }, args = "check w", code = 3,
      stderr = { ... } }
  end
  it("refuses a secret outside env, with the cure", refused(
    'secrets = { "TOKEN" }, o.step "s" { run = "curl -H {{secrets.TOKEN}}" }', "workflows/w.lua:3: error: ",
    "secrets are used inside env only", 'write env = { TOKEN = "{{secrets.TOKEN}}" }'))
  it("refuses a variable that holds one as a word", refused(
    'secrets = { "TOKEN" }, o.step "s" { env = { T = "x{{secrets.TOKEN}}" }, run = "curl -H {{env.T}}" }',
    "it holds a secret", "let the command read the variable: $T"))
  it("refuses one that nobody declares", refused(
    'o.step "s" { env = { T = "{{secrets.TOKEN}}" }, run = "x" }', "there is no secret 'TOKEN'"))
  it("refuses key = true where a command would have to run", refused(
    'secrets = { A = { run = "pass a", key = true } }, o.step "s" { run = "x" }', "cannot be in the key"))
end)

describe("orrery env", function()
  it("names a secret and its source, never its value", cli.run {
    files = { ["workflows/w.lua"] = workflow [[ secrets = { "TOKEN", PW = { run = "pass show x" } },
      o.step "s" { inputs = {}, env = { T = "Bearer {{secrets.TOKEN}}", P = "{{secrets.PW}}" }, run = "x" } ]] },
    env = hush, args = "env w s", stdout = { "Bearer (secret TOKEN)  from env TOKEN",
      "(secret PW)  from run pass show x", "!hush" } })
end)
