-- Orrery's first job, on Orrery itself: compile the core's units, link a test program,
-- check in parallel, write a summary. Run it twice: the second run has nothing to do.
local o, fs = require("orrery"), require("orrery.fs")

local out = "build/quickstart"
local flags = { "-std=c11", "-O1", "-D_GNU_SOURCE", "-DOPENSSL_SUPPRESS_DEPRECATED", "-Icore" }

local function object(src) return out .. "/" .. src:gsub("[/.]", "-") .. ".o" end

local function compile(src)
  local obj = object(src)
  return o.step("cc:" .. src) {
    run = { "cc", flags, "-MMD", "-MF", obj .. ".d", "-c", src, "-o", obj },
    inputs = { src }, depfile = obj .. ".d", outputs = { obj }, tools = { "cc" },
  }
end

local units = fs.glob { "core/base/*.c", "core/engine/{pack,unpack,entries,hash,parallel}.c" }
local test = "tests/c/test_pack.c"
local steps, objects = { compile(test) }, { object(test) }
for _, src in ipairs(units) do
  steps[#steps + 1] = compile(src)
  objects[#objects + 1] = object(src)
end

return o.workflow "quickstart" {
  doc = "Compiles, links, checks and sums up this very repository.",
  o.group "compile" { steps },
  o.step "link" {
    run = { "cc", "{{inputs}}", "-lcmocka", "-lcrypto", "-lpthread", "-lm", "-o", "{{outputs}}" },
    inputs = objects, outputs = { out .. "/test_pack" }, tools = { "ld" },
  },
  o.group "check" { policy = "settled",
    o.step "unit" { run = { out .. "/test_pack" }, inputs = { out .. "/test_pack" } },
    o.step "luacheck" { run = "luacheck -q lua workflows", tools = { "luacheck" },
      inputs = { "lua/**/*.lua", "workflows/*.lua", ".luacheckrc" } },
    o.step "count" {
      doc = "Counts and hashes the sources, on a pool worker.",
      inputs = { "core/**/*.{c,h}", "lua/**/*.lua" },
      call = function(ctx)
        local hash, files = require("orrery.hash"), require("orrery.fs")
        local n, all = { c = 0, lua = 0 }, {}
        for i, path in ipairs(ctx.inputs) do
          local text = files.read(path)
          local kind = path:find("%.lua$") and "lua" or "c"
          n[kind] = n[kind] + select(2, text:gsub("\n", ""))
          all[i] = hash.sha256(text)
        end
        return { files = #ctx.inputs, c_lines = n.c, lua_lines = n.lua,
          digest = hash.sha256(table.concat(all)) }
      end,
    },
  },
  o.step "summary" {
    needs = { "unit", "luacheck", "count" }, inputs = {}, outputs = { out .. "/summary.md" },
    run = "printf '# Orrery\\n\\n%s files, %s lines of C, %s lines of Lua\\nsources %s\\n' "
      .. "{{results.count.value.files}} {{results.count.value.c_lines}} "
      .. "{{results.count.value.lua_lines}} {{results.count.value.digest}} > {{outputs}}",
  },
}
