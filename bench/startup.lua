local work = require("work")

return {
  claim = "orrery starts like a bare lua5.4, and runs one step within the time of ninja",
  peer = "lua5.4 -e '', node -e 0, ninja, make",
  run = function(b)
    local race = { { "orrery", { b.orrery, "version" } } }
    for who, argv in pairs { ["lua5.4"] = { "lua5.4", "-e", "" }, node = { "node", "-e", "0" } } do
      if b:peer(argv[1]) then race[#race + 1] = { who, argv } end
    end
    table.sort(race, function(x, y) return x[1] == "orrery" or y[1] ~= "orrery" and x[1] < y[1] end)
    b:race("version", race, { rounds = 20, goals = { ["lua5.4"] = "x1.5" } })
    local steps = { { id = "t1", cmd = "true" } }
    b:race("one step, whole process", work.race(b, steps, {}),
      { rounds = 20, goals = { ninja = "x1.0" } })
  end,
}
