local fs = require("orrery.core.fs")
local proc = require("proc")

local COUNT = 10000

-- Each body makes its calls one after the other, as a loop does.
local BODIES = {
  { "function", [[sum = sum + w:call(function(ctx) return ctx.with.i * 2 end,
      { with = { i = i } }).value]] },
  { "command", [[w:run({ "true", tostring(i) }, { inputs = {} })]] },
}

local TEXT = [[
local o = require("orrery")
return o.workflow "bench" {
  body = function(w)
    local sum = 0
    for i = 1, %d do
      %s
    end
    return sum
  end,
}
]]

-- The same commands without a runner: what one after the other costs.
local function xargs(b, n)
  local words = {}
  for i = 1, n do words[i] = i .. "\n" end
  return { "xargs", { "xargs", "-a", b:file("list", table.concat(words)), "-n1", "true" } }
end

return {
  claim = "a body of 10,000 calls is a loop: each call remembered, none made twice",
  peer = "xargs -n1",
  run = function(b)
    local n = b.quick and 1000 or COUNT
    for _, kind in ipairs(BODIES) do
      local what, dir = kind[1], b.dir .. "/" .. kind[1]
      b:file(what .. "/workflows/bench.lua", TEXT:format(n, kind[2]))
      local entry = { "orrery", { b.orrery, "run", "bench", "-q" }, cwd = dir, cold = true,
        before = function() fs.remove_tree(dir .. "/.orrery") end }
      local race = { entry }
      if what == "command" and proc.which("xargs") then race[2] = xargs(b, n) end
      local opts = { per = n, unit = "us", rounds = 3 }
      b:race(("call of a %s, of %d: first run"):format(what, n), race, opts)
      entry.before, entry.cold = nil, nil
      b:race(("call of a %s, of %d: again"):format(what, n), { entry }, opts)
    end
  end,
}
