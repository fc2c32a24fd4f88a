local o, fs = require("orrery"), require("orrery.fs") -- workflows/app.lua    orrery run app    orrery run app asan    orrery run app --force='cc:asan:*'
local builds = { debug = { "-O0", "-g" }, release = { "-O2", "-DNDEBUG" }, asan = { "-O1", "-g", "-fsanitize=address,undefined" } }
local all = {}
for mode, flags in pairs(builds) do                                -- must come in sorted order
  local dir, objs, steps = "build/" .. mode, {}, {}
  for _, src in ipairs(fs.glob("src/**/*.c")) do
    local obj = dir .. "/" .. src .. ".o"
    objs[#objs + 1] = obj
    steps[#steps + 1] = o.step("cc:" .. mode .. ":" .. src) { run = { "cc", flags, "-MMD", "-MF", obj .. ".d", "-c", src, "-o", obj },
      inputs = { src }, depfile = obj .. ".d", outputs = { obj }, tools = { "cc" } }
  end
  steps[#steps + 1] = o.step("link:" .. mode) { run = { "cc", flags, objs, "-o", dir .. "/app" }, inputs = objs, outputs = { dir .. "/app" }, tools = { "cc" } }
  for _, t in ipairs(fs.glob("tests/*.sh")) do
    steps[#steps + 1] = o.step("test:" .. mode .. ":" .. t) { run = { "sh", t, dir .. "/app" }, inputs = { t, dir .. "/app", "tests/data/**" }, timeout = "1m" }
  end
  all[#all + 1] = o.group(mode) { steps }
end
return o.workflow "app" { doc = "Builds and tests app three ways.", all }
