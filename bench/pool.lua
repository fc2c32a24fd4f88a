local pool = require("orrery.pool")
local sys = require("orrery.core.sys")

-- Pure computation, some milliseconds of it.
local function burn(n)
  local x = 1
  for i = 1, n do x = (x * 1103515245 + i) % 2147483648 end
  return x
end

return {
  claim = "a Lua function goes to a worker and back in 15 us, and two workers do twice the work",
  peer = "the same function, called here",
  run = function(b)
    b:time("submit a function, await its value", function(n)
      for i = 1, n do pool.await(pool.submit(function(v) return v + 1 end, i)) end
    end, { n = 5000, goal = "15 us" })
    local amount, items = 2000000, {}
    for i = 1, 16 do items[i] = amount end
    pool.map(items, burn)
    local ratios = {}
    for i = 1, b.quick and 1 or b.rounds do
      local t0 = sys.mono()
      for _, n in ipairs(items) do burn(n) end
      local t1 = sys.mono()
      pool.map(items, burn)
      ratios[i] = (t1 - t0) / (sys.mono() - t1)
    end
    table.sort(ratios)
    b:value(("speed-up by %d workers, CPU-bound Lua"):format(sys.cpus()),
      ratios[(#ratios + 1) // 2], "x", "1.9 with 2")
  end,
}
