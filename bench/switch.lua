local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local proc = require("proc")
local project = require("project")

-- Sources that differ on the other branch, besides the header.
local EDITED = 5

-- Added to a source or header, it changes each object that reads it.
local EDIT = "\n__attribute__((used)) static int edit_%d = 1;\n"

local function git(dir, ...)
  proc.run({ "git", "-C", dir, "-c", "user.email=b@b", "-c", "user.name=b",
    "-c", "commit.gpgsign=false", "-c", "advice.detachedHead=false", ... })
end

local function write(path, text)
  assert(fs.mkdir(path:match("^(.*)/")))
  assert(fs.write_atomic(path, text))
end

-- The project in a repository with two branches: "one", which is checked out, and "two".
local function repository(p, dir, tool)
  for path, text in pairs(p.files) do write(dir .. "/" .. path, text) end
  local name, text = project.description(p, tool)
  write(dir .. "/" .. name, text)
  write(dir .. "/.gitignore", "out/\n.orrery/\n.ccache/\n.ninja*\n")
  git(dir, "init", "-q", "-b", "one")
  git(dir, "add", "-A")
  git(dir, "commit", "-qm", "one")
  git(dir, "checkout", "-qb", "two")
  for i = 1, EDITED do
    local path = p.sources[i * #p.sources // EDITED]
    write(dir .. "/" .. path, p.files[path] .. EDIT:format(i))
  end
  write(dir .. "/" .. p.header, p.files[p.header] .. EDIT:format(0))
  git(dir, "commit", "-qam", "two")
  git(dir, "checkout", "-q", "one")
end

local ARGV = { make = { "make", "-s", "-j2" }, ninja = { "ninja", "-j2", "--quiet" } }

local function entries(b, p)
  local list = {}
  local ccache = b:peer("ccache") and "+ccache" or ""
  for _, tool in ipairs { "orrery", "ninja", "make" .. ccache, "ninja" .. ccache } do
    local base = tool:match("^%a+")
    if base == "orrery" or b:peer(base) and not (#list > 2 and ccache == "") then
      local dir = b.dir .. "/" .. tool
      repository(p, dir, tool)
      list[#list + 1] = { tool, base == "orrery" and { b.orrery, "run", "bench", "-j2", "-q" }
        or ARGV[base], cwd = dir }
    end
  end
  return list
end

-- What is done to a folder before the phase, again in each round. The rounds' edits differ.
local function phases(p)
  local rounds, first = {}, p.sources[1]
  local function edit(path)
    return function(dir)
      rounds[dir] = (rounds[dir] or 100) + 1
      assert(fs.append(dir .. "/" .. path, EDIT:format(rounds[dir])))
    end
  end
  local function wipe(dir)
    for _, made in ipairs { "out", ".orrery", ".ccache", ".ninja_log", ".ninja_deps" } do
      fs.remove_tree(dir .. "/" .. made)
    end
  end
  return {
    { "cold", wipe, rounds = 1 },
    { "nothing changed", function() end },
    { "one source touched", function(dir) proc.run({ "touch", dir .. "/" .. first }) end },
    { "one source changed", edit(first) },
    { "one header changed", edit(p.header), rounds = 1 },
    { "other branch, first time", function(dir)
      git(dir, "checkout", "-qf", "one")
      proc.run({ "touch", dir .. "/" .. first })
    end, "two", rounds = 1 },
    { "switched back", nil, "one", rounds = 1 },
    { "other branch again", nil, "two", rounds = 1 },
    { "back again", nil, "one", rounds = 1 },
  }
end

-- Each tool made the same library, byte for byte.
local function compare(race, phase)
  local want = assert(hash.file(race[1].cwd .. "/out/all.a"))
  for _, e in ipairs(race) do
    if hash.file(e.cwd .. "/out/all.a") ~= want then
      error(("%s: %s made another library than orrery"):format(phase, e[1]))
    end
  end
end

return {
  claim = "a branch once built is restored, not built again: a switch back costs no compiler",
  peer = "ninja; make and ninja with ccache",
  run = function(b)
    local p = project.get()
    b:note(("%s: %d sources, the header is %s"):format(p.name, #p.sources, p.header))
    local race = entries(b, p)
    for _, phase in ipairs(phases(p)) do
      for _, e in ipairs(race) do
        e.cold = phase.rounds == 1
        e.before = function()
          if phase[2] then phase[2](e.cwd) end
          if phase[3] then git(e.cwd, "checkout", "-q", phase[3]) end
        end
      end
      b:race("C project: " .. phase[1], race, { rounds = phase.rounds })
      compare(race, phase[1])
    end
  end,
}
