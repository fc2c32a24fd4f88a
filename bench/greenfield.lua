local framework = require("framework")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local load = require("orrery.model.load")
local proc = require("proc")

-- The seconds an agent is given, as the framework's configuration declares them; 300 if it
-- says nothing. A second there is SCALE milliseconds here.
local SECONDS = { analyst = 600, architect = 900, developer = 1200, qa = 600,
  ["security-architect"] = 600, ["code-reviewer"] = 480, planner = 600 }
local SCALE, EQUAL = 1 / 6, 100

-- The file: a path in ORRERY_GREENFIELD, or the corpus beside the project.
local function find(b)
  local path = os.getenv("ORRERY_GREENFIELD")
    or "../shared/corpus/workflows/greenfield-fullstack.yaml"
  if fs.stat(path) then return fs.realpath(path) end
  b:note(path .. " is not there; name the file in ORRERY_GREENFIELD. Not measured")
end

-- Steps in file order: { id, ms, data = what is read, waits = … }.
local function costs(wf, equal)
  local list = {}
  for i, s in ipairs(wf.steps) do
    list[i] = { id = s.id, data = s.needs, optional = s.after, group = s.group.id,
      ms = equal and EQUAL or math.floor((SECONDS[s.action] or 300) * SCALE) }
  end
  return list
end

-- The orders in which they may go; each is the steps each step waits for.
local ORDERS = {
  { "one after the other", function(_, list, i) return { list[i - 1] and list[i - 1].id } end },
  { "declared groups", function(_, list, i)
    local mine, last = list[i], i - 1
    while last > 0 and mine.group ~= "" and list[last].group == mine.group do last = last - 1 end
    if last == 0 then return {} end
    local waits, group = { list[last].id }, list[last].group
    while group ~= "" and list[last - 1] and list[last - 1].group == group do
      last = last - 1
      waits[#waits + 1] = list[last].id
    end
    return waits
  end },
  { "dependency order", function(_, list, i)
    local waits = table.move(list[i].data, 1, #list[i].data, 1, {})
    return table.move(list[i].optional, 1, #list[i].optional, #waits + 1, waits)
  end },
}

-- No plan can be quicker: the longest chain of waits.
local function bound(list, order)
  local at, ends, longest = {}, {}, 0
  for i, s in ipairs(list) do at[s.id] = i end
  local function finish(i)
    if not ends[i] then
      local from = 0
      for _, id in ipairs(order(nil, list, i)) do from = math.max(from, finish(at[id])) end
      ends[i] = from + list[i].ms
    end
    return ends[i]
  end
  for i in ipairs(list) do longest = math.max(longest, finish(i)) end
  return longest
end

-- A step spends its time, then writes what it read and who it is, digested: an order that let
-- it read too early shows.
local function workflow(list, order, burn)
  local out = { 'local o = require("orrery")\nreturn o.workflow "bench" {\n' }
  for i, s in ipairs(list) do
    local waits, reads = {}, {}
    for j, id in ipairs(order(nil, list, i)) do waits[j] = ("%q"):format(id) end
    for j, id in ipairs(s.data) do reads[j] = "out/" .. id end
    table.sort(reads)
    local spend = burn and ("%s burn.lua %d"):format(burn, s.ms)
      or ("sleep %.3f"):format(s.ms / 1e3)
    out[#out + 1] = ("  o.step(%q) { run = %q, after = { %s } },\n"):format(s.id,
      ("%s; { echo %s; cat %s; } | sha256sum > out/%s"):format(spend, s.id,
        #reads > 0 and table.concat(reads, " ") or "/dev/null", s.id), table.concat(waits, ", "))
  end
  out[#out + 1] = "}\n"
  return table.concat(out)
end

-- Processor time, not wall time: a busy machine must not make the work smaller.
local BURN = "local stop = tonumber(arg[1]) / 1000\nwhile os.clock() < stop do end\n"

local function results(dir, list)
  local all = {}
  for i, s in ipairs(list) do all[i] = assert(fs.read(dir .. "/out/" .. s.id)) end
  return hash.sha256(table.concat(all))
end

local function theirs(b, what, list, burn)
  local steps = {}
  for i, s in ipairs(list) do
    steps[i] = { step = s.id, ms = s.ms, parallel = s.group ~= "" or nil,
      parallel_group = s.group ~= "" and s.group or nil }
  end
  local got = framework.ask(b, "execute", { steps = steps, burn = burn or false })
  if got and got.ok == #list then b:value(what, got.ms, "ms", nil, "framework") end
end

local function scenario(b, list, name, burn)
  local sum, want = 0, nil
  for _, s in ipairs(list) do sum = sum + s.ms end
  for _, o in ipairs(ORDERS) do
    local what = ("%s, %s"):format(name, o[1])
    local rel = what:gsub("[ ,]+", "-")
    local dir = b.dir .. "/" .. rel
    b:file(rel .. "/burn.lua", BURN)
    b:file(rel .. "/workflows/bench.lua", workflow(list, o[2], burn and "lua5.4"))
    assert(fs.mkdir(dir .. "/out"))
    local least = bound(list, o[2])
    if burn then least = math.max(least, sum / require("orrery.core.sys").cpus()) end
    if burn and o[1] == "one after the other" then least = sum end
    b:race(what, { { "orrery", { b.orrery, "run", "bench", "-q", burn and "-j2" or "-j25" },
      cwd = dir } }, { rounds = 3, goals = { orrery = ("%.0f ms, the bound: %.0f %% of %d saved")
        :format(least, 100 - least / sum * 100, sum) } })
    local got = results(dir, list)
    want = want or got
    if got ~= want then error(what .. ": other results than one after the other") end
  end
  theirs(b, name .. ", declared groups", list, burn)
end

return {
  claim = "the 25 steps of a real workflow take what their critical path takes, whatever the cost",
  peer = "the framework's parallel executor",
  run = function(b)
    local path = find(b)
    if not path then return end
    local wf = load.file(path, { root = path:match("^(.*)/workflows/") or path:match("^(.*)/") })
    b:note(("%s: %d steps; the results of each order are those of one after the other"):format(
      path:match("[^/]+$"), #wf.steps))
    for _, equal in ipairs { true, false } do
      local how = equal and "equal steps" or "by declared timeouts"
      scenario(b, costs(wf, equal), how .. ", sleeping")
      if proc.which("lua5.4") then scenario(b, costs(wf, equal), how .. ", computing", true) end
    end
  end,
}
