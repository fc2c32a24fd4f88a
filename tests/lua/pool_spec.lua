local fs = require("orrery.core.fs")
local func = require("orrery.core.func")
local pack = require("orrery.core.pack")
local core = require("orrery.core.pool")

local pool

before_each(function() pool = assert(core.open({ threads = 2, grace = 60 })) end)
after_each(function() if pool then pool:close() end end)

local function start(f, ...)
  return assert(pool:submit(assert(func.dump(f, { info = false })), assert(pack.encode({ ... }))))
end

-- The next result: ok, value or error, facts.
local function result(id)
  assert.is_true(pool:wait())
  local got, ok, value, facts = pool:take()
  assert.are.equal(id, got)
  return ok, value ~= "" and pack.decode(value), facts ~= "" and pack.decode(facts) or nil
end

local function run(f, ...) return result(start(f, ...)) end

local function value_of(f, ...)
  local ok, value = run(f, ...)
  assert.is_true(ok, type(value) == "table" and value.message)
  return value
end

local function error_of(f, ...)
  local ok, e = run(f, ...)
  assert.is_false(ok)
  return e
end

-- Cancels a job once it runs: it says so by making a file, which is then looked for.
local function cancelled(f)
  local mark = os.tmpname()
  os.remove(mark)
  local id = start(f, mark)
  repeat until os.remove(mark)
  assert.is_true(pool:cancel(id))
  return select(2, result(id))
end

describe("a function on a worker", function()
  it("gets its arguments and gives its first result back", function()
    assert.are.equal(42, value_of(function(a, b) return a * b, "second" end, 6, 7))
    assert.is_nil(value_of(function() end))
    assert.are.same({ 1, { a = "b" } }, value_of(function(...) return { ... } end, 1, { a = "b" }))
  end)

  it("keeps null and array marks both ways", function()
    local v = value_of(function(x) return { x.n, x.e } end, { n = pack.null, e = pack.array({}) })
    assert.are.equal(pack.null, v[1])
    assert.is_true(pack.is_array(v[2]))
  end)

  it("finds the globals of a fresh environment, and leaves none behind", function()
    for _ = 1, 4 do
      assert.are.same({ "nil", "nil" }, value_of(function()
        local seen = { type(leak), type(string.leak) } -- luacheck: ignore
        leak, string.leak, _G.other = 1, 2, 3 -- luacheck: ignore
        return seen
      end))
    end
  end)

  it("can end neither the process nor reach beyond its job", function()
    assert.are.same({ "nil", "nil", "nil", "false" }, value_of(function()
      return { type(os.exit), type(debug.sethook), type(debug.getregistry),
        tostring(getmetatable("")) }
    end))
    assert.are.equal("nil", value_of(function()
      local f = load("return type(os.exit)")
      return f()
    end))
  end)

  it("loads text only", function()
    assert.is_nil(value_of(function() return (load(string.dump(function() end))) end))
  end)

  it("uses the native modules that are safe there, and no others", function()
    assert.are.equal(64, value_of(function()
      return #require("orrery.core.hash").sha256("x")
    end))
    assert.matches("orrery.core.pool", error_of(function()
      return require("orrery.core.pool")
    end).message, 1, true)
  end)
end)

describe("an error on a worker", function()
  it("is a value with code, message, traceback and task", function()
    local e = error_of(function() local x; return x.y end) -- luacheck: ignore
    assert.are.equal("raised", e.code)
    assert.matches("pool_spec.lua:%d+: attempt to index a nil value %(local 'x'%)", e.message)
    assert.matches("stack traceback:", e.traceback, 1, true)
    assert.matches("pool_spec.lua:%d+$", e.task)
  end)

  it("keeps the fields of an error table, as far as they can travel", function()
    local e = error_of(function() error({ code = "EACME", message = "no", hint = { 1 } }) end)
    assert.are.equal("EACME", e.code)
    assert.are.equal("no", e.message)
    assert.are.same({ 1 }, e.hint)
    e = error_of(function() error({ code = "EACME", message = "no", co = coroutine.create(print) }) end)
    assert.are.equal("EACME", e.code)
    assert.are.equal("no", e.message)
    assert.is_nil(e.co)
  end)

  it("may be anything", function()
    assert.is_truthy(error_of(function() error() end).message:find("raised nil, which says nothing",
      1, true))
    local e = error_of(function() error({ a = { 1 } }) end)
    assert.is_truthy(e.message:find("pool_spec.lua:%d+: raised { a = { 1 } }$"))
    assert.are.same({ a = { 1 } }, e.value)
    assert.are.equal("7", error_of(function() error(7) end).message)
    assert.are.equal("mine", error_of(function()
      error(setmetatable({}, { __tostring = function() return "mine" end }))
    end).message)
  end)

  it("names what a result holds that cannot travel", function()
    assert.are.equal("result.a[2]: cannot pass a function",
      error_of(function() return { a = { 1, print } } end).message)
  end)

  it("says that the bytes are not a function of this process", function()
    local id = pool:submit("nonsense", pack.encode({}))
    local ok, e = result(id)
    assert.is_false(ok)
    assert.are.equal("not a function that this process dumped", e.message)
    id = pool:submit(func.dump(function() end), "nonsense")
    ok, e = result(id)
    assert.is_false(ok)
    assert.are.equal("ECORRUPT", e.code)
  end)

  it("does not spoil the worker for the next", function()
    for _ = 1, 4 do
      error_of(function() error("x") end)
      assert.are.equal(1, value_of(function() return 1 end))
    end
  end)

  it("may be out of memory", function()
    local script = os.tmpname()
    local h = assert(io.open(script, "w"))
    h:write([[
      local core, func, pack = require("orrery.core.pool"), require("orrery.core.func"),
        require("orrery.core.pack")
      print("up")
      local p = core.open({ threads = 1 })
      p:submit(func.dump(function()
        local t = {}
        while true do t[#t + 1] = ("x"):rep(1 << 20) .. #t end
      end), pack.encode({}))
      p:submit(func.dump(function() return "on" end), pack.encode({}))
      for _ = 1, 2 do
        p:wait()
        local _, ok, v = p:take()
        v = pack.decode(v)
        print(ok, ok and v or v.code .. " " .. v.message)
      end
      p:close()
    ]])
    h:close()
    local exe = assert(fs.readlink("/proc/self/exe"))
    local out <close> = assert(io.popen("ulimit -v 250000; exec " .. exe .. " lua " .. script
      .. " 2>&1"))
    local text = out:read("a")
    os.remove(script)
    if text:sub(1, 3) ~= "up\n" then return pending("this build needs more address space") end
    assert.are.equal("up\nfalse\tENOMEM not enough memory\ntrue\ton\n", text)
  end)
end)

describe("cancel", function()
  local function mark(path) io.open(path, "w"):close() end

  it("ends an endless loop", function()
    local e = cancelled(function(path)
      mark(path)
      while true do end
    end)
    assert.are.equal("ECANCELLED", e.code)
    assert.are.equal("cancelled", e.message)
    assert.matches("pool_spec.lua", e.traceback, 1, true)
  end)

  it("ends a loop that catches every error", function()
    assert.are.equal("ECANCELLED", cancelled(function(path)
      mark(path)
      local function loop() while true do end end
      while true do pcall(loop) end
    end).code)
    assert.are.equal("ECANCELLED", cancelled(function(path)
      mark(path)
      local function loop() while true do end end
      while true do xpcall(loop, function() return {} end) end
    end).code)
  end)

  it("ends loops in coroutines, and those that resume them for ever", function()
    assert.are.equal("ECANCELLED", cancelled(function(path)
      mark(path)
      while true do
        local co = coroutine.create(function() while true do end end)
        coroutine.resume(co)
      end
    end).code)
    assert.are.equal("ECANCELLED", cancelled(function(path)
      mark(path)
      while true do pcall(coroutine.wrap(function() while true do pcall(error) end end)) end
    end).code)
    assert.are.equal("ECANCELLED", cancelled(function(path)
      mark(path)
      for _ in coroutine.wrap(function() while true do coroutine.yield(1) end end) do end
    end).code)
    assert.are.equal("ECANCELLED", cancelled(function(path)
      mark(path)
      local function endless() while true do end end
      while true do
        local co = coroutine.create(function()
          local _ <close> = setmetatable({}, { __close = endless })
          coroutine.yield()
        end)
        coroutine.resume(co)
        coroutine.close(co)
      end
    end).code)
  end)

  it("ends a module that never finishes loading", function()
    local dir = os.tmpname()
    os.remove(dir)
    assert(fs.mkdir(dir))
    local h = assert(io.open(dir .. "/endless.lua", "w"))
    h:write("io.open('" .. dir .. "/mark', 'w'):close() while true do end")
    h:close()
    assert(pool:configure(pack.encode({ root = dir, path = "?.lua" })))
    local id = start(function() require("endless") end)
    repeat until os.remove(dir .. "/mark")
    assert.is_true(pool:cancel(id))
    assert.are.equal("ECANCELLED", select(2, result(id)).code)
    fs.remove_tree(dir)
  end)

  it("ends a read that waits", function()
    local fifo = os.tmpname()
    os.remove(fifo)
    assert(os.execute("mkfifo " .. fifo))
    local id = start(function(path)
      print(io.open(path):read("a"))
      return "read"
    end, fifo)
    local writer = assert(io.open(fifo, "w")) -- opens when the reader does
    assert.is_true(pool:cancel(id))
    assert.are.equal("ECANCELLED", select(2, result(id)).code)
    writer:close()
    os.remove(fifo)
  end)

  it("keeps what was printed until then", function()
    local path = os.tmpname()
    os.remove(path)
    local id = start(function(p)
      print("before")
      mark(p)
      while true do end
    end, path)
    repeat until os.remove(path)
    pool:cancel(id)
    local _, _, facts = result(id)
    assert.are.equal("before\n", facts.log)
  end)

  it("leaves a worker that works", function()
    for _ = 1, 4 do
      cancelled(function(path)
        mark(path)
        while true do end
      end)
      assert.are.equal(5, value_of(function()
        local n = 0
        for _ = 1, 5 do n = n + 1 end
        return n
      end))
    end
  end)

  it("ends a queued job without running it", function()
    pool:close()
    pool = assert(core.open({ threads = 1, grace = 60 }))
    local busy = start(function() while true do end end)
    local queued = start(function() return 1 end)
    assert.is_true(pool:cancel(queued))
    local e = select(2, result(queued))
    assert.are.equal("ECANCELLED", e.code)
    assert.are.equal("cancelled", e.message)
    assert.is_true(pool:cancel(busy))
    assert.are.equal("ECANCELLED", select(2, result(busy)).code)
    assert.is_false(pool:cancel(busy))
    assert.is_false(pool:cancel(12345))
  end)

  it("gives up a thread that hangs in C, and replaces it", function()
    pool:close()
    pool = assert(core.open({ threads = 1, grace = 0.01 }))
    -- A blow-up of a few seconds: longer than the grace, over when the suite ends.
    local path = os.tmpname()
    os.remove(path)
    local stuck = start(function(p)
      mark(p)
      return (("a"):rep(28) .. "b"):find(("a?"):rep(28) .. ("a"):rep(28) .. "c")
    end, path)
    local next_one = start(function() return "on" end)
    repeat until os.remove(path)
    assert.is_true(pool:cancel(stuck))
    assert.are.equal("ECANCELLED", select(2, result(stuck)).code)
    assert.are.equal("on", select(2, result(next_one)))
    assert.are.equal(1, pool:stats().threads)
  end)

  it("lets a process leave at once with its code though a thread hangs in C", function()
    local script = os.tmpname()
    local h = assert(io.open(script, "w"))
    h:write([[
      local core, func, pack = require("orrery.core.pool"), require("orrery.core.func"),
        require("orrery.core.pack")
      local p = core.open({ threads = 1, grace = 0.01 })
      local mark = os.tmpname()
      os.remove(mark)
      p:submit(func.dump(function(path)
        io.open(path, "w"):close()
        return (("a"):rep(60) .. "b"):find(("a?"):rep(60) .. ("a"):rep(60) .. "c")
      end), pack.encode({ mark }))
      repeat until os.remove(mark)
      p:cancel(1)
      p:wait()
      print(pack.decode((select(3, p:take()))).code)
      if arg[1] then os.exit(3, true) end
      return 3
    ]])
    h:close()
    local exe = assert(fs.readlink("/proc/self/exe"))
    for _, how in ipairs { "", " exit" } do
      local out = assert(io.popen(exe .. " lua " .. script .. how))
      assert.are.equal("ECANCELLED\n", out:read("a"))
      assert.are.same({ nil, "exit", 3 }, { out:close() })
    end
    os.remove(script)
  end)
end)

describe("a pool", function()
  it("takes results in order of completion and says how it stands", function()
    assert.is_nil(pool:take())
    assert.is_false(pool:wait(0))
    local slow = start(function() while true do end end)
    local quick = start(function() return 1 end)
    assert.are.equal(1, select(2, result(quick)))
    assert.is_false(pool:wait(0))
    local s = pool:stats()
    assert.are.equal(1, s.running)
    assert.are.equal(0, s.done)
    pool:cancel(slow)
    result(slow)
  end)

  it("refuses jobs over its queue's length", function()
    pool:close()
    pool = assert(core.open({ threads = 1, queue = 1, grace = 60 }))
    local code, args = func.dump(function() while true do end end), pack.encode({})
    local accepted, id, why = 0 -- luacheck: ignore 221
    repeat
      id, why = pool:submit(code, args)
      accepted = accepted + (id and 1 or 0)
    until not id
    assert.are.equal("EBUSY", why.code)
    assert.are.equal("the pool's queue is full", why.message)
    assert.is_true(accepted >= 1 and accepted <= 2)
  end)

  it("ends what runs when it is closed, twice too", function()
    for _ = 1, 6 do start(function() while true do pcall(error) end end) end
    pool:close()
    pool:close()
    assert.has_error(function() pool:take() end)
    pool = nil
  end)

  it("may be left to the collector", function()
    do
      local p = assert(core.open({ threads = 1 }))
      p:submit(func.dump(function() while true do end end), pack.encode({}))
    end
    collectgarbage()
    collectgarbage()
  end)

  it("checks its options", function()
    assert.has_error(function() core.open({ threads = 0 }) end)
    assert.has_error(function() core.open({ threads = 1000 }) end)
    assert.has_error(function() core.open() end)
  end)

  it("wakes its loop", function()
    local loop <close> = setmetatable({ core = assert(require("orrery.core.loop").new()) },
      { __close = function(l) l.core:close() end })
    local p = assert(core.open({ threads = 1, loop = loop.core, id = 77 }))
    p:submit(func.dump(function() return 1 end), pack.encode({}))
    local events
    repeat events = loop.core:wait() until #events > 0
    assert.are.equal("wake", events[1].kind)
    assert.are.equal(77, events[1].id)
    assert.is_number(p:take())
    p:close()
  end)
end)

describe("the standard coroutines on a worker", function()
  it("behave as they do elsewhere", function()
    local function script()
      local out = {}
      local function add(...) out[#out + 1] = table.pack(...) end
      local co = coroutine.create(function(a)
        local b = coroutine.yield(a + 1)
        error({ tag = b })
      end)
      add(coroutine.resume(co, 1))
      local ok, e = coroutine.resume(co, "t")
      add(ok, e.tag)
      add(coroutine.resume(co))
      add((coroutine.close(co)))
      local gen = coroutine.wrap(function() for i = 1, 2 do coroutine.yield(i) end return "end" end)
      add(gen(), gen(), gen())
      add(pcall(gen))
      add(pcall(coroutine.wrap(function() error("text", 0) end)))
      add(pcall(coroutine.resume, 1))
      local closed = {}
      local w = coroutine.wrap(function()
        local _ <close> = setmetatable({}, { __close = function() closed[1] = true end })
        error("in it")
      end)
      add((pcall(w)))
      add(closed[1])
      add(coroutine.isyieldable(), coroutine.status(co))
      for i = 1, #out do
        for k = 1, out[i].n do out[i][k] = tostring(out[i][k]) end
        out[i].n = nil
      end
      return out
    end
    local here, there = script(), value_of(script)
    local function unplaced(rows)
      for _, row in ipairs(rows) do
        for k, text in ipairs(row) do
          row[k] = text:gsub("^.-:%d+: ", ""):gsub("'[%w%.%?]*'", "'?'")
        end
      end
      rows[#rows][1] = nil
      return rows
    end
    assert.are.same(unplaced(here), unplaced(there))
  end)
end)
