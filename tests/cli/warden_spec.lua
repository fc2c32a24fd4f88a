-- The warden: whichever side dies, and however, nothing of the run is left.
--
-- Every process of the run under test holds the write end of the pipe that its output is
-- captured through. The exit event comes when that pipe ends, so "left == nil" after a
-- generous grace says that all of them were gone, without a look at the clock.
local harness = require("tests.cli.harness")
local core = require("orrery.core.loop")

local HANG = 60 -- seconds after which a test counts as hung

-- Starts children of every hostile kind, says so, and waits for ever.
local ENGINE = [==[
local loop = require("orrery.core.loop").new()
local stubborn = [[exec sh -c "trap \"\" TERM HUP INT; echo ready; exec sleep 1000"]]
local kinds = {
  "trap '' TERM HUP INT; echo ready; exec sleep 1000",
  "setsid sh -c '" .. stubborn .. "' & exec sleep 1000",
  "(setsid sh -c '" .. stubborn .. "' &) ; exec sleep 1000",
  "(env -i setsid sh -c '" .. stubborn .. "' &) ; exec sleep 1000",
  "(env -i setsid sh -c '" .. stubborn .. "' &)",
}
for i, script in ipairs(kinds) do
  assert(loop:spawn { argv = { "sh", "-c", script }, output = "inherit", tag = "t/" .. i .. "/1" })
end
local f = assert(io.open("/proc/self/stat"))
local engine, warden = f:read("a"):match("^(%d+) .* %a (%d+)")
io.write("pids ", engine, " ", warden, "\n")
io.flush()
if arg[1] == "trap" then loop:signal("TERM") loop:signal("INT") end
if arg[1] == "quit" then
  io.read("l") os.exit(7, false)
end
while true do
  for _, ev in ipairs(loop:wait()) do
    if ev.kind == "signal" then io.write("signal ", ev.name, "\n") io.flush() end
  end
end
]==]

-- Has a thread start children, and is killed when it knows of some.
local STARTING = [==[
local loop, sys = require("orrery.core.loop").new(), require("orrery.core.sys")
for i = 1, 20 do assert(loop:spawn({ argv = { "sleep", "1000" }, tag = "t/" .. i .. "/1" }, true)) end
for _ = 1, tonumber(arg[1]) do assert(loop:spawn({ argv = { "true" } }, true)) end
assert(loop:spawn({ argv = { "kill", "-KILL", tostring(sys.pid()) } }, tonumber(arg[1]) > 4))
while true do loop:wait() end
]==]

local function count(text, pattern) return select(2, text:gsub(pattern, "")) end

-- Runs ENGINE. Each of acts is a function(pids, send) called in turn: the first when all
-- hostile children are ready, the others when one more "signal" line has been printed.
local function run(mode, ...)
  local acts, done = { ... }, 0
  local dir = harness.folder({ ["engine.lua"] = ENGINE })
  local loop <close> = core.new()
  local child = assert(loop:spawn {
    argv = { harness.binary(), "lua", dir .. "/engine.lua", mode }, live = true, grace = HANG,
    stdin = "go\n", timeout = HANG,
  })
  local text = ""
  local function send(sig, pid) assert(os.execute(("kill -%s %d"):format(sig, pid))) end
  local function progress()
    local engine, warden = text:match("pids (%d+) (%d+)\n")
    if not engine or count(text, "ready\n") < 5 then return end
    while done < #acts and count(text, "signal ") >= done do
      done = done + 1
      acts[done]({ engine = tonumber(engine), warden = tonumber(warden), leader = child.pid }, send)
    end
  end
  while true do
    for _, ev in ipairs(loop:wait()) do
      if ev.kind == "output" then text = text .. ev.data end
      if ev.kind == "exit" and ev.id == child.id then
        harness.remove(dir)
        ev.text = text
        return ev
      end
    end
    progress()
  end
end

describe("a warden", function()
  it("is the process that was started", function()
    local ev = run("wait", function(pids, send)
      assert.equal(pids.leader, pids.warden)
      assert.not_equal(pids.engine, pids.warden)
      send("KILL", pids.engine)
    end)
    assert.equal(137, ev.code)
  end)

  it("that is killed leaves nothing running", function()
    local ev = run("wait", function(pids, send) send("KILL", pids.warden) end)
    assert.equal("KILL", ev.signal)
    assert.is_nil(ev.left)
    assert.is_nil(ev.timed_out)
  end)

  it("leaves nothing running when the engine is killed, and dies of the same signal", function()
    local ev = run("wait", function(pids, send) send("KILL", pids.engine) end)
    assert.equal("KILL", ev.signal)
    assert.is_nil(ev.left)
    assert.is_nil(ev.timed_out)
  end)

  it("leaves nothing running when the engine is killed while a thread of it starts children", function()
    for n = 1, 12, 4 do
      local ev = harness.within(function(dir)
        local loop <close> = core.new()
        assert(loop:spawn { argv = { harness.binary(), "lua", dir .. "/engine.lua", tostring(n) },
          grace = HANG, timeout = HANG })
        local events
        repeat events = loop:wait() until events[1]
        return events[1]
      end, { ["engine.lua"] = STARTING })
      assert.equal("KILL", ev.signal)
      assert.is_nil(ev.left)
      assert.is_nil(ev.timed_out)
    end
  end)

  it("ends what an engine left that exited by itself, and keeps its status", function()
    local ev = run("quit", function() end)
    assert.equal(7, ev.code)
    assert.is_nil(ev.left)
  end)

  it("passes a signal on to an engine that has no handler yet", function()
    local ev = run("wait", function(pids, send) send("TERM", pids.warden) end)
    assert.equal("TERM", ev.signal)
    assert.is_nil(ev.left)
  end)

  it("and the engine together make one event of what both were sent", function()
    local ev = run("trap",
      function(pids, send) send("TERM", pids.warden) end, -- to the warden alone
      function(pids, send) send("INT", pids.engine) send("INT", pids.warden) end, -- to both
      function(pids, send) send("TERM", pids.warden) end, -- after it the INTs have all arrived
      function(pids, send) send("KILL", pids.engine) end)
    assert.equal("signal TERM\nsignal INT\nsignal TERM\n", ev.text:match("signal .*"))
    assert.is_nil(ev.left)
  end)
end)
