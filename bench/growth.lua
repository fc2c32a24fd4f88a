local fs = require("orrery.core.fs")

local SIZES = { 1000, 10000, 100000 }
-- A hundred thousand processes take minutes; the peer shows its slope before.
local PEER_MOST = 10000

-- As a user would write it: a loop.
local PLAIN = [[
local o = require("orrery")
local steps = {}
for i = 1, %d do
  steps[i] = o.step("t" .. i) { %s }
end
return o.workflow "bench" { steps }
]]
local FIELDS = {
  undeclared = [[run = "true"]],
  declared = [[run = "cp src/" .. i .. " out/" .. i,
    inputs = { "src/" .. i }, outputs = { "out/" .. i } ]],
}

local function ninja(n, kind)
  local out = { "rule true\n command = true\nrule cp\n command = cp $in $out\n" }
  for i = 1, n do
    out[i + 1] = (kind == "declared" and "build out/%d: cp src/%d\n" or "build t%d: true\n")
      :format(i, i)
  end
  return table.concat(out)
end

local function write(dir, rel, text)
  assert(fs.mkdir((dir .. "/" .. rel):match("^(.*)/")))
  assert(fs.write_atomic(dir .. "/" .. rel, text))
end

local function sources(dir, n)
  for i = 1, n do write(dir, "src/" .. i, "file " .. i .. "\n") end
end

local function wipe(dir)
  for _, made in ipairs { ".orrery", ".ninja_log", ".ninja_deps", "out" } do
    fs.remove_tree(dir .. "/" .. made)
  end
end

-- Who runs the n steps, each in a folder of its own.
local function runners(b, n, kind)
  local list = { { "orrery", { b.orrery, "run", "bench", "-j2", "-q" } } }
  if n <= PEER_MOST and b:peer("ninja") then
    list[2] = { "ninja", { "ninja", "-j2", "--quiet" } }
  end
  for _, e in ipairs(list) do
    e.cwd = ("%s/%s-%d-%s"):format(b.dir, e[1], n, kind)
    e.cold, e.before = true, function() wipe(e.cwd) end
    if e[1] == "orrery" then
      write(e.cwd, "workflows/bench.lua", PLAIN:format(n, FIELDS[kind]))
    else
      write(e.cwd, "build.ninja", ninja(n, kind))
    end
    if kind == "declared" then sources(e.cwd, n) end
  end
  return list
end

-- All figures of one size; returns our peaks of memory.
local function one(b, n, kind)
  local race = runners(b, n, kind)
  local opts = { per = n, unit = "us", rounds = n > 10000 and 1 or nil }
  local function go(phase)
    collectgarbage() -- our own size is the least that is seen of theirs
    return b:race(("step of %d, %s: %s"):format(n, kind, phase), race, opts)[1].rss
  end
  local peaks = { cold = go("cold") }
  for _, e in ipairs(race) do
    if kind == "declared" then assert(#fs.list(e.cwd .. "/out") == n) end
    e.before, e.cold = nil, nil
  end
  if kind == "declared" then peaks.again = go("nothing changed") end
  for _, e in ipairs(race) do fs.remove_tree(e.cwd) end
  return peaks
end

return {
  claim = "a step costs the same time and memory whether there are 1,000 or 100,000",
  peer = "ninja",
  run = function(b)
    for _, kind in ipairs { "undeclared", "declared" } do
      local least
      for _, n in ipairs(b.quick and { 1000, 3000 } or SIZES) do
        local peaks = one(b, n, kind)
        least = least or peaks
        for _, phase in ipairs(n > SIZES[1] and { "cold", "again" } or {}) do
          if peaks[phase] then
            b:value(("memory a step beyond %d, of %d, %s, %s"):format(SIZES[1], n, kind, phase),
              (peaks[phase] - least[phase]) / (n - SIZES[1]) / 1024, "KB", "1.5")
          end
        end
      end
    end
  end,
}
