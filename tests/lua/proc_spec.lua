-- proc: commands from a script.
local loop = require("orrery.kernel.loop")
local proc = require("orrery.proc")

local function in_task(fn)
  local l <close> = loop.new()
  local got = l:run(l:task("test", function() return table.pack(pcall(fn)) end))
  if not got[1] then error(got[2], 0) end
  return got[2]
end

local function run(...)
  local args = table.pack(...)
  return in_task(function() return proc.run(table.unpack(args, 1, args.n)) end)
end

describe("proc.run", function()
  it("gives what a command wrote and how it ended", function()
    local r = run("echo out; echo err >&2; exit 3")
    assert.same({ "out\n", "err\n", 3, false }, { r.stdout, r.stderr, r.code, r.ok })
    assert.is_number(r.seconds)
  end)

  it("passes a list on without a shell", function()
    assert.equal("a b $HOME ;\n", run({ "echo", "a b", "$HOME", ";" }).stdout)
  end)

  it("sets and takes away variables, feeds stdin, changes directory", function()
    local r = run("cat; echo $X ${HOME-none}; pwd", { env = { X = 1, HOME = false },
      stdin = "in\n", cwd = "/usr" })
    assert.equal("in\n1 none\n/usr\n", r.stdout)
  end)

  it("ends a command that takes too long", function()
    local r = run({ "sleep", "100" }, { timeout = "10ms" })
    assert.same({ false, true }, { r.ok, r.timed_out })
  end)

  it("says which signal ended it", function()
    local r = run("kill -KILL $$; :")
    assert.same({ 137, "KILL" }, { r.code, r.signal })
  end)

  it("raises with check = true, with the last line of stderr", function()
    local ok, err = pcall(run, "echo why >&2; exit 2", { check = true })
    assert.is_false(ok)
    assert.equal("echo why >&2; exit 2: exit 2: why", tostring(err))
    assert.equal(2, err.exit_code)
  end)

  it("raises when there is no such program, and what misuse is", function()
    local function fails(text, ...)
      local ok, err = pcall(run, ...)
      assert.is_false(ok)
      assert.truthy(tostring(err):find(text, 1, true), tostring(err))
    end
    fails("no such program", { "no-such-program-here" })
    fails("needs a command", "")
    fails("needs a command", {})
    fails("unknown option 'dir'", "true", { dir = "x" })
    local co = coroutine.wrap(function() return pcall(proc.run, "true") end)
    local ok, err = co()
    assert.is_false(ok)
    assert.truthy(tostring(err):find("proc.run inside coroutine.wrap", 1, true), tostring(err))
  end)
end)

describe("proc", function()
  it("quotes words so that a shell gives them back", function()
    local argv = { "printf", "%s|", "it's", "a b", "$x", "" }
    assert.equal("it's|a b|$x||", run(proc.line(argv)).stdout)
  end)

  it("splits simple command lines and leaves others to a shell", function()
    assert.same({ "cc", "-c", "a b.c" }, proc.split("cc -c 'a b.c'"))
    assert.is_nil(proc.split("cc | cat"))
  end)

  it("finds programs", function()
    assert.truthy(proc.which("sh"):find("/sh$"))
    assert.is_nil(proc.which("no-such-program-here"))
  end)
end)
