-- A key is made of what determines a result, and of nothing else: not of the place, the
-- locale, the umask, the time zone or the turn.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")

local TURNS = 100

local FILES = {
  ["src/a"] = "a\n", ["src/sub/b"] = "b\n", ["src/run"] = "#!/bin/sh\ncat src/a\n",
  ["workflows/w.lua"] = cli.workflow [[
    params = { p = "x", list = { "k", "l" } },
    o.step "glob" { run = "cat src/a src/sub/b > out/glob", inputs = { "src/**" },
      outputs = { "out/glob" }, env = { "CC", MODE = "{{params.p}}" } },
    o.step "direct" { run = { "./src/run" }, inputs = { "src/a" }, parse = "text" },
    o.step "fan" { run = "echo {{matrix.k}}", inputs = {}, matrix = { k = { "one", "two" } } },
    o.step "call" { needs = "direct", call = function(ctx)
      return { ctx.results.direct.value, ctx.params.p, require("orrery.fs").read("src/sub/b") }
    end },
  ]],
}

-- The key of each step, all run anew.
local function keys(dir, opts)
  local r = cli.exec(dir, "run w --force -j2", opts)
  assert(r.code == 0, r.stderr)
  local out = {}
  for id, ev in pairs(runs.last(dir).steps) do out[id] = ev.key end
  assert.is_truthy(out.glob and out.direct and out.call and out["fan[one]"])
  cli.exec(dir, "", { shell = "rm -rf .orrery/runs" })
  return out
end

describe("the keys of a workflow", function()
  local here, there, first
  setup(function()
    here, there = cli.folder(FILES), cli.folder()
    local deep = there .. "/an other/place"
    os.execute(("mkdir -p '%s' && cp -Rp %s/. '%s'"):format(deep, here, deep))
    first = keys(here)
  end)
  teardown(function()
    cli.remove(here)
    cli.remove(there)
  end)

  it(("are the same in %d runs"):format(TURNS), function()
    for _ = 1, TURNS do assert.same(first, keys(here)) end
  end)

  it("are the same at another path, in another time zone", function()
    local env = { TZ = "Asia/Kathmandu", TMPDIR = there }
    assert.same(first, keys(there .. "/an other/place", { env = env }))
  end)

  -- LC_ALL overrules LANG and all others, so each of these is what the process really gets.
  it("are the same in each locale that is installed", function()
    local list <close> = assert(io.popen("locale -a"))
    local names = { "POSIX", "C.UTF-8" }
    for name in list:lines() do names[#names + 1] = #names < 6 and name or nil end
    for _, name in ipairs(names) do
      assert.same(first, keys(here, { env = { LC_ALL = name, LANG = name } }), name)
    end
  end)

  it("are the same under another umask", function()
    local dir = there .. "/an other/place"
    local r = cli.exec(dir, "", { shell = 'rm -rf out; umask 077; touch src/a; "$orrery" run w --force' })
    assert(r.code == 0, r.stderr)
    local have = {}
    for id, ev in pairs(runs.last(dir).steps) do have[id] = ev.key end
    assert.same(first, have)
  end)
end)

describe("a program", function()
  it("that a step puts before another on the PATH is the one that runs from there on", cli.run {
    files = { ["workflows/w.lua"] = cli.workflow [[
      env = { PATH = "bin:/usr/bin:/bin" },
      o.step "before" { run = "printenv USER", parse = "text" },
      o.step "makes" { after = "before",
        run = "mkdir bin; printf '#!/bin/sh\necho ours\n' > bin/printenv; chmod +x bin/printenv" },
      o.step "behind" { after = "makes", run = "printenv USER", parse = "text" } ]] },
    args = "run w", env = { USER = "me" }, after = function(dir)
      local j = runs.last(dir)
      assert.equal("me", j.steps.before.value)
      assert.equal("ours", j.steps.behind.value)
    end,
  })
end)
