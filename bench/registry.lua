local registry = require("orrery.core.registry")

return {
  claim = "an artifact is found in 0.15 us among 100,000, and takes 250 bytes beyond its text",
  peer = "none (a linear scan: 1.0 us at 50, 7.4 at 1,000, 1,896 at 100,000)",
  run = function(b)
    for _, size in ipairs(b.quick and { 50, 1000 } or { 50, 1000, 100000, 1000000 }) do
      local ids, text = {}, 0
      local r
      b:time(("add, %d artifacts"):format(size), function(n)
        r = registry.new()
        for i = 1, n do
          local name = "artifact-" .. i
          ids[i] = r:add({ name = name, type = "json", step = "step-" .. i % 100 })
        end
      end, { n = size, rounds = 1, once = true })
      local list = {}
      for i = 1, size do
        list[i] = { name = "artifact-" .. i, type = "json", step = "step-" .. i % 100 }
      end
      b:time(("add_all of %d tables, each"):format(size), function()
        local all = registry.new()
        assert(all:add_all(list) == size)
        all:close()
      end, { n = size, goal = size == 100000 and "0.4 us" or nil })
      list = nil
      for i = 1, size do text = text + #ids[i] * 2 + 15 end
      local at = 0
      b:time(("has by id among %d"):format(size), function(n)
        for _ = 1, n do
          at = (at * 7919 + 104729) % size
          if not r:has(ids[at + 1]) then error("lost") end
        end
      end, { n = 200000, goal = size > 100000 and "0.3 us" or "0.15 us" })
      b:time(("get by id among %d"):format(size), function(n)
        for _ = 1, n do
          at = (at * 7919 + 104729) % size
          if not r:get(ids[at + 1]) then error("lost") end
        end
      end, { n = 100000 })
      b:value(("bytes an artifact, of %d"):format(size), r:bytes() / size, "B",
        ("%.0f"):format(250 + text / size))
      r:close()
    end
  end,
}
