-- Plays cases: orrery lua tests/property/main.lua FROM COUNT [all|first]
--
-- Prints "N cases, N runs" and how often each operation was played, and ends 0; or at the first
-- failing case its seed, the smallest case found that fails, and why, and ends 1. `all` goes on
-- after a failure, `first` does not, and neither makes it smaller. ORRERY is the binary under
-- test.
local case = require("tests.property.case")
local fs = require("orrery.core.fs")
local shrink = require("tests.property.shrink")
local sorted = require("orrery.kernel.sorted")
local sys = require("orrery.core.sys")

local from, count, how = tonumber(arg[1]), tonumber(arg[2]), arg[3]
local orrery = assert(fs.realpath(os.getenv("ORRERY") or "build/orrery"))
local made = 0

-- In memory, where there is such a place: that halves the price. Few on a disk.
local function folder()
  local shm = made % 16 > 0 and fs.stat("/dev/shm")
  return os.getenv("TMPDIR") or (shm and fs.access("/dev/shm", "write") and "/dev/shm") or "/tmp"
end

local function place()
  made = made + 1
  local base = ("%s/property-%d-%d"):format(folder(), sys.pid(), made)
  fs.mkdir(base)
  return { base = base, orrery = orrery, tools = orrery:match("^(.*)/") .. "/tests" }
end

-- A race may need a few turns to show itself again.
local function fails(c)
  for _ = 1, 2 do
    local why = case.play(c, place())
    if why then return why end
  end
end

local runs, failed, played = 0, 0, {}
for seed = from, from + count - 1 do
  local c = case.make(seed)
  local why, n, at = case.play(c, place())
  runs = runs + n
  for _, op in ipairs(c.history) do played[op[1]] = (played[op[1]] or 0) + 1 end
  if why then
    failed = failed + 1
    print(("ORRERY_PROPERTY_SEED=%d fails at operation %d: %s"):format(seed, at, why))
    if how == "first" then os.exit(1) end
    if how ~= "all" then
      local small, still = shrink.down(c, fails)
      print(("--- made smaller:\n%s\n%s"):format(case.transcript(small), still or
        "(it does not fail each time; the whole case:)\n" .. case.transcript(c)))
      os.exit(1)
    end
  end
end
local kinds = {}
for name, times in sorted.pairs(played) do kinds[#kinds + 1] = ("%s %d"):format(name, times) end
print(("%d cases, %d runs, %d failed\n%s"):format(count, runs, failed, table.concat(kinds, ", ")))
os.exit(failed == 0 and 0 or 1)
