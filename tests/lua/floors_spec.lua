-- Arrows go down only: who may include or require whom. One exception, named: host/main
-- starts orrery.face.
local c_floor = { base = 0, engine = 1, bind = 2, host = 3 }
local lua_floor = { core = 0, kernel = 1, model = 2, policy = 2, run = 3, steps = 3,
  knowledge = 3, face = 4 }
-- The rooms of lua/orrery/run, a folder each, and where there is one a file of the folder's
-- name: each knows itself and those of lower numbers. What stands in no room is the run itself,
-- above them all.
local room = { graph = 0, secrets = 0, records = 0, services = 1, keys = 2, memo = 3,
  unchanged = 4, agents = 4, gates = 4, changes = 4, bundle = 4, body = 5 }
local RUN = 6
-- The public modules of orrery.* stand on the kernel's floor; what they start lazily on a
-- higher one is named here.
local lazy = {
  ["init"] = { ["orrery.model"] = true, ["orrery.run"] = true, ["orrery.face"] = false },
  ["cache"] = { ["orrery.model"] = true },
  ["schema"] = { ["orrery.knowledge"] = true },
  ["rules"] = { ["orrery.knowledge"] = true },
  ["skills"] = { ["orrery.model"] = true, ["orrery.run"] = true },
}

local function files(dir, ending)
  local p <close> = assert(io.popen("find " .. dir .. " -name '*." .. ending .. "' | sort"))
  local out = {}
  for l in p:lines() do out[#out + 1] = l end
  return out
end

local function read(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read("a")
end

-- The modules that a source requires, at once or when first needed.
local function requires(source)
  return coroutine.wrap(function()
    for _, how in ipairs({ "require", "lazy" }) do
      for module in source:gmatch(how .. '%(?%s*"(orrery[%w_%.]*)"') do coroutine.yield(module) end
    end
  end)
end

describe("the floors of the house", function()
  it("let C include only what is below or beside", function()
    local bad = {}
    for _, path in ipairs(files("core", "[ch]")) do
      local from = path:match("^core/(%w+)/")
      for to, rest in read(path):gmatch('#include "(%w+)/([^"]+)"') do
        if c_floor[to] and c_floor[to] > c_floor[from] then
          bad[#bad + 1] = path .. " includes " .. to .. "/" .. rest
        end
      end
    end
    assert.same({}, bad)
  end)

  it("keep Lua out of base and engine", function()
    local bad = {}
    for _, path in ipairs(files("core/base core/engine", "[ch]")) do
      if read(path):find("#include <lua", 1, true) then bad[#bad + 1] = path end
    end
    assert.same({}, bad)
  end)

  it("let Lua modules require only what is below or beside", function()
    local bad = {}
    for _, path in ipairs(files("lua/orrery", "lua")) do
      local from = path:match("^lua/orrery/([%w_]+)/")
      local name = path:match("^lua/orrery/([%w_]+)%.lua$")
      if from ~= "_meta" then
        local floor = from and lua_floor[from] or 1
        for module in requires(read(path)) do
          local to = module:match("^orrery%.([%w_]+)%.")
          local high = to and lua_floor[to] or 1
          local allowed = name and lazy[name] and lazy[name]["orrery." .. (to or "")]
          if high > floor and not allowed then bad[#bad + 1] = path .. " requires " .. module end
        end
      end
    end
    assert.same({}, bad)
  end)

  it("let the rooms of a run know only lower ones", function()
    local bad = {}
    for _, path in ipairs(files("lua/orrery/run", "lua")) do
      local from = path:match("^lua/orrery/run/([%w_]+)")
      local floor = room[from] or RUN
      for module in requires(read(path)) do
        local to = module:match("^orrery%.run%.([%w_]+)")
        local high = to and (room[to] or RUN) or -1
        if high > floor or high == floor and to ~= from and floor < RUN then
          bad[#bad + 1] = path .. " requires " .. module
        end
      end
    end
    assert.same({}, bad)
  end)

  it("hold no file over 500 lines", function()
    local bad = {}
    for _, list in ipairs({ files("core", "[ch]"), files("lua", "lua") }) do
      for _, path in ipairs(list) do
        local _, n = read(path):gsub("\n", "")
        if n > 500 then bad[#bad + 1] = path .. ": " .. n end
      end
    end
    assert.same({}, bad)
  end)
end)
