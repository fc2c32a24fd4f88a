local cache = require("orrery.cache")
local framework = require("framework")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local proc = require("proc")
local sys = require("orrery.core.sys")

-- The trace: three rounds of a 25-step workflow, each step choosing the rules of its role and
-- stack; steps that read code ask for it, each round anew. One call a line.
local function trace()
  local calls = {}
  local at = debug.getinfo(1, "S").source:match("^@(.*)/") .. "/traces/skills.jsonl"
  for line in assert(fs.read(at)):gmatch("[^\n]+") do
    local call = assert(json.decode(line))
    calls[#calls + 1] = { call.skill, call.params }
  end
  return calls
end

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

-- Looked up, and put where the look-up found nothing: what the framework's runner does.
local function play(calls, dir)
  local hit, miss, put = {}, {}, {}
  local c <close> = cache.open({ dir = dir })
  for _, call in ipairs(calls) do
    local t0 = sys.mono()
    local found = c:get(call[1], call[2])
    local t1 = sys.mono()
    if found then
      hit[#hit + 1] = t1 - t0
    else
      c:put(call[1], call[2], { skill = call[1], params = call[2], rules = { "a", "b", "c" } })
      miss[#miss + 1], put[#put + 1] = t1 - t0, sys.mono() - t1
    end
  end
  return { hits = #hit, hit = median(hit) * 1e6, miss = median(miss) * 1e6,
    set = median(put) * 1e6 }
end

local function show(b, who, r, n)
  b:value("hit rate of the trace", 100 * r.hits / n, "%", nil, who)
  b:value("skill result, hit", r.hit, "us", "2", who)
  b:value("skill result, miss", r.miss, "us", "4", who)
  b:value("skill result, kept", r.set, "us", "40", who)
end

-- Each asker says what it computed; all of them wait until the last one is there.
local ASK = [[
local cache, fs = require("orrery.cache"), require("orrery.core.fs")
local dir, who, askers = arg[1], arg[2], tonumber(arg[3])
local c <close> = cache.open { dir = dir .. "/flight" }
fs.write_atomic(dir .. "/there-" .. who, "")
repeat local n = #fs.glob("there-*", { root = dir, ignore = false }) until n == askers
c:get_or_compute("slow", { 1 }, function()
  fs.append(dir .. "/computed", "once\n")
  require("orrery.core.sys").nap(0.05)
  return 1
end, { version = 1 })
]]

-- How often the value was computed when some processes asked for it at once.
local function flights(b, askers)
  local script, lines = b:file("ask.lua", ASK), {}
  local dir = b.dir .. "/asked"
  assert(fs.mkdir(dir))
  for i = 1, askers do
    lines[i] = ("%s lua %s %s %d %d || echo failed >> %s/computed &\n"):format(b.orrery, script,
      dir, i, askers, dir)
  end
  proc.run({ "sh", "-c", table.concat(lines) .. "wait" })
  local text = assert(fs.read(dir .. "/computed"))
  assert(not text:find("failed"), "an asker failed")
  local _, count = text:gsub("once\n", "")
  return count
end

return {
  claim = "a skill asked again answers in 2 us; asked by eight at once it computes once",
  peer = "the framework's skill cache",
  run = function(b)
    local calls = trace()
    show(b, "orrery", play(calls, b.dir .. "/cache"), #calls)
    local theirs = framework.ask(b, "skills", { calls = calls })
    if theirs then show(b, "framework", theirs, #calls) end
    b:value("computations when 8 processes ask at once", flights(b, 8), "", "1")
  end,
}
