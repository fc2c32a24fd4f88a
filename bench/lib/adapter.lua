-- bench/peers-adapter: a workload description as the Lua workflow a user would write for it:
-- a list of packages, and loops. What the loops make is compared with the description.
local here, workload, dir, jobs = arg[1], arg[2], arg[3], arg[4]
package.path = here .. "/lib/?.lua;" .. package.path
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local load = require("orrery.model.load")

local HEAD = 'local o = require("orrery")\n\n'
local TAIL = '\nreturn o.workflow "bench" { steps }\n'

local LAYERS = [[
-- A file that a step copies, by the name of the step.
local sources = { build = "a.txt", test = "b.txt", lint = "c.txt" }

local steps = {}
for _, p in ipairs(packages) do
  local name, dir = p[1], "packages/" .. p[1]
  local src = { dir .. "/src/a.txt", dir .. "/src/b.txt", dir .. "/src/c.txt" }
  local made = { build = {}, test = { dir .. "/dist/build.txt" }, lint = {} }
  for i, dep in ipairs(p[2]) do made.build[i] = "packages/" .. dep .. "/dist/build.txt" end
  for _, kind in ipairs { "build", "test", "lint" } do
    local out = dir .. "/dist/" .. kind .. ".txt"
    steps[#steps + 1] = o.step(name .. ":" .. kind) {
      run = "cp " .. dir .. "/src/" .. sources[kind] .. " " .. out,
      inputs = { src, made[kind] },
      outputs = { out },
    }
  end
end
]]

local CHAIN = [[
local steps = {}
for i = 0, %d do
  steps[#steps + 1] = o.step("t" .. i) { run = "true", after = i > 0 and "t" .. i - 1 or nil }
end
]]

local WIDE = [[
local steps = {}
for i = 0, %d do
  steps[#steps + 1] = o.step("t" .. i) { run = "true" }
end
]]

local SLEEP = [[
local steps, before = {}, nil
for group = 0, 2 do
  local ids = {}
  for i = 0, 2 do
    local id = "t" .. group * 3 + i
    steps[#steps + 1] = o.step(id) { run = "sleep 0." .. i + 1, after = before }
    ids[#ids + 1] = id
  end
  before = ids
end
]]

local function packages(spec)
  local out = { "-- A package, and those it depends on.\nlocal packages = {\n" }
  for _, p in ipairs(spec.packages) do
    local deps = {}
    for i, d in ipairs(p.deps) do deps[i] = ("%q"):format(d) end
    out[#out + 1] = ("  { %q, {%s} },\n"):format(p.name, table.concat(deps, ", "))
  end
  out[#out + 1] = "}\n\n"
  return table.concat(out)
end

local write = {
  layers = function(spec) return packages(spec) .. LAYERS end,
  chain = function(spec) return CHAIN:format(#spec.tasks - 1) end,
  wide = function(spec) return WIDE:format(#spec.tasks - 1) end,
  one = function(spec) return WIDE:format(#spec.tasks - 1) end,
  sleep = function() return SLEEP end,
}

local function same(what, id, got, want)
  if got ~= want then
    error(("%s: %s is %s where the description says %s"):format(id, what, tostring(got),
      tostring(want)))
  end
end

local function sorted(list)
  local out = table.move(list, 1, #list, 1, {})
  table.sort(out)
  return table.concat(out, " ")
end

-- The loops stand for the description, so they must say the same.
local function compare(file, spec)
  local wf = load.file(file, { root = dir })
  same("the number of steps", "workflow", #wf.steps, #spec.tasks)
  for i, t in ipairs(spec.tasks) do
    local s, waits = wf.steps[i], {}
    same("id", t.id, s.id, t.id)
    same("run", t.id, s.action, t.rootcmd)
    for j, other in ipairs(t.deps) do waits[j] = other end
    same("what it waits for", t.id, sorted(#t.outputs > 0 and s.needs or s.after), sorted(waits))
  end
end

if not write[workload] then os.exit(0) end -- nothing printed: the workload is skipped
local spec = assert(json.decode(assert(fs.read(dir .. "/spec.json"))))
local file = dir .. "/workflows/bench.lua"
assert(fs.mkdir(dir .. "/workflows"))
assert(fs.write_atomic(file, HEAD .. write[workload](spec) .. TAIL))
compare(file, spec)
local binary = os.getenv("ORRERY")
io.write(json.encode({ run = { binary, "run", "bench", "-j" .. jobs, "-q" }, state = { ".orrery" },
  cache = true, version = binary .. " version" }), "\n")
