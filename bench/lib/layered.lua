-- The shape of the peers' workload: layers of packages, each package building after the
-- builds of the packages before its layer, and three steps a package.
local fs = require("orrery.core.fs")

local layered = {}

local KINDS = { { "build", "a.txt" }, { "test", "b.txt" }, { "lint", "c.txt" } }

function layered.packages(layers, count, width)
  local list, starts = {}, {}
  for l = 0, layers do starts[l] = -(-l * count // layers) end
  for l = 0, layers - 1 do
    for i = starts[l], starts[l + 1] - 1 do
      local deps = {}
      for d = math.max(0, starts[l] - width), starts[l] - 1 do deps[#deps + 1] = d end
      list[#list + 1] = { n = i, deps = deps }
    end
  end
  return list
end

function layered.steps(list)
  local steps = {}
  for _, p in ipairs(list) do
    local dir = "packages/p" .. p.n
    for _, k in ipairs(KINDS) do
      local name, src = k[1], dir .. "/src/" .. k[2]
      local inputs = {}
      for i, other in ipairs(KINDS) do inputs[i] = dir .. "/src/" .. other[2] end
      if name == "build" then
        for _, d in ipairs(p.deps) do
          inputs[#inputs + 1] = ("packages/p%d/dist/build.txt"):format(d)
        end
      elseif name == "test" then
        inputs[#inputs + 1] = dir .. "/dist/build.txt"
      end
      local out = dir .. "/dist/" .. name .. ".txt"
      steps[#steps + 1] = { id = "p" .. p.n .. ":" .. name, cmd = ("cp %s %s"):format(src, out),
        inputs = inputs, outputs = { out } }
    end
  end
  return steps
end

function layered.sources(list, dir)
  for _, p in ipairs(list) do
    local base = ("%s/packages/p%d"):format(dir, p.n)
    assert(fs.mkdir(base .. "/src"))
    assert(fs.mkdir(base .. "/dist"))
    for _, k in ipairs(KINDS) do
      assert(fs.write_atomic(base .. "/src/" .. k[2], ("p%d %s\n"):format(p.n, k[2]):rep(20)))
    end
  end
end

return layered
