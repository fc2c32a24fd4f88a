-- orrery.core.loop and orrery.core.proc: the engine's loop as Lua sees it.
local core = require("orrery.core.loop")
local proc = require("orrery.core.proc")

-- Every event until nothing is left to wait for, by kind.
local function drain(loop)
  local all = {}
  while true do
    local events = loop:wait()
    if #events == 0 then return all end
    for _, ev in ipairs(events) do
      all[ev.kind] = all[ev.kind] or {}
      table.insert(all[ev.kind], ev)
    end
  end
end

local function run(spec)
  local loop <close> = core.new()
  assert(loop:spawn(spec))
  return drain(loop).exit[1]
end

local function collect()
  collectgarbage()
  collectgarbage()
end

describe("a loop", function()
  it("returns at once when there is nothing to wait for", function()
    local loop <close> = core.new()
    assert.same({}, loop:wait())
  end)

  it("tells timers in the order of their time", function()
    local loop <close> = core.new()
    local late, soon = loop:timer(0.02), loop:timer(0)
    local timers = drain(loop).timer
    assert.same({ soon, late }, { timers[1].id, timers[2].id })
  end)

  it("tells a wake-up by the caller's own number", function()
    local loop <close> = core.new()
    local waker <close> = loop:waker(41)
    waker:notify()
    assert.same({ { kind = "wake", id = 41 } }, loop:wait())
  end)

  it("refuses everything once it is closed, and closes twice", function()
    local loop = core.new()
    loop:close()
    loop:close()
    assert.error_matches(function() loop:wait() end, "the loop is closed")
    assert.error_matches(function() loop:spawn({ argv = { "true" } }) end, "the loop is closed")
  end)

  it("returns failures and raises misuse", function()
    local loop <close> = core.new()
    local id, err = loop:signal("KILL")
    assert.is_nil(id)
    assert.equal("EINVAL", err.code)
    id, err = loop:watch("/no/such/dir")
    assert.is_nil(id)
    assert.equal("ENOENT", err.code)
    assert.has_error(function() loop:timer("soon") end)
    assert.error_matches(function() loop:timer(0 / 0) end, "not a number")
    assert.error_matches(function() loop:readable(-1) end, "not a file descriptor")
  end)
end)

describe("a child", function()
  it("is one event with all that it wrote and used", function()
    local ev = run { argv = { "sh", "-c", "echo out; echo err >&2; exit 3" } }
    assert.same({ 3, "out\n", "err\n" }, { ev.code, ev.stdout, ev.stderr })
    assert.is_true(ev.cpu >= 0 and ev.wall > 0 and ev.rss > 0)
    assert.is_nil(ev.signal or ev.timed_out or ev.killed or ev.truncated or ev.left)
  end)

  it("keeps zero bytes on the way in and out", function()
    assert.equal("a\0b", run({ argv = { "cat" }, stdin = "a\0b" }).stdout)
  end)

  it("says when it was killed, timed out or cut", function()
    local loop <close> = core.new()
    local child = assert(loop:spawn { argv = { "sleep", "1000" } })
    assert.is_true(child.id >= 0 and child.pid > 1)
    child:kill { signal = "INT" }
    child:kill()
    local ev = drain(loop).exit[1]
    assert.same({ child.id, true, 128 + 2 }, { ev.id, ev.killed, ev.code })
    assert.equal("INT", ev.signal)
    child:kill() -- over: nothing happens
    assert.is_true(run({ argv = { "sleep", "1000" }, timeout = 0.02 }).timed_out)
    ev = run { argv = { "echo", "long" }, limit = 2 }
    assert.same({ "lo", true }, { ev.stdout, ev.truncated })
  end)

  it("started apart is known by its id; its end, or why it has none, is an event", function()
    local loop <close> = core.new()
    local good = assert(loop:spawn({ argv = { "sh", "-c", "echo out; exit 3" } }, true))
    local bad = assert(loop:spawn({ argv = { "true" }, cwd = "/no/such/dir", file = "/bin/true" }, true))
    assert.is_nil(good.pid)
    local ended = {}
    for _, ev in ipairs(drain(loop).exit) do ended[ev.id] = ev end
    assert.same({ 3, "out\n" }, { ended[good.id].code, ended[good.id].stdout })
    assert.equal("ENOENT", ended[bad.id].error.code)
    assert.matches("^working directory /no/such/dir", ended[bad.id].error.message)
    assert.is_nil(ended[bad.id].code)
  end)

  it("that cannot be started is an error in words, not a raise", function()
    local loop <close> = core.new()
    local child, err = loop:spawn { argv = { "no-such-program" } }
    assert.is_nil(child)
    assert.equal("ENOENT", err.code)
    assert.equal("cannot run 'no-such-program': no such program on PATH", tostring(err))
    assert.same({}, loop:wait())
  end)

  it("of a wrong spec raises and names the field", function()
    local loop <close> = core.new()
    local wrong = {
      { {}, "'argv' must have at least one word" },
      { { argv = {} }, "'argv' must have at least one word" },
      { { argv = { "true", 1 } }, "'argv%[2%]' must be a string, got number" },
      { { argv = { "a\0b" } }, "'argv%[1%]' contains a zero byte" },
      { { argv = { "true" }, env = "A=1" }, "'env' must be a list of strings" },
      { { argv = { "true" }, cwd = 1 }, "'cwd' must be a string" },
      { { argv = { "true" }, timeout = "1s" }, "'timeout' must be seconds" },
      { { argv = { "true" }, output = "file" }, "'output' must be" },
      { { argv = { "true" }, stdin = 5 }, "'stdin' must be a string or false" },
    }
    for _, case in ipairs(wrong) do
      assert.error_matches(function() loop:spawn(case[1]) end, case[2])
    end
    assert.same({}, loop:wait())
  end)

  it("keeps its loop alive, and dies with it when both are forgotten", function()
    local pid
    do
      local loop = core.new()
      local held = { child = assert(loop:spawn { argv = { "sleep", "1000" } }), waker = loop:waker(1) }
      loop = nil -- luacheck: ignore
      collect()
      pid = held.child.pid
      held.child:kill { grace = 1000 }
      held.child = nil
      collect()
      held.waker:notify() -- its loop is gone
      held.waker:close()
      held.waker:close()
    end
    assert.is_nil(io.open("/proc/" .. pid .. "/stat"))
  end)

  it("of a closed loop is over", function()
    local loop = core.new()
    local child = assert(loop:spawn { argv = { "sleep", "1000" } })
    loop:close()
    child:kill()
    assert.is_nil(io.open("/proc/" .. child.pid .. "/stat"))
  end)

  it("survives a collector that never rests", function()
    collectgarbage("incremental", 1, 10000)
    local ok, err = pcall(function()
      local loop <close> = core.new()
      for i = 1, 20 do
        assert(loop:spawn { argv = { "echo", ("n%d"):format(i) }, env = { "A=" .. i }, tag = "t/" .. i })
        collect()
      end
      local seen = {}
      for _, ev in ipairs(drain(loop).exit) do seen[ev.stdout] = true end
      for i = 1, 20 do assert.is_true(seen[("n%d\n"):format(i)]) end
    end)
    collectgarbage("incremental", 200, 100)
    assert(ok, err)
  end)
end)

describe("a command line", function()
  it("is split when no shell is needed", function()
    assert.same({ "cc", "-c", "a b.c" }, proc.split("cc -c 'a b.c'"))
    assert.is_nil(proc.split("a | b"))
    assert.is_nil(proc.split("cd x"))
    assert.is_nil(proc.split("A=1 b"))
    assert.is_nil(proc.split(""))
  end)

  it("word survives a real shell once quoted", function()
    for _, word in ipairs { "", "a b", "it's", "$HOME `id` \\ \"x\"", "A=1", "~", "a\nb", "*" } do
      local ev = run { argv = { "sh", "-c", "printf '[%s]' " .. proc.quote(word) } }
      assert.equal("[" .. word .. "]", ev.stdout)
    end
  end)

  it("program is found on a given PATH, absolute", function()
    assert.equal("/", proc.which("sh"):sub(1, 1))
    assert.equal("/bin/sh", proc.which("sh", "/nowhere:/bin"))
    assert.equal("/bin/sh", proc.which("./sh", nil, "/bin"))
    assert.equal("/bin/sh", proc.which("sh", "bin", "/"))
    assert.is_nil(proc.which("sh", "/nowhere"))
  end)
end)
