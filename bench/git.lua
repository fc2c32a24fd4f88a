local fs = require("orrery.core.fs")
local git = require("orrery.core.git")
local proc = require("proc")

local FILES = 4400

local function repository(b)
  local dir = b.dir .. "/repo"
  for i = 1, FILES do
    b:file(("repo/dir%d/file%d.txt"):format(i % 60, i), ("line %d\n"):format(i):rep(30))
  end
  local function run(...)
    proc.run({ "git", "-C", dir, "-c", "user.email=b@b", "-c", "user.name=b", "-c",
      "commit.gpgsign=false", ... })
  end
  run("init", "-q")
  run("add", "-A")
  run("commit", "-qm", "one")
  for i = 1, 40 do assert(fs.append(("%s/dir%d/file%d.txt"):format(dir, i % 60, i), "more\n")) end
  run("commit", "-qam", "two")
  for i = 41, 50 do assert(fs.append(("%s/dir%d/file%d.txt"):format(dir, i % 60, i), "more\n")) end
  return dir
end

return {
  claim = "what changed between commits is known in 30 us, in the worktree in half of git's time",
  peer = "git diff",
  run = function(b)
    if not b:peer("git") then return end
    local dir = repository(b)
    local function diff(to)
      local r = assert(git.open(dir))
      assert(r:diff({ from = "HEAD~1", to = to }))
      return r
    end
    b:time("commit pair, miss (opened anew)", function(n)
      for _ = 1, n do diff("HEAD"):close() end
    end, { n = 10, unit = "ms", goal = "git diff" })
    local r = diff("HEAD")
    b:time("commit pair, hit", function(n)
      for _ = 1, n do r:diff({ from = "HEAD~1", to = "HEAD" }) end
    end, { n = 2000, goal = "30 us" })
    b:time("HEAD to worktree, miss (opened anew)", function(n)
      for _ = 1, n do
        local again = assert(git.open(dir))
        assert(again:diff({ from = "HEAD" }))
        again:close()
      end
    end, { n = 5, unit = "ms" })
    r:diff({ from = "HEAD" })
    b:time("HEAD to worktree, hit", function(n)
      for _ = 1, n do r:diff({ from = "HEAD" }) end
    end, { n = 20, unit = "ms", goal = "0.5 of git diff" })
    b:race("commit pair", { { "git diff", { "git", "-C", dir, "diff", "--name-status", "HEAD~1",
      "HEAD" } } })
    b:race("HEAD to worktree", { { "git diff", { "git", "-C", dir, "--no-optional-locks", "diff",
      "--name-status", "HEAD" } } })
  end,
}
