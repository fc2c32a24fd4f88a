local cache = require("orrery.cache")
local proc = require("proc")
local store = require("orrery.core.store")

local function key(i) return ("%064x"):format(i * 2654435761) end

-- Microseconds of opening, and of the first look after it, in a process of its own. The first
-- time it is no hit: who calls does it twice.
local FIRST = [[
local sys = require("orrery.core.sys")
local dir, how, key = arg[1], arg[2], arg[3]
local function loc(p) return { lines = #p.path, path = p.path } end
local opts = how == "version" and { version = 1 } or nil
local open = require(how == "store" and "orrery.core.store" or "orrery.cache").open
local from = sys.mono()
local c = open(how == "store" and dir or { dir = dir })
local opened, hit = sys.mono(), nil
if how == "store" then
  hit = c:get("memo", key) ~= nil
else
  hit = select(2, c:get_or_compute("loc", { path = "src/1" }, loc, opts))
end
print((opened - from) * 1e6, (sys.mono() - opened) * 1e6, hit)
]]

-- The opening and the first hit, of new processes.
local function first(b, what, dir, how)
  local argv = { b.orrery, "lua", b:file("first.lua", FIRST), dir, how, key(1) }
  local opens, hits = {}, {}
  proc.run(argv)
  for i = 1, b.quick and 1 or 4 * b.rounds do
    local open, hit, found = proc.run(argv).stdout:match("(%S+)%s+(%S+)%s+(%S+)")
    assert(found == "true", "not a hit")
    opens[i], hits[i] = tonumber(open), tonumber(hit)
  end
  b:list(what .. ": new process opens", opens, "us")
  b:list(what .. ": its first hit", hits, "us", "15 us")
end

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
  first(b, ("value, version given, of %d"):format(size), dir, "version")
  first(b, ("value of a function, of %d"):format(size), dir, "function")
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
      first(b, ("store, of %d"):format(size), dir, "store")
    end
  end,
}
