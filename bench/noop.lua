local fs = require("orrery.core.fs")
local layered = require("layered")
local proc = require("proc")
local work = require("work")

-- The bare price of looking at the files: compiled here, so that it is measured beside us.
local function floor(b, here, dir, paths)
  local probe = b.dir .. "/statx"
  if not b:peer("cc") then return end
  local list = b:file("paths", table.concat(paths, "\n") .. "\n")
  proc.run({ "cc", "-O2", "-o", probe, here .. "/statx.c", "-lpthread" }, { cwd = b.dir })
  proc.run({ "sh", "-c", ("%s %s < %s > %s.ms"):format(probe, dir, list, probe) }, { cwd = b.dir })
  local ms = tonumber((fs.read(probe .. ".ms") or ""):match("%S+") or "")
  if ms then b:value(("statx of %d files, two threads"):format(#paths), ms, "ms", nil, "bare C") end
end

return {
  claim = "a run in which nothing changed costs little more than looking at its files",
  peer = "a C program that calls statx for each of the files",
  run = function(b)
    local list = layered.packages(b.quick and 10 or 100, b.quick and 109 or 1090, 30)
    local steps, paths, seen = layered.steps(list), {}, {}
    local here = package.searchpath("layered", package.path):match("^(.*)/")
    local entry = work.race(b, steps, { prepare = function(dir) layered.sources(list, dir) end })[1]
    for _, s in ipairs(steps) do
      for _, l in ipairs({ s.inputs, s.outputs }) do
        for _, p in ipairs(l) do
          if not seen[p] then
            seen[p] = true
            paths[#paths + 1] = p
          end
        end
      end
    end
    for _ = 1, 2 do proc.run(entry[2], { cwd = entry.cwd }) end
    b:race("start and end of a process", { { "orrery", { b.orrery, "version" } } }, { rounds = 20 })
    b:race(("%d steps: nothing changed"):format(#steps), { entry }, { rounds = 20 })
    floor(b, here, entry.cwd, paths)
  end,
}
