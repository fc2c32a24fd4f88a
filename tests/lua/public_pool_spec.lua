-- orrery.pool: what workflow authors have of the workers.
local loop = require("orrery.kernel.loop")
local pool = require("orrery.pool")

-- Runs fn inside a task of a loop of its own; its value, or raises.
local function in_task(fn)
  local l <close> = loop.new()
  return l:run(l:task("test", fn))
end

local function raised(fn)
  local ok, e = pcall(in_task, fn)
  assert.is_false(ok)
  return e
end

describe("orrery.pool", function()
  it("submits functions and awaits their values", function()
    local factor = 2
    assert.are.same({ 42, 10, 42 }, in_task(function()
      local a = pool.submit(function(n) return n * factor end, 21)
      factor = 10
      local b = pool.submit(function(n) return n * factor end, 1)
      return { pool.await(a), pool.await(b), pool.await(a) }
    end))
  end)

  it("maps items to values in their order", function()
    local values = in_task(function()
      local items = {}
      for i = 1, 600 do items[i] = 600 - i end
      return pool.map(items, function(n, i) return n + i end)
    end)
    assert.are.equal(600, #values)
    for _, v in ipairs(values) do assert.are.equal(600, v) end
    assert.are.same({}, in_task(function() return pool.map({}, print) end))
  end)

  it("raises the first error of a map and ends the rest", function()
    local e = raised(function()
      return pool.map({ 1, 2, 3 }, function(n)
        if n == 2 then error({ code = "EACME", message = "two" }) end
        if n == 3 then while true do pcall(error) end end
        return n
      end)
    end)
    assert.are.equal("EACME", e.code)
  end)

  it("ends a function that is awaited for too long", function()
    assert.are.equal("timeout", raised(function()
      pool.await(pool.submit(function() while true do end end), 0.01)
    end).code)
  end)

  it("ends a function that is cancelled", function()
    assert.are.equal("ECANCELLED", raised(function()
      local job = pool.submit(function() while true do end end)
      job:cancel()
      pool.await(job)
    end).code)
  end)

  it("ends its functions when their task is cancelled", function()
    local l <close> = loop.new()
    local t = l:task("map", function()
      pool.map({ 1, 2 }, function() while true do end end)
    end)
    l:task("c", function() t:cancel() end)
    assert.is_false((pcall(l.run, l, t)))
    assert.are.equal("cancelled", t.value.code)
    assert.are.equal(0, l.jobs.count)
  end)

  it("names what cannot travel, and misuse", function()
    local conn = io.stdout
    assert.are.equal("upvalue 'conn': cannot pass a userdata",
      raised(function() pool.submit(function() return conn end) end).message)
    assert.are.equal("args[1]: cannot pass a function",
      raised(function() pool.submit(function() end, print) end).message)
    assert.matches("argument 1 is nil", raised(function() pool.submit(print, nil, 1) end).message)
    assert.matches("needs a function", raised(function() pool.submit(1) end).message)
    assert.matches("needs a job", raised(function() pool.await(1) end).message)
  end)
end)
