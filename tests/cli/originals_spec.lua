-- What the runners of agent workflows before this one got wrong: one short test each, end to
-- end. Where a subject has a file of its own, the many cases are there.
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")

local function one(steps) return { ["workflows/w.lua"] = ([[
local o = require("orrery")
return o.workflow { %s }
]]):format(steps) } end

local function script(text, more)
  local t = more or {}
  t.files = t.files or {}
  t.files["s.lua"], t.args = text, t.args or "lua s.lua"
  return cli.run(t)
end

local GIT = [[export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b \
GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b; git init -q -b main . && git add -A \
&& git commit -qm one; ]]

describe("what the originals got wrong:", function()
  it("savings always reported as 0", cli.run {
    files = one [[o.step "a" { run = "sleep 0.3" }, o.step "b" { run = "sleep 0.3" },
      o.step "c" { run = "sleep 0.3" }]],
    args = "run w -j3 --json",
    after = function(_, r)
      local doc = json.decode(r.stdout)
      assert.truthy(doc.saved > 0, r.stdout)
      assert.truthy(math.abs(doc.work - doc.seconds - doc.saved) < 0.01, r.stdout)
    end,
  })

  it("duplicate step ids silently dropped", cli.run {
    files = { ["workflows/w.yaml"] = "steps:\n  - { step: 1, agent: a }\n"
      .. "  - { step: 2, agent: b }\n  - { step: 1, agent: c }\n" },
    args = "check w", code = 3, stderr = { "workflows/w.yaml:4", "1" },
  })

  it("members of a group hoisted over their dependencies", cli.run {
    files = { ["workflows/w.yaml"] = [[
steps:
  - { step: 1, agent: a, parallel_group: g, outputs: [one.json] }
  - { step: 2, agent: a, outputs: [two.json] }
  - { step: 3, agent: a, parallel_group: g, inputs: [two.json (from step 2)] }
]] },
    args = "run w --agent mock -j4 -q --events -",
    after = function(_, r)
      local done = r.stdout:find('"ev":"step_finished"[^\n]*"id":"2"')
      local began = r.stdout:find('"ev":"step_started"[^\n]*"id":"3"')
      assert.truthy(done and began and done < began, r.stdout)
    end,
  })

  it("dependants of failed steps run anyway", cli.run {
    files = one [[o.step "a" { run = "exit 1" }, o.step "c" { run = "touch c" },
      o.step "b" { run = "touch b", needs = { "a" } }]],
    args = "run w -k", code = 1, stderr = "b",
    after = function(dir)
      assert.is_nil(cli.read(dir .. "/b"))
      assert.truthy(cli.read(dir .. "/c"))
    end,
  })

  it("a timeout that cancels nothing", cli.run {
    files = one [[o.step "a" { timeout = 0.3,
      run = "echo $$ > pid; (sleep 60; touch late) & echo $! > child; wait" }]],
    args = "run w", code = 1, stderr = "timed out after 300ms",
    after = function(dir)
      for _, name in ipairs({ "pid", "child" }) do
        local pid = cli.read(dir .. "/" .. name):match("%d+")
        assert.is_nil(cli.read("/proc/" .. pid .. "/cmdline"), name .. " is still there")
      end
    end,
  })

  it("a cache key depending on key order", script([[
local cache = require("orrery.cache").open()
local there, back = {}, {}
for i = 1, 40 do there["k" .. i] = { a = i, b = -i } end
for i = 40, 1, -1 do back["k" .. i] = { b = -i, a = i } end
for _, params in ipairs { there, back } do
  cache:get_or_compute("skill", params, function()
    io.open("calls", "a"):write("computed\n")
    return 1
  end)
end
]], { after = function(dir) assert.are.equal("computed\n", cli.read(dir .. "/calls")) end }))

  it("one corrupt cache file breaking stats and prune", cli.run {
    files = one [[o.step "a" { run = "cat in > out", inputs = { "in" },
      outputs = { "out" } }]], shell = [[echo 1 > in; $orrery run w -q || exit 9
for f in .orrery/cache/seg/*; do printf 'not a record at all' > "$f"; done
$orrery cache stats && $orrery cache prune && rm out && $orrery run w && cat out]],
    stdout = { "1 step", "\n1\n" },
  })

  it("non-atomic writes", cli.run {
    files = { ["s.lua"] = [[
local reg = require("orrery.registry").new()
for i = 1, 20000 do reg:add { name = "artifact number " .. i } end
reg:save("registry.json")
]], ["registry.json"] = '{"artifacts":[{"id":"old@v1","name":"old"}]}' },
    shell = [[( ulimit -f 64; $orrery lua s.lua >/dev/null 2>&1 ); echo "code $?"; cat registry.json
ls]], stdout = { '{"artifacts":[{"id":"old@v1","name":"old"}]}', "!code 0" },
  })

  it("five concurrent registrations leaving three entries", cli.run {
    files = { ["s.lua"] = [[
local reg <close> = require("orrery.registry").new()
reg:add { name = "artifact-" .. arg[1] }
reg:save("registry.json", { merge = true })
]] }, shell = [[for i in 1 2 3 4 5; do $orrery lua s.lua $i & p="$p $!"; done
for q in $p; do wait $q || exit 1; done; cat registry.json]],
    after = function(_, r)
      assert.are.equal(5, #json.decode(r.stdout).artifacts)
    end,
  })

  it("a version policy stuck at v2", cli.run {
    files = { ["s.lua"] = [[
local reg <close> = require("orrery.registry").new()
reg:add { name = "plan" }
reg:save("registry.json", { merge = true })
]] }, shell = "for i in 1 2 3 4; do $orrery lua s.lua || exit 1; done; cat registry.json",
    stdout = { "plan@v1", "plan@v2", "plan@v3", "plan@v4" },
  })

  it("checkpoint restore always failing its own checksum", cli.run {
    files = one [[o.step "a" { run = "echo a >> log" },
      o.step "b" { run = "test -f go && echo b >> log", needs = { "a" } }]],
    shell = "$orrery run w -q; touch go; $orrery resume && cat log && $orrery cache verify",
    stdout = "a\nb\n",
    after = function(dir) assert.are.equal("a\nb\n", cli.read(dir .. "/log")) end,
  })

  it("shell injection through git refs", cli.run {
    files = one [[o.step "a" { run = "true", inputs = { "s" } }]],
    shell = GIT .. [[$orrery affected w --base='main; touch pwned #' ; echo "code $?"
$orrery affected w --base='$(touch pwned)'; $orrery affected w '--base=--output=pwned'; ls]],
    stdout = { "code 2", "!pwned" },
  })

  it("ttl inside the diff key", script([[
local cache = require("orrery.cache").open()
for _, ttl in ipairs { "1h", "2h", 30 } do
  cache:get_or_compute("diff", { from = "a", to = "b" }, function()
    io.open("calls", "a"):write("computed\n")
    return 1
  end, { ttl = ttl })
end
]], { after = function(dir) assert.are.equal("computed\n", cli.read(dir .. "/calls")) end }))

  it("renames losing the new path", cli.run {
    files = { ["old name.txt"] = ("a line\n"):rep(20), ["s.lua"] = [[
for _, f in ipairs(require("orrery.git").open("."):diff().files) do
  print(f.status, f.old_path, f.path)
end
]] }, shell = GIT .. "git mv 'old name.txt' new.txt; $orrery lua s.lua",
    stdout = "R\told name.txt\tnew.txt",
  })

  it("schema reload failing for documents with $id", script([[
local schema, fs = require("orrery.schema"), require("orrery.fs")
local function write(kind)
  fs.write_atomic("a.json", ('{"$id":"http://x.test/a.json","type":"%s"}'):format(kind))
end
for _, kind in ipairs { "string", "integer", "string" } do
  write(kind)
  for _ = 1, 2 do
    print(kind, schema.validate("x", "a.json"), schema.validate(1, "a.json"))
    collectgarbage()
  end
end
]], { stdout = "string\ttrue\tfalse", after = function(_, r)
    assert.are.equal(4, select(2, r.stdout:gsub("string\ttrue\tfalse", "")))
    assert.are.equal(2, select(2, r.stdout:gsub("integer\tfalse\ttrue", "")))
  end }))

  it("draft 2020-12 not compiling", script([[
local schema = require("orrery.schema").get { ["$schema"] =
  "https://json-schema.org/draft/2020-12/schema", ["$id"] = "http://x.test/s",
  prefixItems = { { type = "string" }, { ["$ref"] = "#n" } }, items = false,
  ["$defs"] = { n = { ["$anchor"] = "n", type = "integer" } }, unevaluatedItems = false }
print((schema:validate { "a", 1 }), (schema:validate { "a", "b" }), (schema:validate { "a", 1, 2 }))
]], { stdout = "true\tfalse\tfalse" }))

  it("{} passing a gate after autofix", cli.run {
    files = { ["workflows/w.yaml"] = [[
steps:
  - step: 1
    agent: a
    outputs: [plan.json]
    validation: { schema: plan.schema.json, gate: gate.json, autofix: true }
]], ["plan.schema.json"] = '{"required":["title"]}',
      ["agent"] = "#!/bin/sh\ncat >/dev/null; echo '{}' > $ORRERY_ARTIFACTS/plan.json\n" },
    args = "run w --agent '*=./agent'", code = 1, stderr = "title",
    after = function(dir)
      assert.are.equal("failed", json.decode(cli.read(dir .. "/gate.json")).status)
    end,
  })

  it("conditions ignoring trailing words", cli.run {
    files = { ["workflows/w.yaml"] = "inputs: { x: { type: boolean, default: true } }\nsteps:\n"
      .. "  - { step: 1, agent: a, condition: 'x == true unless it is Friday' }\n" },
    args = "check w", code = 3, stderr = "workflows/w.yaml:3",
  })

  it("a rule index that re-reads every file", script([[
local rules = require("orrery.rules")
local function open() return rules.open("rules", { root = ".", keep = "kept" }) end
print("first", open():stats().read)
print("again", open():stats().read)
local fs = require("orrery.fs")
fs.write_atomic("rules/b.mdc", "---\nglobs: '**/*.c'\n---\nother words than before\n")
print("one changed", open():stats().read)
]], { files = { ["rules/a.mdc"] = "---\nglobs: '**/*.lua'\n---\na\n",
    ["rules/b.mdc"] = "---\nglobs: '**/*.c'\n---\nb\n", ["rules/c.mdc"] = "c\n" },
    stdout = { "first\t3", "again\t0", "one changed\t1" } }))

  it("front matter lost with CRLF", cli.run {
    files = { ["rules/a.mdc"] = "---\r\ndescription: of C\r\nglobs: **/*.c\r\n---\r\nUse it.\r\n",
      ["orrery.lua"] = "return { rules = 'rules' }" },
    args = "agents rules for src/x.c", stdout = "a.mdc",
    again = { args = "agents rules for src/x.py", stdout = "!a.mdc" },
  })

  it('"go" matching "django"', cli.run {
    files = { ["rules/go.mdc"] = "---\ndescription: Go services\n---\nUse go.\n",
      ["rules/django.mdc"] = "---\ndescription: Django apps\n---\nUse django.\n",
      ["requirements.txt"] = "django==5.0\n", ["orrery.lua"] = "return { rules = 'rules' }" },
    args = "agents rules select", stdout = { "django.mdc", "!go.mdc:", "!\ngo.mdc", "!rules/go.mdc" },
  })
end)
