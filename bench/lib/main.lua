-- bench/run: each claim runs in a process of its own, so that none pays for another's
-- memory; this one prints the table. Called as main.lua BENCHDIR [flags] [CLAIM…].
local here = arg[1]
package.path = here .. "/lib/?.lua;" .. package.path
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local proc = require("proc")
local sys = require("orrery.core.sys")

local ORDER = { "startup", "wide", "chain", "sleep", "layers", "growth", "body", "ready",
  "switch", "greenfield", "skills", "rules", "audit", "load", "pool", "pack", "hash",
  "store", "restore", "registry", "git" }

local function fail(text)
  io.stderr:write("bench/run: " .. text .. "\n")
  os.exit(2)
end

local function options()
  local o, i = { rounds = 5, claims = {} }, 2
  while arg[i] do
    local a = arg[i]
    if a == "--json" or a == "--quick" then
      o[a:sub(3)] = true
    elseif a == "--rounds" then
      i = i + 1
      o.rounds = math.tointeger(tonumber(arg[i])) or fail("--rounds takes a number")
    elseif a == "--claim" then -- ours: be the process of one claim
      i = i + 1
      o.claim = arg[i]
    elseif a:sub(1, 1) == "-" then
      fail("unknown flag " .. a .. "; usage: bench/run [--json] [--rounds N] [--quick] [CLAIM…]")
    else
      o.claims[#o.claims + 1] = a
    end
    i = i + 1
  end
  for _, name in ipairs(o.claims) do
    if not fs.stat(here .. "/" .. name .. ".lua") then
      fail(("there is no claim '%s'; there are %s"):format(name, table.concat(ORDER, ", ")))
    end
  end
  return o
end

local function one(o)
  local dir = ("%s/orrery-bench-%d"):format(os.getenv("TMPDIR") or "/tmp", sys.pid())
  assert(fs.mkdir(dir))
  local _ <close> = setmetatable({}, { __close = function() fs.remove_tree(dir) end })
  local claim = dofile(here .. "/" .. o.claim .. ".lua")
  local b = require("bench").new({ name = o.claim, rounds = o.rounds, quick = o.quick,
    orrery = os.getenv("ORRERY"), dir = fs.realpath(dir) })
  claim.run(b)
  io.write(json.encode({ claim = claim.claim, peer = claim.peer, rows = b.rows, notes = b.notes }))
end

local function number(v)
  if v >= 100 then return ("%.0f"):format(v) end
  return ("%.3g"):format(v)
end

local function show(found)
  print(("\n%s: %s"):format(found.name, found.claim))
  for _, r in ipairs(found.rows or {}) do
    local cpu = r.cpu and "cpu " .. number(r.cpu) or ""
    local line = ("  %-44s %-12s %8s %-5s %-17s %-9s %-10s %-8s %s"):format(r.what, r.who,
      number(r.median), r.unit, r.n > 1 and ("[%s-%s]"):format(number(r.min), number(r.max)) or "",
      r.ratio and ("x%.2f"):format(r.ratio) or "", cpu, r.rss and ("%.1f MB"):format(r.rss / 2 ^ 20)
      or "", r.goal and "goal " .. r.goal or "")
    print((line:gsub("%s+$", "")))
  end
  for _, n in ipairs(found.notes or {}) do print("  note: " .. n) end
end

local function load_average()
  return (fs.read("/proc/loadavg") or "?"):match("^%S+ %S+ %S+") or "?"
end

local function main()
  local o = options()
  if o.claim then return one(o) end
  local all, failed = {}, false
  local head = { version = sys.version, cpus = sys.cpus(), rounds = o.rounds,
    load = load_average() }
  if not o.json then
    print(("orrery %s, %d processors, %d rounds, load %s; medians [least-most], "
      .. "xN: orrery's time over the peer's, cpu: processor time in the same unit")
      :format(head.version, head.cpus, head.rounds, head.load))
  end
  for _, name in ipairs(#o.claims > 0 and o.claims or ORDER) do
    local argv = { os.getenv("ORRERY"), "lua", here .. "/lib/main.lua", here, "--claim", name,
      "--rounds", tostring(o.rounds) }
    if o.quick then argv[#argv + 1] = "--quick" end
    local x = proc.run(argv, { fails = true })
    local found = x.code == 0 and json.decode(x.stdout) or nil
    if not found then
      failed = true
      found = { claim = "did not run", notes = { (x.stderr .. x.stdout):sub(-2000) } }
    end
    found.name = name
    all[#all + 1] = found
    if not o.json then show(found) end
  end
  head.load_after = load_average()
  if o.json then
    head.claims = all
    print(json.encode(head))
  else
    print("\nload at the end: " .. head.load_after)
  end
  os.exit(failed and 1 or 0)
end

main()
