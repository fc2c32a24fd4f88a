-- A C project to build: that of ORRERY_BENCH_C when it is set (each .c file below it is
-- compiled by itself), else one that is generated; and how each tool builds it.
local fs = require("orrery.core.fs")

local project = {}

local FILES, HEADERS = 100, 10

local function source(i)
  local out = { "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n" }
  for h = 0, 2 do out[#out + 1] = ('#include "part%d.h"\n'):format((i + h * 3) % HEADERS) end
  for f = 1, 3 do
    out[#out + 1] = ([[
int unit%d_%d(const char *text, int n)
{
    char copy[64];
    int sum = PART%d;
    snprintf(copy, sizeof copy, "%%s-%%d", text, n);
    for (size_t k = 0; k < strlen(copy); k++)
        sum += copy[k] * (int)(k + %d);
    return sum %% (abs(n) + 1);
}
]]):format(i, f, i % HEADERS, f)
  end
  return table.concat(out)
end

local function generated()
  local files = {}
  for h = 0, HEADERS - 1 do
    files[("src/part%d.h"):format(h)] = ("#define PART%d %d\nint part%d(int);\n"):format(h, h, h)
  end
  for i = 1, FILES do files[("src/unit%d.c"):format(i)] = source(i) end
  return files, "src/part0.h"
end

-- The files of a given project, and the header most of them name.
local function given(dir)
  local files, named, best = {}, {}, nil
  for _, path in ipairs(assert(fs.glob({ "**/*.c", "**/*.h", "!.git/**" }, { root = dir }))) do
    local text = assert(fs.read(dir .. "/" .. path))
    files["src/" .. path] = text
    for name in text:gmatch('#%s*include%s+"([^"]+)"') do
      name = name:match("[^/]+$")
      named[name] = (named[name] or 0) + 1
    end
  end
  for path in pairs(files) do
    local count = named[path:match("[^/]+$")] or 0
    local most = best and named[best:match("[^/]+$")] or 0
    if path:match("%.h$") and (count > most or count == most and (not best or path < best)) then
      best = path
    end
  end
  assert(best, dir .. ": no header there")
  return files, best
end

--- The project: its files by path, its sources in order, and the header most of them read.
---@return { files: table<string, string>, sources: string[], header: string, name: string }
function project.get()
  local dir = os.getenv("ORRERY_BENCH_C")
  local p = { sources = {}, name = dir and dir:match("[^/]+/*$") or "generated" }
  if dir then p.files, p.header = given(dir) else p.files, p.header = generated() end
  for path in pairs(p.files) do
    if path:match("%.c$") then p.sources[#p.sources + 1] = path end
  end
  table.sort(p.sources)
  return p
end

local ORRERY = [[
local o = require("orrery")
local fs = require("orrery.fs")
local steps, objects = {}, {}
for _, source in ipairs(fs.glob("src/**/*.c")) do
  local object = "out/" .. source:gsub("%.c$", ".o")
  objects[#objects + 1] = object
  steps[#steps + 1] = o.step(source) {
    run = { "cc", "-O2", "-w", "-Isrc", "-MMD", "-MF", object .. ".d", "-c", source, "-o", object },
    inputs = { source },
    outputs = { object },
    depfile = object .. ".d",
  }
end
return o.workflow "bench" {
  steps,
  o.step "library" { run = { "ar", "rcsD", "out/all.a", objects }, inputs = objects,
    outputs = { "out/all.a" } },
}
]]

local MAKE = [[
export CCACHE_DIR := $(CURDIR)/.ccache
sources := %s
objects := $(sources:%%.c=out/%%.o)
out/all.a: $(objects)
	@ar rcsD $@ $^
$(objects): out/%%.o: %%.c
	@mkdir -p $(@D); %scc -O2 -w -Isrc -MMD -MF $@.d -c $< -o $@
-include $(objects:=.d)
]]

local function ninja(p, wrapper)
  local out = { ("rule cc\n command = %scc -O2 -w -Isrc -MMD -MF $out.d -c $in -o $out\n"
    .. " depfile = $out.d\n deps = gcc\nrule ar\n command = ar rcsD $out $in\n"):format(wrapper) }
  local objects = {}
  for i, s in ipairs(p.sources) do
    objects[i] = "out/" .. s:gsub("%.c$", ".o")
    out[#out + 1] = ("build %s: cc %s\n"):format(objects[i], s)
  end
  out[#out + 1] = ("build out/all.a: ar %s\n"):format(table.concat(objects, " "))
  return table.concat(out)
end

--- What a tool reads: the name of the file and its text.
---@param tool string "orrery", "make", "ninja"; "+ccache" behind it wraps the compiler
---@return string path
---@return string text
function project.description(p, tool)
  local wrapped = tool:find("+ccache", 1, true)
  if tool == "orrery" then return "workflows/bench.lua", ORRERY end
  if tool:find("^make") then
    return "Makefile", MAKE:format(table.concat(p.sources, " "), wrapped and "ccache " or "")
  end
  return "build.ninja", ninja(p, wrapped and "CCACHE_DIR=.ccache ccache " or "")
end

return project
