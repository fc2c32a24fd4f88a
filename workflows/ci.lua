-- What CI checks: the runtime builds, lints and tests itself. The value of each suite is
-- what it counted; scripts/test says the sum.
local o = require("orrery")

local sources = { "core/**", "lua/**", "scripts/embed.lua", "CMakeLists.txt" }
local suites = { "tests/**", "workflows/*.lua", "docs/**", "README.md" }

-- A sanitizer build in its own folder, and the tests in it.
local function sanitized(name, flags, env)
  local dir = "build-" .. name
  return o.group(name) {
    o.step("build:" .. name) {
      run = "scripts/build " .. dir .. " -DORRERY_WERROR=ON -DORRERY_SANITIZE=" .. flags,
      inputs = { sources, "tests/c/**", "scripts/build" },
      outputs = { dir .. "/orrery", dir .. "/tests/" },
      cache = { store = false },
    },
    o.step("c:" .. name) { run = "scripts/run-c-tests " .. dir, env = env, parse = "json",
      inputs = { "scripts/run-c-tests", dir .. "/tests/**" }, needs = "build:" .. name,
      timeout = "10m" },
    o.step("lua:" .. name) { run = "scripts/run-lua-tests " .. dir .. " tests/lua", env = env,
      inputs = { "scripts/run-lua-tests", suites, dir .. "/orrery" }, parse = "json",
      needs = "build:" .. name, timeout = "20m" },
  }
end

local function specs(dir, names)
  local out = {}
  for i, name in ipairs(names) do out[i] = dir .. "/" .. name .. "_spec.lua" end
  return table.concat(out, " ")
end

-- A binding that lets go of a value too early is caught by collecting at every allocation,
-- and what only a whole run does by a few runs; both with freed memory watched. Leaks are
-- looked for where nothing else takes time.
local function watched()
  local inputs = { "scripts/run-lua-tests", "scripts/lsan.supp", suites, "build-asan/orrery" }
  return o.group "watched" {
    o.step "frantic" { parse = "json", inputs = inputs, needs = "build:asan", timeout = "10m",
      run = "scripts/run-lua-tests build-asan --helper=tests/lua/frantic.lua "
        .. specs("tests/lua", { "fs", "func", "git", "hash", "index", "mask", "pack", "proc",
          "regex", "registry", "resources", "states", "store", "yaml" }),
      env = { ASAN_OPTIONS = "detect_leaks=0:allocator_may_return_null=1",
        UBSAN_OPTIONS = "halt_on_error=1:print_stacktrace=1" } },
    o.step "cli:asan" { parse = "json", inputs = inputs, needs = "build:asan", timeout = "10m",
      run = 'LSAN_OPTIONS="suppressions=$PWD/scripts/lsan.supp:print_suppressions=0" '
        .. "scripts/run-lua-tests build-asan "
        .. specs("tests/cli", { "exec", "restore", "script", "secrets", "signals", "values",
          "warden" }),
      env = { ASAN_OPTIONS = "detect_leaks=1:fast_unwind_on_malloc=0:allocator_may_return_null=1",
        UBSAN_OPTIONS = "halt_on_error=1:print_stacktrace=1" } },
  }
end

return o.workflow "ci" {
  doc = "Builds, lints and tests Orrery.",
  policy = "settled",
  o.group "lint" {
    o.step "luacheck" { run = "luacheck -q lua tests workflows",
      inputs = { "lua/**/*.lua", "tests/**/*.lua", "workflows/*.lua", ".luacheckrc" } },
    o.step "format" { run = "clang-format --dry-run -Werror {{inputs}}",
      inputs = { "core/**/*.{c,h}", "tests/c/*.{c,h}" } },
  },
  o.group "release" {
    o.step "c" { run = "scripts/run-c-tests build", parse = "json",
      inputs = { "scripts/run-c-tests", sources, "tests/c/**" }, timeout = "10m" },
    o.step "lua" { run = "scripts/run-lua-tests build tests/lua", parse = "json",
      inputs = { "scripts/run-lua-tests", sources, suites }, timeout = "10m" },
    o.step "cli" { run = "scripts/run-lua-tests build tests/cli", parse = "json",
      inputs = { "scripts/run-lua-tests", sources, suites, "scripts/**" }, timeout = "20m" },
  },
  sanitized("asan", "address,undefined", {
    ASAN_OPTIONS = "detect_leaks=1:fast_unwind_on_malloc=0:allocator_may_return_null=1",
    LSAN_OPTIONS = "suppressions=scripts/lsan.supp:print_suppressions=0",
    UBSAN_OPTIONS = "halt_on_error=1:print_stacktrace=1",
  }),
  sanitized("tsan", "thread", { TSAN_OPTIONS = "halt_on_error=1:allocator_may_return_null=1" }),
  watched(),
  result = function(ctx)
    local sum = { passed = 0, failed = 0, skipped = 0 }
    for _, r in pairs(ctx.results) do
      if type(r.value) == "table" and r.value.passed then
        for k in pairs(sum) do sum[k] = sum[k] + (r.value[k] or 0) end
      end
    end
    return sum
  end,
}
