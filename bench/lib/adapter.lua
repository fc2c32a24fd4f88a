-- bench/peers-adapter: a workload description as a Lua workflow.
local here, workload, dir, jobs = arg[1], arg[2], arg[3], arg[4]
package.path = here .. "/lib/?.lua;" .. package.path
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local work = require("work")

local known = { layers = true, wide = true, chain = true, sleep = true, one = true }
if not known[workload] then os.exit(0) end -- nothing printed: the workload is skipped

local spec = assert(json.decode(assert(fs.read(dir .. "/spec.json"))))
local by_id, steps = {}, {}
for _, t in ipairs(spec.tasks) do by_id[t.id] = t end
for i, t in ipairs(spec.tasks) do
  local cached = #t.outputs > 0
  local s = { id = t.id, cmd = t.rootcmd, inputs = cached and { table.unpack(t.inputs) } or nil,
    outputs = cached and t.outputs or nil }
  for _, id in ipairs(t.deps) do
    if #by_id[id].outputs > 0 then -- what it makes is read: the order follows from that
      table.move(by_id[id].outputs, 1, #by_id[id].outputs, #s.inputs + 1, s.inputs)
    else
      s.after = s.after or {}
      s.after[#s.after + 1] = id
    end
  end
  steps[i] = s
end
assert(fs.mkdir(dir .. "/workflows"))
assert(fs.write_atomic(dir .. "/workflows/bench.lua", work.orrery(steps)))
local binary = os.getenv("ORRERY")
io.write(json.encode({ run = { binary, "run", "bench", "-j" .. jobs, "-q" }, state = { ".orrery" },
  cache = true, version = binary .. " version" }), "\n")
