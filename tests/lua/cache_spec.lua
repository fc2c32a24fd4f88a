-- cache: values by name and params, computed once.
local cache = require("orrery.cache")
local loop = require("orrery.kernel.loop")
local fs = require("orrery.core.fs")

describe("a cache", function()
  local dir, c
  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    c = cache.open({ dir = dir })
  end)
  after_each(function()
    c:close()
    fs.remove_tree(dir)
  end)

  it("gives back what was put, also false, nil and tables", function()
    c:put("a", { x = 1 }, { 1, "two", { three = 3.5 } })
    assert.same({ 1, "two", { three = 3.5 } }, (c:get("a", { x = 1 })))
    c:put("a", 2, false)
    c:put("a", 3, nil)
    local no, facts = c:get("a", 2)
    assert.is_false(no)
    assert.is_number(facts.created)
    local none, there = c:get("a", 3)
    assert.is_nil(none)
    assert.is_table(there)
    assert.is_nil(select(2, c:get("a", 4)))
  end)

  it("keeps names, params and types of params apart, whatever the order of a table", function()
    c:put("a", { "b", "c" }, 1)
    for _, other in ipairs({ { "bc" }, { "b" }, { "b", "c", "" }, { b = "c" }, "bc" }) do
      assert.is_nil((c:get("a", other)))
    end
    assert.is_nil((c:get("ab", { "c" })))
    c:put("n", 1, "integer")
    assert.is_nil((c:get("n", 1.0)))
    assert.is_nil((c:get("n", "1")))
    local one, two = {}, {}
    for i = 1, 50 do one["k" .. i] = i end
    for i = 50, 1, -1 do two["k" .. i] = i end
    c:put("t", one, "same")
    assert.equal("same", (c:get("t", two)))
  end)

  it("outlives its handle", function()
    c:put("a", nil, "kept")
    c:close()
    c = cache.open({ dir = dir })
    assert.equal("kept", (c:get("a")))
  end)

  it("computes once and says whether it was there", function()
    local n = 0
    local function compute(p)
      n = n + 1
      return p.x * 2
    end
    local same = { version = 1 }
    assert.same({ 8, false }, { c:get_or_compute("d", { x = 4 }, compute, same) })
    assert.same({ 8, true }, { c:get_or_compute("d", { x = 4 }, compute, same) })
    assert.same({ 8, false }, { c:get_or_compute("d", { x = 4 }, compute, { version = 2 }) })
    assert.equal(2, n)
  end)

  it("never stores a failure, and lets the next one try", function()
    local tries = 0
    local function flaky()
      tries = tries + 1
      if tries == 1 then error("not yet") end
      return "done"
    end
    assert.has_error(function() c:get_or_compute("f", nil, flaky) end)
    assert.equal("done", (c:get_or_compute("f", nil, flaky)))
  end)

  it("lets one task compute and the others wait for it", function()
    local l <close> = loop.new()
    local n, tasks = 0, {}
    local function slow()
      n = n + 1
      loop.sleep(0.01)
      return n
    end
    local main = l:task("main", function()
      for i = 1, 5 do
        tasks[i] = l:task("t" .. i, function()
          return (c:get_or_compute("s", "k", slow, { version = 1 }))
        end)
      end
      local out = {}
      for i, t in ipairs(tasks) do out[i] = select(2, t:wait()) end
      return out
    end)
    assert.same({ 1, 1, 1, 1, 1 }, l:run(main))
  end)

  it("computes anew when the function was edited, or captured something else", function()
    local function get(fn) return (c:get_or_compute("e", 1, fn)) end
    local function scaled(by) return function(p) return p * by end end
    assert.equal(2, get(scaled(2)))
    assert.equal(2, get(scaled(2)))
    assert.equal(3, get(scaled(3)))
    assert.equal(11, get(function(p) return p + 10 end))
    local rates = { 5 }
    local function rated(p) return p * rates[1] end
    assert.equal(5, get(rated))
    rates[1] = 6
    assert.equal(6, get(rated))
    local step = 1
    local function stepped(p) return p + step end
    assert.equal(2, get(stepped))
    step = 2
    assert.equal(3, get(stepped))
    step = 1
    assert.same({ 2, true }, { c:get_or_compute("e", 1, stepped) })
  end)

  it("counts a computation as one miss, and says how much and how old it all is", function()
    local function id(p) return p end
    c:get_or_compute("n", 1, id)
    c:get_or_compute("n", 1, id)
    c:get_or_compute("n", 2, id)
    c:get("n", 3)
    local s = c:stats()
    local n = s.spaces["value:n"]
    assert.same({ 2, 1, 3 }, { n.records, n.hits, n.misses })
    assert.is_true(n.bytes > 0 and s.bytes >= n.bytes)
    assert.is_true(s.oldest > 1e9 and s.newest >= s.oldest)
  end)

  it("may compute one value from others, and a false or nil one once", function()
    local n = 0
    local v = { version = 1 }
    local function fib(p)
      n = n + 1
      if p < 2 then return p end
      return c:get_or_compute("fib", p - 1, fib, v) + c:get_or_compute("fib", p - 2, fib, v)
    end
    assert.equal(55, (c:get_or_compute("fib", 10, fib, v)))
    assert.equal(11, n)
    for _, value in ipairs({ { false }, { nil } }) do
      local runs = 0
      local function f()
        runs = runs + 1
        return value[1]
      end
      for _ = 1, 3 do assert.equal(value[1], (c:get_or_compute("no", #value, f, v))) end
      assert.equal(1, runs)
    end
  end)

  it("says so when a value asks for itself, also in a circle, instead of waiting", function()
    local l <close> = loop.new()
    local v = { version = 1 }
    local function a() return (c:get_or_compute("a", 1, function()
      return (c:get_or_compute("a", 1, print, v)) end, v)) end
    local ok, err = pcall(function() return l:run(l:task("main", a)) end)
    assert.is_false(ok)
    assert.truthy(tostring(err):find("computing 'a' asks for itself", 1, true), tostring(err))
    assert.equal("deadlock", err.code)
    -- two tasks, each computing what the other waits for
    local results = {}
    local function cross(mine, other)
      return function()
        return (c:get_or_compute(mine, 1, function()
          loop.sleep(0.001)
          return (c:get_or_compute(other, 1, function() return other end, v))
        end, v))
      end
    end
    l:run(l:task("both", function()
      local one, two = l:task("one", cross("x", "y")), l:task("two", cross("y", "x"))
      for i, t in ipairs({ one, two }) do results[i] = { t:wait() } end
    end))
    local failed = 0
    for _, r in ipairs(results) do failed = failed + (r[1] and 0 or 1) end
    assert.is_true(failed >= 1)
  end)

  it("wakes those who wait when the computation fails, and one of them tries", function()
    local l <close> = loop.new()
    local tries, out = 0, {}
    local function flaky()
      tries = tries + 1
      local mine = tries
      loop.sleep(0.005)
      if mine == 1 then error("the first fails") end
      return "from try " .. mine
    end
    l:run(l:task("main", function()
      local tasks = {}
      for i = 1, 4 do
        tasks[i] = l:task("t" .. i, function()
          return (c:get_or_compute("w", 1, flaky, { version = 1 }))
        end)
      end
      for i, t in ipairs(tasks) do out[i] = { t:wait() } end
    end))
    assert.equal(2, tries)
    local right = 0
    for _, r in ipairs(out) do right = right + (r[2] == "from try 2" and 1 or 0) end
    assert.equal(3, right)
  end)

  it("keeps its bounds while it is written, not only at its end", function()
    local small <close> = cache.open({ dir = dir .. "/small", max_bytes = 50000 })
    for i = 1, 2000 do small:put("big", i, ("x"):rep(200)) end
    assert.is_true(small:stats().bytes <= 50000 * 9 / 8 + 1000)
    assert.equal(200, #small:get("big", 2000))
  end)

  it("wraps a function: by its arguments, and anew when it was edited", function()
    local n = 0
    local counter = { up = function() n = n + 1 end }
    local function wrap(add)
      return c:wrap(function(a, b) return (a or 0) + (b or 0) + add end, { name = "w" })
    end
    assert.equal(4, wrap(1)(1, 2))
    assert.equal(5, wrap(2)(1, 2))
    local f = c:wrap(function(x)
      counter.up()
      return x
    end, { name = "v", version = 1 })
    assert.same({ 7, 7, 8 }, { f(7), f(7), f(8) })
    f(nil, 1)
    f(nil, 1)
    f()
    assert.equal(4, n)
  end)

  it("forgets by name and leaves the others", function()
    c:put("a", 1, 1)
    c:put("a", 2, 1)
    c:put("b", 1, 1)
    assert.equal(2, c:clear("a"))
    assert.is_nil((c:get("a", 1)))
    assert.equal(1, (c:get("b", 1)))
    assert.equal(1, c:stats().spaces["value:b"].records)
  end)

  it("lets a value expire, and prune removes it", function()
    c:put("a", 1, "x", { ttl = 1e-6 })
    c:put("b", 1, "x", { ttl = "1h" })
    assert.equal(1, c:prune({ expired = true }).removed)
    assert.is_nil((c:get("a", 1)))
    assert.equal("x", (c:get("b", 1)))
  end)

  it("says what cannot be a key, a value, a name, an option", function()
    local function fails(text, ...)
      local ok, err = pcall(...)
      assert.is_false(ok)
      assert.truthy(tostring(err):find(text, 1, true), tostring(err))
    end
    fails("cache.params.f: cannot pass a function", c.get, c, "a", { f = print })
    fails("cache.version.f: cannot pass a function", c.get_or_compute, c, "a", 1, print,
      { version = { f = print } })
    fails("value: cannot pass a function", c.put, c, "a", 1, print)
    fails("value.deep[2]: cannot pass a function", c.put, c, "a", 1, { deep = { 1, print } })
    fails("value.f: cannot pass", c.get_or_compute, c, "a", 2, function() return { f = print } end)
    fails("version = 1", c.get_or_compute, c, "a", 3, function() return c, io.stdout end)
    fails("needs a name first", c.get, c, { 1 })
    fails("unknown option 'tll'; did you mean 'ttl'?", c.put, c, "a", 1, 1, { tll = 1 })
    fails("'soon' is no time span", c.put, c, "a", 1, 1, { ttl = "soon" })
    fails("version = 1", c.wrap, c, function() return io.stdout, c end, { name = "x" })
    fails("name", cache.wrap, print, {})
  end)
end)
