local store = require("orrery.core.store")

local function key(i) return ("%064x"):format(i * 2654435761) end

return {
  claim = "a remembered result is read in 2 us and written in 40, however many there are",
  peer = "none (a framework that keeps a JSON file per result: hit 13.9, miss 5.6, set 48-140 us)",
  run = function(b)
    local text = ("x"):rep(200)
    for _, size in ipairs { 1000, b.quick and 2000 or 100000 } do
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
