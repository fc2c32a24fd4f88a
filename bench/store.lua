local cache = require("orrery.cache")
local store = require("orrery.core.store")

local function key(i) return ("%064x"):format(i * 2654435761) end

-- What scripts see: a value by name, params and function.
local function values(b, size)
  local dir = b.dir .. "/values" .. size
  local function loc(p) return { lines = #p.path, path = p.path } end
  local c = cache.open({ dir = dir })
  b:time(("value: miss, compute and set, up to %d"):format(size), function(n)
    for i = 1, n do c:get_or_compute("loc", { path = "src/" .. i }, loc) end
  end, { n = size, rounds = 1, once = true, goal = "44 us" })
  b:time(("value: hit among %d"):format(size), function(n)
    for i = 1, n do c:get_or_compute("loc", { path = "src/" .. i % size + 1 }, loc) end
  end, { n = 20000, goal = "2 us" })
  b:time(("value: stats of %d"):format(size), function(n)
    for _ = 1, n do c:stats() end
  end, { n = 5000, goal = "5 us" })
  c:close()
  local again <close> = cache.open({ dir = dir })
  b:time(("value: first hit of a handle, %d"):format(size), function()
    again:get_or_compute("loc", { path = "src/1" }, loc)
  end, { n = 1, rounds = 1, once = true, goal = "15 us" })
end

-- Removing a hundred that expired, however many stay.
local function prune(b, size)
  local s <close> = assert(store.open(b.dir .. "/prune" .. size))
  for i = 1, size do assert(s:put("stays", key(i), "x")) end
  for i = 1, 100 do assert(s:put("goes", key(i), "x", { ttl = 1e-6 })) end
  b:time(("prune 100 of %d, each"):format(size), function()
    assert(s:prune({ expired = true }).removed == 100)
  end, { n = 100, rounds = 1, once = true })
  b:time(("prune nothing of %d"):format(size), function(n)
    for _ = 1, n do s:prune({ expired = true }) end
  end, { n = 100 })
end

return {
  claim = "a remembered result is read in 2 us and written in 40, however many there are",
  peer = "none (a framework that keeps a JSON file per result: hit 13.9, miss 5.6, set 48-140 us)",
  run = function(b)
    local text = ("x"):rep(200)
    for _, size in ipairs { 1000, b.quick and 2000 or 100000 } do
      values(b, size)
      prune(b, size)
      local dir = b.dir .. "/store" .. size
      local s = assert(store.open(dir))
      local from = 0
      b:time(("put, up to %d entries"):format(size), function(n)
        for i = from + 1, from + n do assert(s:put("memo", key(i), text)) end
        from = from + n
      end, { n = size, rounds = 1, once = true, goal = "40 us" })
      b:time(("hit among %d"):format(size), function(n)
        for i = 1, n do assert(s:get("memo", key(i % size + 1))) end
      end, { n = 20000, goal = "2 us" })
      b:time(("miss among %d"):format(size), function(n)
        for i = 1, n do s:get("memo", key(-i)) end
      end, { n = 20000, goal = "4 us" })
      b:time(("stats of %d"):format(size), function(n)
        for _ = 1, n do s:stats() end
      end, { n = 5000, goal = "5 us" })
      s:close()
      b:time(("open and first hit, %d entries"):format(size), function(n)
        for _ = 1, n do
          local again = assert(store.open(dir))
          assert(again:get("memo", key(1)))
          again:close()
        end
      end, { n = 5 })
    end
  end,
}
