local fs = require("orrery.core.fs")
local layered = require("layered")
local work = require("work")

return {
  claim = "a run in which nothing changed is faster than ninja's, though contents are checked",
  peer = "make, ninja",
  run = function(b)
    local layers, count = 100, 1090
    if b.quick then layers, count = 10, 109 end
    local list = layered.packages(layers, count, 30)
    local steps = layered.steps(list)
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
    local race = work.race(b, steps, { prepare = function(dir) layered.sources(list, dir) end,
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
