local project = dofile("tests/lua/project.lua")
local of = project.of

local function says(expected, entries, opts)
  assert.are.equal(expected, of(entries, opts))
end

describe("fields", function()
  it("an unknown field is an error with its own line and the nearest name", function()
    says("x.lua:4: error: unknown field 'inptus'; did you mean 'inputs'?",
      'o.step "a" {\n  run = "b",\n  inptus = {},\n},')
  end)

  it("words of other tools come before spelling", function()
    for word, ours in pairs { depends_on = "needs", dependsOn = "needs", deps = "needs",
      sources = "inputs", generates = "outputs", ["if"] = "when", condition = "when",
      desc = "doc", dir = "cwd", ["working-directory"] = "cwd", retries = "retry",
      ["continue-on-error"] = "allow_failure", ignore_error = "allow_failure",
      task = "prompt" } do
      says(("x.lua:2: error: unknown field '%s'; here it is called '%s'"):format(word, ours),
        ('o.step "a" { run = "b", ["%s"] = "c" }'):format(word))
    end
    for _, word in ipairs { "cmd", "command", "script", "sh" } do
      says(("x.lua:2: error: unknown field '%s'; here it is called 'run'"):format(word),
        ('o.step "a" { %s = "c" }'):format(word))
    end
  end)

  it("all that is wrong is said, by line", function()
    says("x.lua:2: error: unknown field 'foo'\nx.lua:3: error: 'timeout' must be text or a number, "
      .. "not true or false\nx.lua:4: error: step 'c' has two kinds, run and call; a step has "
      .. "exactly one",
      'o.step "a" { run = "b", foo = 1 },\no.step "b" { run = "b", timeout = true },'
      .. '\no.step "c" { run = "b", call = "m:f" },')
  end)

  it("a field of a group on a step says where it belongs", function()
    says("x.lua:2: error: 'dotenv' is a field of a workflow, not of a step",
      'o.step "a" { run = "b", dotenv = ".env" }')
    says("x.lua:2: error: 'run' is a field of a step, not of a group", 'o.group "g" { run = "b" }')
    says("x.lua:2: error: 'run' is a field of a step, not of a workflow", 'run = "b", steps = {}')
  end)

  it("a field of another kind of step", function()
    says("x.lua:2: error: 'prompt' is for agent steps; 'a' is a run step",
      'o.step "a" { run = "b", prompt = "c" }')
    says("x.lua:2: error: 'limit' goes with for_each or matrix; 'a' has neither",
      'o.step "a" { run = "b", limit = 2 }')
  end)

  it("what is no name of a variable", function()
    says("x.lua:2: error: a table is not a name of a variable",
      'o.step "a" { run = "b", env = { { "X" } } }')
    says("x.lua:2: error: '1X' is not a name of a variable",
      'o.step "a" { run = "b", env = { "1X" } }')
  end)

  it("no kind, and a value without a name", function()
    says("x.lua:2: error: step 'a' does nothing; give it one of run, call, skill, agent, workflow, "
      .. "body, approve, service", 'o.step "a" { doc = "b" }')
    says("x.lua:2: error: step 'a' has a value without a name; write run = \"make\"",
      'o.step "a" { "make" }')
  end)

  it("what stands in a list of steps", function()
    says("x.lua:1: error: a table stands where a step or group belongs; write o.step \"a\" { … }",
      '{ id = "a", run = "b" }')
    says("x.lua:2: error: o.step \"a\" is not followed by its { … }", 'o.step "a"')
    says("x.lua:1: error: text stands where a step or group belongs", '"a"')
    says("x.lua:2: error: a workflow cannot stand inside another; nest it as a step: o.step \"id\" "
      .. "{ workflow = \"name\" }", 'o.workflow "y" {}')
  end)

  it("a workflow with a body and steps, or with neither", function()
    says("x.lua:2: error: a workflow has a body or steps, not both; start the steps inside the "
      .. "body: w:step(id, fields)", 'body = function() end, o.step "a" { run = "b" }')
    says("x.lua:1: error: the workflow has no steps; add o.step \"id\" { run = … }", "")
  end)
end)

describe("ids", function()
  it("a duplicate names both places", function()
    says("x.lua:4: error: duplicate id 'a'; the first is at x.lua:2",
      'o.step "a" { run = "b" },\n\no.group "a" { },')
  end)

  it("blanks, control characters and brackets are refused", function()
    says("x.lua:2: error: id 'a b' contains a blank; ids have no blanks and no brackets",
      'o.step "a b" { run = "b" }')
    says("x.lua:2: error: id 'a[1]' contains a bracket; ids have no blanks and no brackets",
      'o.step "a[1]" { run = "b" }')
    says("x.lua:2: error: id 'a?' contains a control character", 'o.step "a\\1" { run = "b" }')
    says("x.lua:2: error: an id is empty", 'o.step "" { run = "b" }')
  end)

  it("needs and after of unknown steps, with the nearest", function()
    says("x.lua:2: error: 'a' needs 'biuld', which is no step or group; did you mean 'build'?\n"
      .. "x.lua:3: error: 'build' is after 'zzz', which is no step or group",
      'o.step "a" { run = "b", needs = "biuld" },\no.step "build" { run = "b", after = { "zzz" } }')
  end)
end)

describe("cycles", function()
  it("are named edge by edge with the reason", function()
    says("x.lua:2: error: cycle: a → b → c → a; a needs b (x.lua:2); b reads out/c, an output of c "
      .. "(x.lua:3); c is after a (x.lua:4)", 'o.step "a" { run = "x", needs = "b" },\n'
      .. 'o.step "b" { run = "x", inputs = { "out/c" } },\n'
      .. 'o.step "c" { run = "x", after = "a", outputs = { "out/c" } },')
  end)

  it("through a group, and of a step with itself", function()
    says("x.lua:3: error: cycle: b → g → b; b needs g (x.lua:3); g holds b (x.lua:2)",
      'o.group "g" {\no.step "b" { run = "x", needs = "g" } }')
    says("x.lua:2: error: cycle: a → a; a needs a (x.lua:2)",
      'o.step "a" { run = "x", needs = "a" }')
  end)
end)

describe("paths", function()
  it("two steps with one output", function()
    says("x.lua:3: error: 'a' and 'b' both have the output 'o/x'; the first is at x.lua:2",
      'o.step "a" { run = "x", outputs = { "o/x" } },\n'
      .. 'o.step "b" { run = "x", cwd = "o", outputs = { "./x" } },')
  end)

  it("members of a matrix with one output", function()
    says("x.lua:2: error: 'a[1]' and 'a[2]' both have the output 'o/x'; the first is at x.lua:2",
      'o.step "a" { run = "x", matrix = { k = { 1, 2 } }, outputs = { "o/x" } }')
  end)

  it("outputs stay inside the root", function()
    says("x.lua:2: error: output '../x' leaves the root; outputs are inside it",
      'o.step "a" { run = "x", outputs = { "../x" } }')
    says("x.lua:2: error: output '/etc/x' is absolute; outputs are inside the root",
      'o.step "a" { run = "x", outputs = { "/etc/x" } }')
    says("x.lua:2: error: the root itself cannot be an output",
      'o.step "a" { run = "x", outputs = { "./" } }')
    says("x.lua:2: error: output '.git/x' is inside .git, which no step may write",
      'o.step "a" { run = "x", outputs = { "//.git/x" } }')
    says("x.lua:2: error: output '../../x' leaves the root; outputs are inside it",
      'o.step "a" { run = "x", outputs = { "a/{{params.d}}" } }, params = { d = "../../../x" }')
    says("x.lua:2: error: cwd '../y' leaves the root; it is relative to the root",
      'o.step "a" { run = "x", cwd = "../y" }')
  end)

  it("a glob outside the root, and a path that is none", function()
    says("x.lua:2: error: '../*.c' is a glob outside the root; inputs outside it are named one by "
      .. "one", 'o.step "a" { run = "x", inputs = { "../*.c" } }')
    says("x.lua:2: error: a path is text, not a number", 'o.step "a" { run = "x", inputs = { 1 } }')
    says("", 'o.step "a" { run = "x", inputs = { "../lib.a", "/etc/hosts" } }')
  end)
end)

describe("results", function()
  it("reading one that is not before is an error with the cure", function()
    says("x.lua:2: error: the result of 'b' is read, which is not before 'a'; add needs = \"b\"",
      'o.step "a" { run = "echo {{results.b.value}}" }, o.step "b" { run = "x" }')
    says("x.lua:2: error: the result of 'b' is read, which is not before 'a'; add needs = \"b\"",
      'o.step "a" { run = "x", when = "results.b.ok" }, o.step "b" { run = "x" }')
    says("x.lua:2: error: 'a' reads its own result", 'o.step "a" { run = "{{results.a.value}}" }')
    says("x.lua:2: error: there is no step 'biuld'; did you mean 'build'?",
      'o.step "a" { run = "echo {{results.biuld.value}}" }, o.step "build" { run = "x" }')
  end)

  it("one before by a group, by after, or in finally is fine", function()
    says("", [[o.group "g" { o.step "b" { run = "x" } }, o.step "c" { run = "x", needs = "g" },
      o.step "a" { run = "echo {{results.b.value}} {{results.g.ok}}", after = "c" },
      finally = { o.step "z" { when = "results.a.ok", run = "x" } },
      result = "{{results.a.value}}"]])
  end)

  it("for_each over a result needs its step", function()
    local wf = project.flow([[o.step "b" { run = "x", parse = "json" },
      o.step "a" { for_each = "{{results.b.value}}", run = { "echo", "{{item}}" } }]])
    assert.are.same({ "b" }, wf.by_id.a.needs)
    assert.are.equal("for_each", wf.by_id.a.fan.kind)
  end)
end)

describe("templates", function()
  it("an unknown param or secret, an item without for_each", function()
    says("x.lua:2: error: there is no param 'thme'; did you mean 'theme'?",
      'params = { theme = 1 }, o.step "a" { run = "{{params.thme}}" }')
    says("x.lua:2: error: {{item.x}} is read, but there is no for_each here; a matrix gives "
      .. "{{matrix.NAME}}", 'o.step "a" { run = "{{item.x}}", matrix = { k = { 1 } } }')
    says("x.lua:2: error: the matrix has no 'os'", 'o.step "a" { run = "{{matrix.os}}", '
      .. "matrix = { arch = { 1 } } }")
    says("x.lua:2: error: there is no secret 'TOKEM'; did you mean 'TOKEN'?",
      'secrets = { "TOKEN" }, o.step "a" { run = "x", env = { T = "{{secrets.TOKEM}}" } }')
    says('x.lua:2: error: {{secrets.TOKEN}} stands in run; secrets are used inside env only; write '
      .. 'env = { TOKEN = "{{secrets.TOKEN}}" }',
      'secrets = { "TOKEN" }, o.step "a" { run = "echo {{secrets.TOKEN}}" }')
    says("x.lua:2: error: 'a' has no inputs named 'rf'; did you mean 'ref'?",
      'o.step "a" { run = "{{inputs.rf}}", inputs = { ref = "x" } }')
    says("x.lua:2: error: {{port}} is the port of a service; elsewhere write {{services.ID.port}}",
      'o.step "a" { run = "{{port}}" }')
    says("x.lua:2: error: there is no service 'db'", 'o.step "a" { run = "{{services.db.port}}" }')
  end)

  it("a near miss of a root is a warning, other braces are text", function()
    says("x.lua:2: warning: {{param.x}} stays as text: 'param' is no root of a template; did you "
      .. "mean 'params'?", 'o.step "a" { run = "echo {{param.x}} {{.Name}} ${{ github.x }}" }')
  end)

  it("one inside quotes of a shell string is an error", function()
    says("x.lua:2: error: {{params.x}} stands inside quotes; it is already exactly one quoted "
      .. "word: remove the quotes around it",
      'params = { x = 1 }, o.step "a" { run = "echo \'{{params.x}}\'" }')
  end)
end)

describe("conditions", function()
  it("one that is no expression, or reads unknown names", function()
    says("x.lua:2: error: when: 'params.x =' is not a Lua expression: ')' expected near '='",
      'params = { x = 1 }, o.step "a" { run = "x", when = "params.x =" }')
    says("x.lua:2: error: when: unknown name 'sucess'; did you mean 'success'?",
      'o.step "a" { run = "x", when = "sucess()" }')
    says("x.lua:2: error: there is no param 'y'; the params are: x",
      'params = { x = 1 }, o.step "a" { run = "x", when = "params.y == 1" }')
  end)

  it("one that can never hold is a warning", function()
    says("x.lua:2: warning: 'a' never runs: its when is false",
      'o.step "a" { run = "x", when = "false" }')
    says("x.lua:2: warning: params.env is never 'prd', so this is always false; its choices are: "
      .. "dev, prod",
      'params = { env = o.param { choices = { "dev", "prod" }, default = "dev" } }, '
      .. 'o.step "a" { run = "x", when = "params.env == \'prd\'" }')
  end)

  it("a status word is noted", function()
    local wf = project.flow('o.step "a" { run = "x", when = "always()" }, '
      .. 'o.step "b" { run = "x", when = "params.always", }, params = { always = true }')
    assert.is_true(wf.by_id.a.status_word)
    assert.is_nil(wf.by_id.b.status_word)
  end)
end)

describe("clauses", function()
  it("a bare retry is refused with the cure", function()
    says("x.lua:2: error: retry = 3 does not say whether the first try counts; write retry = "
      .. "{ attempts = 4 } (all tries, the first included)", 'o.step "a" { run = "x", retry = 3 }')
  end)

  it("retry without attempts, with odd words and durations", function()
    says("x.lua:2: error: retry needs attempts; write retry = { attempts = 3 } (all tries, the "
      .. "first included)", 'o.step "a" { run = "x", retry = { delay = 1 } }')
    says("x.lua:2: error: retry.on 'rate_limt' is not understood; did you mean 'rate_limit'?\n"
      .. "x.lua:2: error: retry.delay 'soon' is not a duration; write \"90s\", \"5m\" or \"1h30m\"",
      'o.step "a" { run = "x", retry = { attempts = 2, delay = "soon", on = { "rate_limt" } } }')
  end)

  it("unknown fields of a clause", function()
    says("x.lua:2: error: unknown field 'tll' in cache; did you mean 'ttl'?",
      'o.step "a" { run = "x", cache = { tll = 1 } }')
    says("x.lua:2: error: ready needs exactly one of run, tcp, http, log",
      'o.step "a" { service = "x", ready = { every = "1s" } }')
    says("x.lua:2: error: ready.log: bad pattern: pattern 'ready (', column 8: missing closing "
      .. "parenthesis",
      'o.step "a" { service = "x", ready = { log = "ready (" } }')
    says("x.lua:2: error: stop.signal: 'TREM' is no signal to end by; did you mean 'TERM'?",
      'o.step "a" { service = "x", stop = { signal = "SIGTREM" } }')
  end)

  it("fields that a service has no use for", function()
    for _, field in ipairs { 'outputs = { "x" }', "retry = { attempts = 2 }", "cache = false" } do
      says("x.lua:2: error: '" .. field:match("^%a+") .. "' is for steps that come to a result; "
        .. "'a' is a service", 'o.step "a" { service = "x", ' .. field .. " }")
    end
  end)

  it("a policy that is not there", function()
    says("x.lua:2: error: policy 'settle' is not found; did you mean 'settled'?",
      'o.group "g" { policy = "settle" }')
    says("x.lua:2: error: unknown field 'ned' in quorum; did you mean 'need'?\nx.lua:2: error: "
      .. "quorum needs need; write { \"quorum\", need = 3 } or \"80%\"",
      'o.group "g" { policy = { "quorum", ned = 1 } }')
    says("", 'o.group "g" { policy = "acme.mine", o.step "a" { run = "x" } }',
      { files = { ["lua/acme/mine.lua"] = "return function() end" } })
  end)

  it("a call by name that is not there", function()
    says("x.lua:2: error: module 'tool' has no function 'go'; did you mean 'goo'?",
      'o.step "a" { call = "tool:go" }',
      { files = { ["lua/tool.lua"] = "return { goo = print }" } })
    says("x.lua:2: error: module 'tools' not found; looked for lua/tools.lua, lua/tools/init.lua, "
      .. "workflows/tools.lua, workflows/tools/init.lua", 'o.step "a" { call = "tools:go" }')
  end)

  it("a nested workflow that is not there", function()
    says("x.lua:2: error: there is no workflow 'y'; the workflows are: x",
      'o.step "a" { workflow = "y" }')
  end)
end)

describe("params", function()
  local function usage(entries, params)
    local ok, e = pcall(project.flow, entries, { params = params })
    assert.is_false(ok)
    assert.are.equal("usage", e.code)
    return e.message
  end

  it("missing ones are all listed and are a matter of usage", function()
    assert.are.equal("param 'a' is required; give it: -p a=VALUE\nparam 'b' is required (the b); "
      .. "give it: -p b=VALUE", usage('params = { a = o.param { required = true }, b = o.param { '
      .. 'required = true, help = "the b" } }, steps = {}'))
  end)

  it("inspecting does not ask for them", function()
    assert.is_nil(project.flow('params = { a = o.param { required = true } }, steps = {}',
      { inspect = true }).values.a)
  end)

  it("wrong types, choices and unknown ones", function()
    assert.are.equal("param 'n' must be a whole number, not 'x'",
      usage("params = { n = 1 }, steps = {}", { n = "x" }))
    assert.are.equal("unknown param 'm'; the params are: n", usage("params = { n = 1 }, steps = {}",
      { m = "x" }))
  end)

  it("a spec that is wrong itself", function()
    says("x.lua:2: error: unknown field 'requird'; did you mean 'required'?",
      "params = { a = o.param { requird = true } }, steps = {}")
    says("x.lua:2: error: param 'a' is required and has a default; one of the two",
      "params = { a = o.param { required = true, default = 1 } }, steps = {}")
    says("x.lua:2: error: the default of param 'a' must be one of x, y, not 'z'",
      'params = { a = o.param { choices = { "x", "y" }, default = "z" } }, steps = {}')
  end)

  it("steps = function(p) builds from the final values", function()
    local wf = project.flow([[params = { n = 2 }, steps = function(p)
      local t = {}
      for i = 1, p.n do t[i] = o.step("s" .. i) { run = "x" } end
      return t end]], { params = { n = "3" } })
    assert.are.equal(3, #wf.steps)
    says("x.lua:2: error: there is no param 'cout'; did you mean 'count'?",
      "params = { count = 2 }, steps = function(p) return { p.cout } end")
  end)
end)
