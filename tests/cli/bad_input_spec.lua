-- Bad input gives one clear message with a place, the right exit code, and changes nothing.
local cli = require("tests.cli.harness")
local run = cli.run

local function lua(body) return { ["workflows/w.lua"] = body } end
local function yaml(body) return { ["workflows/w.yaml"] = body } end
local ok_step = 'o.step "a" { run = "touch ran" }'
local function wf(body)
  return lua('local o = require("orrery")\nreturn o.workflow "w" {\n' .. body .. "\n}\n")
end

local function untouched(dir)
  assert.is_nil(cli.read(dir .. "/ran"))
  assert.is_nil(cli.read(dir .. "/.orrery/index"))
end

local function refuses(files, code, stderr)
  return run { files = files, args = "run w", code = code, stderr = stderr, after = untouched }
end

describe("a hostile or broken Lua file", function()
  it("with a syntax error names the line", refuses(lua("return {\n  a b\n}"), 3, "workflows/w.lua:2"))
  it("that returns nothing is told what its last statement should be",
    refuses(lua('local o = require("orrery")\no.workflow "w" {}\n'), 3,
      "workflows/w.lua: error: the file returned nothing"))
  it("of bytecode is refused as not text", refuses(lua(string.dump(function() end)), 3,
    { "workflows/w.lua", "bytecode" }))
  it("with NUL bytes is refused", refuses(lua("return 1 \0 2"), 3, "workflows/w.lua"))
  it("that never ends is ended", refuses(lua("while true do end"), 3, "workflows/w.lua"))
  it("that runs a command at load cannot", refuses(lua('os.execute("touch ran")'), 3, "workflows/w.lua:1"))
  it("that makes a global is told how to make a local",
    refuses(lua("function helper() end\nreturn 1"), 3, "'helper' would be a global"))
  it("that is a directory is named", run { shell = "mkdir -p workflows/w.lua; $orrery run ./workflows/w.lua",
    code = 3, stderr = "is a directory" })
end)

describe("a hostile or broken YAML file", function()
  it("with bad indentation has line and column", refuses(yaml("name: w\nsteps:\n  - id: a\n run: x\n"), 3,
    "workflows/w.yaml:"))
  it("with a duplicate key names it", refuses(yaml("name: w\nname: v\n"), 3, { "w.yaml:2", "name" }))
  it("nested 100,000 deep is refused at once", refuses(yaml(("["):rep(100000)), 3, "w.yaml:1"))
  it("with an alias bomb is refused", refuses(yaml((function()
    local t = { "a0: &a0 [x,x,x,x,x,x,x,x,x,x]" }
    for i = 1, 12 do
      t[#t + 1] = ("a%d: &a%d [%s]"):format(i, i, ("*a" .. (i - 1) .. ","):rep(9) .. "*a" .. (i - 1))
    end
    return table.concat(t, "\n") .. "\n"
  end)()), 3, "w.yaml:"))
  it("with NUL bytes is refused", refuses(yaml("name: w\0\n"), 3, "w.yaml"))
  it("with an unquoted template is told to quote it",
    refuses(yaml("name: w\nsteps:\n  - id: a\n    run: {{params.x}}\n"), 3,
      'w.yaml:4:10: error: a value that starts with {{ must be quoted: "{{params.x}}"'))
  it("with one in a flow map is told to quote that alone", refuses(
    yaml("name: w\nsteps:\n  - { id: a,\n      run: {{params.x}} }\n"), 3,
    'w.yaml:4:12: error: a value that starts with {{ must be quoted: "{{params.x}}"\n'))
  it("with an unknown key gets a suggestion", refuses(yaml("name: w\nsteps:\n  - id: a\n    run: x\n    input: [a]\n"), 3,
    { "w.yaml:5", "inputs" }))
  it("keeps `no` a text", run { files = yaml("name: w\nsteps:\n  - id: a\n    run: [printf, '%s', no]\n"), args = "run w",
    stdout = "no" })
  it("of 100 MB is refused with its size", run {
    shell = "mkdir workflows; head -c 104857600 /dev/zero | tr '\\0' 'a' > workflows/w.yaml; $orrery run w",
    code = 3, stderr = "w.yaml" })
end)

describe("a wrong workflow", function()
  local function doubling(text)
    return 'local o, t = require("orrery"), { "x" }\nfor _ = 1, 60 do t = { t, t } end\nreturn ' .. text
  end
  it("with a foreign word is told ours", refuses(wf [[o.step "a" { cmd = "x" }]], 3, { "w.lua:3", "cmd", "run" }))
  it("with a misspelt field is told the field", refuses(wf [[o.step "a" { run = "x", inptus = {} }]], 3, { "w.lua:3", "inputs" }))
  it("with two steps of one id names both places",
    refuses(wf(ok_step .. ",\n" .. ok_step), 3, { "w.lua:4", "w.lua:3" }))
  it("with a cycle names it step by step", refuses(wf [[
    o.step "a" { run = "x", needs = "b" }, o.step "b" { run = "x", needs = "a" }]], 3, { "cycle", "a", "b" }))
  it("with two steps writing one file names both", refuses(wf [[
    o.step "a" { run = "x", outputs = { "f" } }, o.step "b" { run = "x", outputs = { "f" } }]], 3, { "f", "a", "b" }))
  it("with a need nobody declares gets a suggestion", refuses(wf(ok_step:gsub('"a"', '"build"')
    .. ', o.step "t" { run = "x", needs = "biuld" }'), 3, { "biuld", "build" }))
  it("with an output outside the root is refused", refuses(wf [[o.step "a" { run = "x", outputs = { "../f" } }]], 3, "../f"))
  it("with an absolute output is refused", refuses(wf [[o.step "a" { run = "x", outputs = { "/tmp/f" } }]], 3, "/tmp/f"))
  it("that reads a result which is not upstream is refused", refuses(wf [[
    o.step "a" { run = "x" }, o.step "b" { run = "echo {{results.a.exit}}" }]], 3, { "w.lua:3", "a" }))
  it("with an unknown root param in a template is refused",
    refuses(wf [[o.step "a" { run = "echo {{params.nope}}" }]], 3, "nope"))
  it("with a bare number of retries is told the cure", refuses(wf [[o.step "a" { run = "x", retry = 3 }]], 3, "attempts"))
  it("with params read at load is told how to write it",
    refuses(wf [[o.step "a" { run = "git tag v" .. params.version }]], 3, "w.lua:3"))
  it("with lists without an end is told so", run { code = 3, shell = "for w in a b c d; do $orrery check $w 2>> err; "
    .. "echo $? >> codes; done; cat err >&2; test \"$(sort -u codes)\" = 3; exit 3", after = untouched,
    files = { ["workflows/a.lua"] = [[local o, t = require("orrery"), {} t[1] = t
return o.workflow "a" { o.step "s" { needs = t, run = "true" }, o.step "u" { with = t, call = function() end } }]],
      ["workflows/b.lua"] = [[local o, t = require("orrery"), {} t[1] = t
return o.workflow "b" { o.group "g" { needs = t, o.step "s" { run = "true" } } }]],
      ["workflows/c.lua"] = doubling [[o.workflow "c" { t }]],
      ["workflows/d.lua"] = doubling [[o.workflow "d" { o.step "s" { for_each = { t }, run = "true" } }]] },
    stderr = { "workflows/a.lua:2: error: needs is too much: over 4 million values, what is shared counted each time, "
      .. "or tables 100 deep", "workflows/a.lua:2: error: with is too much",
      "workflows/b.lua:2: error: a list contains itself, or lists are 100 deep", "!internal error",
      "workflows/c.lua:3: error: a list comes to more than a million entries, what is shared counted each time",
      "workflows/d.lua:3: error: for_each is too much" } })
  it("whose fan-out doubles while it runs takes no memory for it", run { code = 1,
    files = { ["workflows/w.lua"] = doubling [[o.workflow "w" { body = function(w)
      w:step("a", { for_each = { t, 1 }, run = "true" }) end }]],
      ["workflows/v.lua"] = [[local o = require("orrery")
return o.workflow "v" { o.step "a" { for_each = function() local t = { "x" }
  for _ = 1, 60 do t = { t, t, a = t } end return { t, t } end, run = "true", inputs = {} } }]] },
    shell = "ulimit -v 1500000; $orrery run v && $orrery run w", stderr = "for_each is too much" })
  it("with a template inside quotes is told to remove them", refuses(wf [[
    params = { x = "1" }, o.step "a" { run = "echo '{{params.x}}'" }]], 3, "quotes"))
end)

describe("a function that reads what no result has", function()
  it("is told so, whatever it decides", run { code = 4, args = "run w -k", files = wf [[
    o.step "x" { run = "true", inputs = {} },
    o.step "y" { needs = "x", run = "true", when = function(ctx) return ctx.results.x.stdot == "" end },
    o.step "z" { needs = "x", run = "true", for_each = function(ctx) return { ctx.results.x.valu or 1 } end },
    o.step "c" { needs = "x", run = "true", gate = { check = function(ctx) return not ctx.results.x.exti end } },
    o.step "r" { needs = "x", body = function(w) return w.results.x.eror end },
    o.step "k" { needs = "x", call = function(ctx) return ctx.results.x.statu == nil end },]],
    stderr = { "y: workflows/w.lua:4: a result has no 'stdot'; did you mean 'stdout'?",
      "z: workflows/w.lua:5: a result has no 'valu'; did you mean 'value'?",
      "c: gate check: workflows/w.lua:6: a result has no 'exti'; did you mean 'exit'?",
      "r: workflows/w.lua:7: a result has no 'eror'; did you mean 'error'?",
      "k: workflows/w.lua:8: a result has no 'statu'; did you mean 'status'?" } })
end)

describe("a body", function()
  local function body(text)
    return lua('local o = require("orrery")\nreturn o.workflow "w" { body = function(w)\n'
      .. '  local r = w:step("x", { for_each = { "a", "b" }, run = "echo {{item}}" })\n  '
      .. text .. "\nend }\n")
  end
  it("that reads what no result has is told so at its line", run { args = "run w", code = 1,
    files = body("return #r.members"), stderr = "workflows/w.lua:4: error: a result has no "
      .. "'members'; it has ok, status, values" })
  local call = "call: workflows/w.lua:4: a result has no "
  it("is told so where a function of it reads it on a worker", run { args = "run w", code = 1,
    files = body("local f = { of = { r } } return w:call(function() return f.of[1].memberz end)"),
    stderr = call .. "'memberz'; it has ok, status, values" })
  it("is told so of what it hands to a function", run { args = "run w", code = 1,
    files = body("return w:call(function(c) return c.with.r.pased end, { with = { r = r } })"),
    stderr = call .. "'pased'; did you mean 'passed'?" })
  it("is told so of an item", run { args = "run w", code = 1,
    files = body('return w:step("y", { for_each = { r }, label = "z", call = function(c) return c.item.valuez end })'),
    stderr = "workflows/w.lua:4: a result has no 'valuez'; did you mean 'value" })
  it("gives records on that may be read on a worker", run { args = "run w --json", code = 0,
    files = body("local g = function() return { r.ok, r.results[2].stdout, r.winner == nil } end "
      .. "return w:call(function() return g() end).value"), stdout = { "true", '"b\\n"' } })
  it("may give its records on", run { args = "run w --json", code = 0, stdout = '"status": "ok"',
    files = body("return w:call(function(c) return { c.with.r.ok, r } end, { with = { r = r } }).value") })
  it("that raises a table or a result says what is in it, and where", run { code = 1,
    files = { ["workflows/w.lua"] = body("local x = 1\nerror(r)")["workflows/w.lua"],
      ["workflows/v.lua"] = [[local o = require("orrery")
return o.workflow "v" { policy = "settled",
  o.step "a" { call = function() error({ a = 1, { "x\n", y = print } }) end },
  o.step "b" { body = function() error({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, k = { { { {} } } } }) end },
  o.step "c" { body = function() error() end },
  o.step "d" { body = function() error({ message = "its own words", n = 1 }) end },
  o.step "e" { when = function() error({ "when" }) end, run = "true" },
}]] },
    shell = "$orrery run v; $orrery run w", stderr = {
      "a: workflows/v.lua:3: raised { { \"x\\n\", y = a function }, a = 1 }",
      "b: workflows/v.lua:4: raised { 1, 2, 3, 4, 5, 6, 7, 8, k = { { { … } } }, 2 more }",
      "c: workflows/v.lua:5: raised nil, which says nothing", "d: its own words",
      "e: workflows/v.lua:7: raised { \"when\" }", "workflows/w.lua:5: error: raised { failed = {}, id = \"x\", "
      .. "ok = true,", "!table: 0x" } })
  it("that returns itself fails, with --json or without", run { files = body("return { w }"),
    shell = "$orrery run w; a=$?; $orrery run w --json > out; b=$?; test $a$b = 11",
    stderr = "its value[1]: cannot pass a table with a metatable" })
  it("whose value doubles with each round is ended", run { args = "run w", code = 1,
    files = body("local t = {} for _ = 1, 60 do t = { t, t } end return t"),
    stderr = "too much to pass (over 512 MiB or 32 million values)" })
end)

describe("the command line", function()
  it("refuses an unknown command with a suggestion", run { args = "rnu", code = 2, stderr = "run" })
  it("refuses an unknown flag with a suggestion", run { files = wf(ok_step), args = "run w --forec",
    code = 2, stderr = "--force", after = untouched })
  it("refuses an unknown workflow and says which there are", run { files = wf(ok_step), args = "run ww",
    code = 2, stderr = "the workflows are: w", after = untouched })
  it("says in an empty folder how to begin", run { code = 2, stdout = "", stderr = "!default",
    shell = "for c in run 'run -n' plan graph; do $orrery $c 2>> err; echo $? >> codes; done; cat err >&2; "
      .. "test \"$(grep -c 'there are no workflows here' err)\" = 4; test \"$(sort -u codes)\" = 2; "
      .. "$orrery run abc", })
  it("says which workflow there is when none is named", run { files = wf(ok_step), code = 2,
    shell = "for c in run watch plan; do $orrery $c || echo $? >> codes; done; "
      .. "test \"$(sort -u codes)\" = 2 && exit 2", after = untouched,
    stderr = { "name one: orrery run w; return { default = \"w\" } in orrery.lua",
      "name one: orrery watch w;", "there is w; return { default" } })
  it("refuses to force or approve a step that is not there", run { code = 2, after = untouched,
    files = wf 'o.step "build" { run = "touch ran" }',
    shell = "for f in --force=biuld -y=biuld '-n --force=biuld' --force='x*'; do $orrery run w $f 2>> err; "
      .. "echo $? >> codes; done; cat err >&2; test \"$(sort -u codes)\" = 2; exit 2",
    stderr = { "there is no step 'biuld' in w\n  did you mean 'build'?", "there is no step 'x*' in w" } })
  it("refuses agents and resources that nothing in the workflow asks for", run { code = 2, after = untouched,
    files = wf 'o.step "a" { agent = "writer", prompt = "x", resources = { gpu = 1 }, inputs = {} }',
    shell = "for f in --agent=writr=cat '--resources gpo=1' --resources=zz=1; do for c in run watch; do "
      .. "$orrery $c w --agent mock $f 2>> err; echo $? >> codes; done; done; $orrery plan w --agent nobody=cat 2>> err; "
      .. "echo $? >> codes; cat err >&2; test \"$(sort -u codes)\" = 2; exit 2",
    stderr = { "--agent: there is no agent 'writr' in w\n  did you mean 'writer'?",
      "--resources: there is no resource 'gpo' in w\n  did you mean 'gpu'?",
      "no resource 'zz' in w\n  known are: cpu, gpu, mem", "no agent 'nobody' in w\n  known are: writer" } })
  it("takes what orrery.lua has, and names that come up in a body", run {
    files = { ["orrery.lua"] = 'return { resources = { disk = 2 }, agents = { judge = { run = "cat", fallback = { "jury" } } } }',
      ["workflows/w.lua"] = wf(ok_step)["workflows/w.lua"],
      ["workflows/b.lua"] = [[return require("orrery").workflow "b" { body = function(w)
        w:agent("anyone", { prompt = "x", resources = { zz = 1 } }) end }]] },
    shell = "$orrery run w -q --resources disk=1,cpu=1,mem=1G --agent judge=cat --agent jury=cat --agent '*=cat' && "
      .. "$orrery run b -q --agent anyone=mock --resources zz=1" })
  it("refuses them for a run that goes on, too", run { code = 2, files = wf 'o.step "a" { run = "false" }',
    shell = "$orrery run w -q; $orrery resume --resources zz=1", stderr = "no resource 'zz' in w" })
  it("forces members, globs and calls of a body", run { files = wf [[
    o.step "a" { for_each = { "x", "y" }, run = "true", inputs = {} },
    o.step "b" { needs = "a", body = function(w) w:run("true", { id = "c", inputs = {} }) end }]],
    shell = "$orrery run w -q && $orrery run w --force='a[x]' && $orrery run w --force='a*' && "
      .. "$orrery run w --force=b/c" })
  it("refuses an unknown step with a suggestion", run { files = wf(ok_step), args = "run w aa", code = 2, stderr = "a", after = untouched })
  it("refuses an unknown param and a missing one, all at once", run { files = wf [[
    params = { v = o.param { required = true }, u = o.param { required = true } }, o.step "a" { run = "touch ran" }]],
    args = "run w -p x=1", code = 2, stderr = { "x", "'v' is required", "'u' is required" }, after = untouched })
  it("survives a closed stdout", run { files = wf(ok_step), shell = "$orrery run w | head -0; $orrery list | head -0; echo done",
    stdout = "done", stderr = "!traceback" })
end)

describe("an unusual place", function()
  it("an output through a symlink that leaves the root is refused", run { files = wf [[
    o.step "a" { run = "echo x > out/f", inputs = {}, outputs = { "out/f" } }]],
    shell = "mkdir ../outside$$; ln -s ../outside$$ out; $orrery run w; c=$?; ls ../outside$$; rmdir ../outside$$; exit $c",
    code = 1, stderr = "out/f" })
  it("a directory where the index should be is switched off or replaced, not fatal", run { files = wf(ok_step),
    shell = "mkdir -p .orrery/index; $orrery run w" })
  it("a repository without commits is fine", run { files = wf(ok_step), shell = "git init -q . && $orrery run w",
    after = function(dir) assert.is_truthy(cli.read(dir .. "/ran")) end })
  it("a run directory that cannot be made is exit 5", run { files = wf(ok_step),
    shell = "echo x > .orrery; $orrery run w", code = 5, stderr = ".orrery" })
end)
