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
    assert.same({ 8, false }, { c:get_or_compute("d", { x = 4 }, compute) })
    assert.same({ 8, true }, { c:get_or_compute("d", { x = 4 }, compute) })
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
        tasks[i] = l:task("t" .. i, function() return (c:get_or_compute("s", "k", slow)) end)
      end
      local out = {}
      for i, t in ipairs(tasks) do out[i] = select(2, t:wait()) end
      return out
    end)
    assert.same({ 1, 1, 1, 1, 1 }, l:run(main))
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
    fails("value[1]: cannot pass a function", c.put, c, "a", 1, print)
    fails("needs a name first", c.get, c, { 1 })
    fails("unknown option 'tll'; did you mean 'ttl'?", c.put, c, "a", 1, 1, { tll = 1 })
    fails("'soon' is no time span", c.put, c, "a", 1, 1, { ttl = "soon" })
    fails("version = 1", c.wrap, c, function() return io.stdout, c end, { name = "x" })
    fails("name", cache.wrap, print, {})
  end)
end)
