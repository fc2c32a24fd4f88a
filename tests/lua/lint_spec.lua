-- Rules of the house that a reader should not have to check: every name C gives to Lua is
-- documented, every public function has a comment, and nothing of a desk is left in the tree.
local fs = require("orrery.fs")

local function read(path) return fs.read(path) end

local function contract()
  local text = {}
  for _, path in ipairs(fs.glob("lua/orrery/_meta/*.lua")) do text[#text + 1] = read(path) end
  return table.concat(text, "\n")
end

-- The names of the luaL_Reg tables of a C source: table → names.
local function bound_names(source)
  local tables = {}
  for name, body in source:gmatch("luaL_Reg%s+([%w_]+)%[%]%s*=%s*(%b{})") do
    local list = {}
    for word in body:gmatch('{%s*"([%w_]+)"') do
      if not word:find("^__") then list[#list + 1] = word end
    end
    tables[name] = list
  end
  return tables
end

describe("names that core/bind gives to Lua", function()
  local text = contract()
  for _, path in ipairs(fs.glob("core/bind/l_*.c")) do
    local tables = bound_names(read(path))
    if next(tables) then
      it(path:match("[^/]+$") .. " are in the contract", function()
        local missing = {}
        for _, names in pairs(tables) do
          for _, name in ipairs(names) do
            local known = text:find("@field " .. name .. "%f[^%w_]")
              or text:find("function [%w_%.]+[%.:]" .. name .. "%(")
              or text:find("[%w_]+%." .. name .. "%s*=")
            if not known then missing[#missing + 1] = name end
          end
        end
        table.sort(missing)
        assert.same({}, missing)
      end)
    end
  end

  it("are found at all", function()
    local names = bound_names(read("core/bind/l_hash.c"))
    assert.is_truthy(next(names))
  end)
end)

describe("public functions", function()
  it("have a comment each", function()
    local bad = {}
    for _, path in ipairs(fs.glob("lua/orrery/*.lua")) do
      local before = ""
      for line in read(path):gmatch("([^\n]*)\n") do
        local public = line:match("^function [%w_]+[%.:][%w_]+%(")
        if public and not before:find("^%-%-%-") then bad[#bad + 1] = path .. ": " .. line end
        before = line
      end
    end
    assert.same({}, bad)
  end)
end)

describe("the files of the project", function()
  local desk = { "/wor" .. "k/", "/tmp/" .. "studio", "/tmp/" .. "brief" }
  local later = { "TO" .. "DO", "FIX" .. "ME", "XX" .. "X" }

  local function each(visit)
    for _, path in ipairs(fs.glob({ "core/**", "lua/**", "tests/**", "scripts/**", "docs/**",
      "bench/**", "workflows/**", ".ci/**", "*.md", "*.txt", "!**/*.{png,gz,bin}" })) do
      visit(path, read(path))
    end
  end

  it("name no folder of the machine they were written on", function()
    local bad = {}
    each(function(path, text)
      for _, word in ipairs(desk) do
        -- A word that begins with it, so that …/network/ or a test's own path is none.
        for at in text:gmatch("()" .. word:gsub("%p", "%%%0")) do
          if at == 1 or not text:sub(at - 1, at - 1):find("[%w_%.%-*}]") then
            bad[#bad + 1] = path .. ": " .. text:sub(at, at + 30):match("[^\n]*")
          end
        end
      end
    end)
    assert.same({}, bad)
  end)

  it("leave nothing for later", function()
    local bad = {}
    each(function(path, text)
      for _, word in ipairs(later) do
        if text:find("%f[%w_]" .. word .. "%f[^%w_]") then bad[#bad + 1] = path .. ": " .. word end
      end
    end)
    assert.same({}, bad)
  end)
end)
