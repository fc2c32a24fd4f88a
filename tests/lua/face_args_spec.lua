local args = require("orrery.face.args")
local flags = require("orrery.face.flags")
local run = require("orrery.face.cmd.run")

local function parse(...)
  return args.parse({ ... }, 1, flags.set(run.flags), "run")
end

local function refusal(...)
  local ok, e = pcall(parse, ...)
  assert.is_false(ok)
  assert.equal("usage", e.code)
  return e.message, e.hint
end

describe("flags", function()
  it("take make's spellings of a number", function()
    for _, line in ipairs({ { "-j4" }, { "-j", "4" }, { "--jobs=4" }, { "--jobs", "4" },
      { "-j=4" } }) do
      assert.same({ jobs = 4 }, (parse(table.unpack(line))))
    end
  end)

  it("cluster, the last one with its value", function()
    assert.same({ ["keep-going"] = true, verbose = true, jobs = 2 }, (parse("-kvj2")))
  end)

  it("stand anywhere among the words, and end at --", function()
    local opts, words, rest = parse("site", "-k", "links", "--", "-j4", "x")
    assert.same({ ["keep-going"] = true }, opts)
    assert.same({ "site", "links" }, words)
    assert.same({ "-j4", "x" }, rest)
  end)

  it("that may have a value take it with = only", function()
    local opts, words = parse("-y", "deploy", "--force=a*", "--force")
    assert.same({ yes = { true }, force = { "a*", true } }, opts)
    assert.same({ "deploy" }, words)
    assert.same({ yes = { "deploy" } }, (parse("-y=deploy")))
  end)

  it("that repeat collect", function()
    assert.same({ param = { "a=1", "b=2=3" } }, (parse("-pa=1", "--param", "b=2=3")))
    assert.same({ a = "1", b = "2=3" }, args.pairs({ "a=1", "b=2=3" }, "-p"))
    assert.same({ gpu = "2", mem = "2G" }, args.pairs({ "gpu=2,mem=2G" }, "--resources", true))
  end)

  it("convert times", function()
    assert.equal(90, parse("--timeout=90").timeout)
    assert.equal(5400, parse("--timeout=1h30m").timeout)
  end)

  it("refuse what they do not know, with the nearest", function()
    local text, hint = refusal("--job=4")
    assert.equal("orrery run has no flag --job", text)
    assert.equal("did you mean --jobs?", hint)
    assert.equal("orrery run has no flag -x", (refusal("-kx")))
  end)

  it("refuse values that cannot be", function()
    assert.equal("-j: '0' is not a whole number from 1", (refusal("-j0")))
    assert.equal("-j needs a value: -j N", (refusal("-j")))
    assert.equal("--quiet takes no value", (refusal("--quiet=1")))
    local text, hint = refusal("--cache=rx")
    assert.equal("--cache: 'rx' is none of rw, ro, wo, off", text)
    assert.equal("did you mean 'rw'?", hint)
    assert.equal("--timeout: 'soon' is not a time such as 90s, 5m or 1h30m",
      (refusal("--timeout", "soon")))
  end)

  it("that another command has are named by the letter", function()
    local ok, e = pcall(args.parse, { "-j2" }, 1, flags.set({}), "list")
    assert.is_false(ok)
    assert.equal("orrery list has no flag -j (--jobs)", e.message)
  end)

  it("of every command exist, and every command says how it is used", function()
    local commands = require("orrery.face.commands")
    for _, name in ipairs(commands.names()) do
      local command = commands.get(name)
      assert.truthy(command.usage:find("^orrery " .. name))
      assert.is_true(#command.examples > 0 and #command.about > 0)
      flags.set(command.flags or {})
    end
  end)
end)
