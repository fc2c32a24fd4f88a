local framework = require("framework")
local registry = require("orrery.registry")
local rules = require("orrery.rules")

local SIZES = { 25, 50, 1000, 100000 }
local SOURCES = 200

local RULE = [[
---
description: Plain TypeScript, part %d
globs: src/**/*.ts
---
# Plain
<validation>
forbidden_patterns:
  - pattern: "console%d\\.log\\([^)]*\\);?"
    message: "no logs"
    severity: error
  - pattern: "^const (\\w+): any%d"
    message: "no any"
</validation>
]]

local function source(i)
  local out = {}
  for line = 1, 60 do out[line] = ("const value%d = part(%d, %d);\n"):format(line, i, line) end
  out[30] = ("console%d.log(value%d);\n"):format(i % 10, i)
  return table.concat(out)
end

-- A project of some files, ten rules with patterns among 1,089 rules.
local function project(b)
  local files = {}
  for i = 1, 1089 do
    b:file(("project/rules/r%d.md"):format(i), i <= 10 and RULE:format(i, i - 1, i - 1)
      or ("---\nglobs: lib%d/**/*.py\n---\n# Rule %d\n"):format(i, i))
  end
  for i = 1, SOURCES do
    files[i] = ("src/part%d.ts"):format(i)
    b:file("project/" .. files[i], source(i))
  end
  return b.dir .. "/project", files
end

local function lookups(b, size)
  local r <close> = setmetatable({ reg = registry.new() }, { __close = function(s)
    s.reg:close()
  end })
  local reg = r.reg
  for i = 1, size do
    reg:add({ name = "artifact-" .. i, type = "json", step = tostring(i % 100) })
  end
  local names, at = {}, 0
  for i = 1, size do names[i] = "artifact-" .. i end
  b:time(("artifact by name among %d"):format(size), function(n)
    for _ = 1, n do
      at = (at * 7919 + 104729) % size
      if not reg:by_name(names[at + 1]) then error("lost") end
    end
  end, { n = 50000, goal = "5 ms" })
end

return {
  claim = "an audit costs what reading the files costs; a look-up the same at any size",
  peer = "the framework's registry of artifacts, indexed and searched",
  run = function(b)
    local dir, files = project(b)
    local index = rules.open("rules", { root = dir })
    local found
    b:time(("audit of a file, of %d"):format(SOURCES), function()
      found = index:audit(files, { root = dir }).violations_found
    end, { n = SOURCES, once = true })
    assert(#found == SOURCES, "each file has one violation")
    for _, size in ipairs(b.quick and { 25, 50, 1000 } or SIZES) do lookups(b, size) end
    local theirs = framework.ask(b, "lookup", { sizes = SIZES })
    for _, size in ipairs(theirs and SIZES or {}) do
      local what, us = ("artifact by name among %d"):format(size), theirs[tostring(size)]
      b:value(what, us.index, "us", nil, "their index")
      b:value(what, us.scan, "us", nil, "their scan")
    end
  end,
}
