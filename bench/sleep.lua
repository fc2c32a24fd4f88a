local work = require("work")

return {
  claim = "three groups of three sleeps take what the longest of each take: 900 ms",
  peer = "make",
  run = function(b)
    local steps, before = {}, {}
    for g = 0, 2 do
      local ids = {}
      for i = 1, 3 do
        ids[i] = "t" .. g * 3 + i
        steps[#steps + 1] = { id = ids[i], cmd = "sleep 0." .. i, after = before }
      end
      before = ids
    end
    b:race("three groups of three sleeps, -j8", work.race(b, steps, { jobs = 8 }),
      { rounds = 3, goals = { make = "x1.0 (914 ms)" } })
  end,
}
