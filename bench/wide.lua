local work = require("work")

return {
  claim = "10,000 independent steps cost what they cost under make",
  peer = "make, ninja, xargs",
  run = function(b)
    local steps, n = {}, b.quick and 1000 or 10000
    for i = 1, n do steps[i] = { id = "t" .. i, cmd = "true" } end
    local race = work.race(b, steps, {})
    if b:peer("xargs") then
      local list = b:file("list", ("x\n"):rep(n))
      race[#race + 1] = { "xargs", { "xargs", "-a", list, "-n1", "-P2", "true" } }
    end
    b:race("step of " .. n .. " x true, -j2", race,
      { rounds = 3, per = n, unit = "us", goals = { make = "x1.05" } })
  end,
}
