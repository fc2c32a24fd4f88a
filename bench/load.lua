local load = require("orrery.model.load")
local work = require("work")
local yaml = require("orrery.core.yaml")

local function yaml_workflow(n)
  local out = { "name: bench\nsteps:\n" }
  for i = 1, n do
    out[#out + 1] = ("  - id: tN\n    run: cc -c src/fileN.c -o out/fileN.o\n"
      .. "    inputs: [src/fileN.c]\n    outputs: [out/fileN.o]\n"):gsub("N", tostring(i))
  end
  return table.concat(out)
end

return {
  claim = "a workflow is read faster than it could be typed: 25 MB/s of YAML, 1 ms for 25 steps",
  peer = "none",
  run = function(b)
    local big = yaml_workflow(3000)
    b:rate("YAML into Lua tables", #big, function() assert(yaml.decode(big)) end,
      { goal = "25 MB/s" })
    local small = b:file("workflows/small.yaml", yaml_workflow(25))
    b:time("load of a 25-step YAML workflow", function(n)
      for _ = 1, n do load.file(small, { root = b.dir }) end
    end, { n = 100, unit = "ms", goal = "1 ms" })
    local steps = {}
    for i = 1, 3270 do
      steps[i] = { id = "t" .. i, cmd = "cp a" .. i .. " b" .. i, inputs = { "a" .. i },
        outputs = { "b" .. i } }
    end
    local lua = b:file("workflows/big.lua", work.orrery(steps))
    b:time("load of a 3,270-step Lua workflow", function(n)
      for _ = 1, n do load.file(lua, { root = b.dir }) end
    end, { n = 1, unit = "ms" })
    collectgarbage()
    collectgarbage()
    local before = collectgarbage("count")
    local wf = load.file(lua, { root = b.dir })
    collectgarbage()
    collectgarbage()
    b:value("memory of a loaded step", (collectgarbage("count") - before) * 1024 / #wf.steps, "B")
  end,
}
