-- kernel.loop: tasks over a core whose time is virtual.
local errors = require("orrery.kernel.errors")
local loop = require("orrery.kernel.loop")
local virtual = require("orrery.kernel.virtual")

local function new()
  local core = virtual.new()
  return loop.new(core), core
end

-- A core that spawns children which end when told to, or when killed.
local function with_children(core)
  core.born = {}
  function core:spawn(spec)
    self.last = self.last + 1
    local id = self.last
    local child = { id = id, spec = spec, kills = {} }
    function child.kill(_, opts)
      child.kills[#child.kills + 1] = opts or {}
      core:emit({ kind = "exit", id = id, code = 143, killed = true })
    end
    self.born[#self.born + 1] = child
    return child
  end
  return core
end

describe("a task", function()
  it("returns its value through run", function()
    local l = new()
    assert.are.equal(7, l:run(l:task("t", function(a, b) return a + b end, 3, 4)))
  end)

  it("gets all its arguments", function()
    local l = new()
    local t = l:task("t", function(...) return select("#", ...), select(4, ...) end, 1, 2, 3, "x")
    assert.are.equal(4, l:run(t))
  end)

  it("raises its error through run, with a traceback", function()
    local l = new()
    local t = l:task("t", function() error("boom") end)
    local ok, err = pcall(l.run, l, t)
    assert.is_false(ok)
    assert.are.equal("raised", err.code)
    assert.matches("boom", err.message)
    assert.matches("loop_spec", err.traceback)
  end)

  it("keeps an error value as it is", function()
    local l = new()
    local t = l:task("t", function() errors.raise("gate", "no") end)
    local _, err = pcall(l.run, l, t)
    assert.are.equal("gate", err.code)
  end)

  it("sleeps on the loop's clock", function()
    local l = new()
    local t = l:task("t", function()
      loop.sleep(5)
      return l:now()
    end)
    assert.are.equal(5, l:run(t))
  end)

  it("awaits the end of another", function()
    local l = new()
    local a = l:task("a", function()
      loop.sleep(3)
      return "x"
    end)
    local b = l:task("b", function() return select(2, a:wait()) .. l:now() end)
    assert.are.equal("x3", l:run(b))
  end)

  it("awaits across pcall and iterators", function()
    local l = new()
    local t = l:task("t", function()
      local sum = 0
      for i in function(_, i) if i < 3 then loop.sleep(1) return i + 1 end end, nil, 0 do
        sum = sum + i
      end
      pcall(loop.sleep, 1)
      return sum + l:now()
    end)
    assert.are.equal(10, l:run(t))
  end)

  it("that waits for nothing is an internal error, not a hang", function()
    local l = new()
    local ok, err = pcall(l.run, l, l:task("lost", function() loop.await(loop.signal()) end))
    assert.is_false(ok)
    assert.matches("'lost' waits for nothing", err.message)
  end)

  it("may not yield on its own", function()
    local l = new()
    local ok, err = pcall(l.run, l, l:task("t", function() coroutine.yield(1) end))
    assert.is_false(ok)
    assert.matches("coroutine.yield in a task", err.message)
  end)

  it("lends its coroutine to the next task", function()
    local l = new()
    local seen = {}
    for _ = 1, 3 do
      l:run(l:task("t", function() seen[coroutine.running()] = true end))
    end
    local n = 0
    for _ in pairs(seen) do n = n + 1 end
    assert.are.equal(1, n)
  end)
end)

describe("await", function()
  it("gives up after its timeout and forgets the wait", function()
    local l = new()
    local s = loop.signal()
    local t = l:task("t", function() return table.pack(loop.await(s, 2)) end)
    local r = l:run(t)
    assert.is_nil(r[1])
    assert.are.equal("timeout", r[2])
    s:set(1)
  end)

  it("returns the value of a signal, set before or after", function()
    local l = new()
    local s = loop.signal()
    local a = l:task("a", function() return loop.await(s) end)
    l:task("b", function() s:set("v") end)
    assert.are.equal("v", l:run(a))
    assert.are.equal("v", l:run(l:task("c", function() return loop.await(s) end)))
  end)

  local function message_of(fn)
    local l = new()
    local ok, err = pcall(l.run, l, l:task("t", fn))
    assert.is_false(ok)
    return errors.text(err)
  end

  it("inside string.gsub names it and the cure", function()
    local text = message_of(function() return (("a"):gsub("a", function() loop.sleep(1) end)) end)
    assert.matches("loop_spec.lua:%d+: sleep inside string.gsub; collect the matches first", text)
  end)

  it("inside table.sort names it", function()
    local text = message_of(function() table.sort({ 2, 1 }, function() loop.sleep(1) end) end)
    assert.matches("sleep inside table.sort", text)
  end)

  it("inside __tostring names it", function()
    local text = message_of(function()
      return tostring(setmetatable({}, { __tostring = function() loop.sleep(1) return "" end }))
    end)
    assert.matches("sleep inside tostring", text)
  end)

  it("inside a coroutine of the user's names it", function()
    local text = message_of(function() coroutine.wrap(function() loop.sleep(1) end)() end)
    assert.matches("sleep inside coroutine.wrap", text)
  end)

  it("of an id that means nothing is an internal error, not a hang", function()
    local l = new()
    local ok, err = pcall(l.run, l, l:task("lost", function() loop.await(99) end))
    assert.is_false(ok)
    assert.matches("'lost' waits for nothing", err.message)
  end)
end)

describe("cancel", function()
  it("raises at the await and at each later one", function()
    local l = new()
    local seen = 0
    local t = l:task("t", function()
      for _ = 1, 3 do
        local ok, err = pcall(loop.sleep, 10)
        if not ok and err.code == "cancelled" then seen = seen + 1 end
      end
      return "done"
    end)
    l:task("c", function() t:cancel() end)
    assert.are.equal("done", l:run(t))
    assert.are.equal(3, seen)
    assert.are.equal(0, l:now())
  end)

  it("lets shielded clean-up wait", function()
    local l = new()
    local t = l:task("t", function()
      local _ <close> = setmetatable({}, { __close = function() loop.shielded(loop.sleep, 4) end })
      loop.sleep(100)
    end)
    l:task("c", function()
      loop.sleep(1)
      t:cancel()
    end)
    assert.is_false((pcall(l.run, l, t)))
    assert.are.equal("cancelled", t.value.code)
    assert.are.equal(5, l:now())
  end)

  it("ends a task that swallows it for ever", function()
    local l = new()
    local t = l:task("t", function() while true do pcall(loop.sleep, 1) end end)
    l:task("c", function() t:cancel() end)
    assert.is_false((pcall(l.run, l, t)))
    assert.are.equal("cancelled", t.value.code)
  end)

  it("of a task that has not begun keeps it from beginning", function()
    local l = new()
    local ran = false
    local t = l:task("t", function() ran = true end)
    t:cancel()
    pcall(l.run, l, t)
    assert.is_false(ran)
    assert.is_true(t.done)
  end)
end)

describe("a child", function()
  it("is awaited, and its exit event returned", function()
    local l, core = new()
    with_children(core)
    local t = l:task("t", function() return loop.child({ argv = { "x" } }).code end)
    l:task("e", function()
      loop.sleep(1)
      core:emit({ kind = "exit", id = core.born[1].id, code = 3 })
    end)
    assert.are.equal(3, l:run(t))
  end)

  it("of a cancelled task is killed and waited for", function()
    local l, core = new()
    with_children(core)
    local t = l:task("t", function() loop.child({ argv = { "x" } }) end)
    l:task("c", function() t:cancel() end)
    pcall(l.run, l, t)
    assert.are.equal(1, #core.born[1].kills)
    assert.is_nil(next(l.children))
  end)

  it("is killed at once after kill_children", function()
    local l, core = new()
    with_children(core)
    local t = l:task("t", function() return loop.child({ argv = { "x" } }).code end)
    l:task("k", function() l:kill_children() end)
    assert.are.equal(143, l:run(t))
    assert.are.equal("KILL", core.born[1].kills[1].signal)
  end)
end)

describe("the loop", function()
  it("runs idlers before it blocks, and again while they make work", function()
    local l = new()
    local s, n = loop.signal(), 0
    l:on_idle(function()
      n = n + 1
      if n == 2 then s:set("idle") end
      return n < 3
    end)
    assert.are.equal("idle", l:run(l:task("t", function() return loop.await(s) end)))
    assert.is_true(n >= 2)
  end)

  it("hands system signals to their handler", function()
    local l, core = new()
    local got
    l:on_signal("INT", function(e) got = e.name end)
    core:emit({ kind = "signal", id = core.INT, name = "INT" })
    l:run(l:task("t", function() loop.sleep(1) end))
    assert.are.equal("INT", got)
  end)
end)
