local work = require("work")

return {
  claim = "1,000 steps one after the other cost what they cost under ninja",
  peer = "ninja, make",
  run = function(b)
    local steps = {}
    for i = 1, 1000 do
      steps[i] = { id = "t" .. i, cmd = "true", after = i > 1 and { "t" .. i - 1 } or nil }
    end
    b:race("step of a chain of 1000 x true", work.race(b, steps, {}),
      { per = 1000, unit = "us", goals = { ninja = "x1.05" } })
  end,
}
