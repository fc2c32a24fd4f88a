local fs = require("orrery.core.fs")
local work = require("work")

-- What a project of the framework holds, all of it: ORRERY_CORPUS, or the corpus beside ours.
local PLACES = { schemas = ".claude/schemas", workflows = "workflows", rules = ".claude/rules" }

local function fill(b, dir)
  local from = os.getenv("ORRERY_CORPUS") or "../shared/corpus"
  if not fs.stat(from) then
    b:note(from .. " is not there; name one in ORRERY_CORPUS. Measured in an empty project")
    return
  end
  for kind, place in pairs(PLACES) do
    local files = assert(fs.glob({ kind .. "/**" }, { root = from, ignore = false }))
    for _, path in ipairs(files) do
      local to = ("%s/%s%s"):format(dir, place, path:sub(#kind + 1))
      assert(fs.mkdir(to:match("^(.*)/")))
      assert(fs.copy(from .. "/" .. path, to))
    end
    b:note(("%d files of %s"):format(#files, kind))
  end
end

return {
  claim = "a process starts in 10 ms with all schemas, rules and workflows present",
  peer = "none",
  run = function(b)
    local race = work.race(b, { { id = "t1", cmd = "true" } }, {})
    local dir = race[1].cwd
    fill(b, dir)
    local function go(what, argv, goal)
      b:race(what, { { "orrery", argv, cwd = dir } }, { rounds = 20, goals = { orrery = goal } })
    end
    go("orrery version", { b.orrery, "version" }, "10 ms")
    go("one step of a Lua workflow", race[1][2], "10 ms")
    go("all workflows listed", { b.orrery, "list" }, "10 ms")
    if fs.stat(dir .. "/workflows/greenfield-fullstack.yaml") then
      go("25 steps of the dialect planned", { b.orrery, "plan", "greenfield-fullstack", "--agent",
        "mock" })
      go("the rules for a file", { b.orrery, "agents", "rules", "for", "src/app.tsx" }, "10 ms")
    end
  end,
}
