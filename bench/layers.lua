local fs = require("orrery.core.fs")
local work = require("work")

-- The shape of the peers' workload: layers of packages, each package building after the
-- builds of the packages before its layer, and three steps a package.
local KINDS = { { "build", "a.txt" }, { "test", "b.txt" }, { "lint", "c.txt" } }

local function packages(layers, count, width)
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

local function steps_of(list)
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

local function sources(list, dir)
  for _, p in ipairs(list) do
    local base = ("%s/packages/p%d"):format(dir, p.n)
    assert(fs.mkdir(base .. "/src"))
    assert(fs.mkdir(base .. "/dist"))
    for _, k in ipairs(KINDS) do
      assert(fs.write_atomic(base .. "/src/" .. k[2], ("p%d %s\n"):format(p.n, k[2]):rep(20)))
    end
  end
end

return {
  claim = "a run in which nothing changed is faster than ninja's, though contents are checked",
  peer = "make, ninja",
  run = function(b)
    local layers, count = 100, 1090
    if b.quick then layers, count = 10, 109 end
    local list = packages(layers, count, 30)
    local steps = steps_of(list)
    local phase, edits = nil, 0
    local function wipe(dir)
      for _, s in ipairs(steps) do fs.remove(dir .. "/" .. s.outputs[1]) end
    end
    local function before(who, dir)
      if phase == "cold" then
        wipe(dir)
        fs.remove_tree(dir .. "/.orrery")
        fs.remove(dir .. "/.ninja_log")
        fs.remove(dir .. "/.ninja_deps")
      elseif phase == "restored" and who == "orrery" then
        wipe(dir)
      elseif phase == "one leaf changed" then
        edits = edits + 1
        assert(fs.append(("%s/packages/p%d/src/a.txt"):format(dir, count - 1), "edit " .. edits
          .. "\n"))
      end
    end
    local race = work.race(b, steps, { prepare = function(dir) sources(list, dir) end,
      before = before })
    local function go(name, opts)
      phase = name
      b:race(("%d steps: %s"):format(#steps, name), race, opts)
    end
    for _, e in ipairs(race) do e.cold = true end
    go("cold", { rounds = 2, goals = { make = "x1.05" } })
    for _, e in ipairs(race) do e.cold = false end
    go("nothing changed", { goals = { ninja = "x0.35" } })
    go("one leaf changed", { goals = { ninja = "x0.60" } })
    race = { race[1] }
    go("restored", { rounds = 2, goals = { orrery = "0.1 of Turborepo" } })
  end,
}
