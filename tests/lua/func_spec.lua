local func = require("orrery.core.func")
local pack = require("orrery.core.pack")

-- A fresh environment, as a worker gives each task.
local function fresh()
  local env = {}
  for k, v in pairs(_G) do env[k] = v end
  env._G = env
  return env
end

local function travel(f, opts)
  local bytes = assert(func.dump(f, opts))
  return assert(func.load(bytes, fresh()))
end

local function info(f, opts)
  local bytes, i = func.dump(f, opts)
  assert(bytes, tostring(i))
  return i
end

local function refusal(f)
  local bytes, e = func.dump(f)
  assert.is_nil(bytes)
  return e.message
end

-- A function made from source: `return function …` after what is above it.
local function made(text)
  return assert(load(text, "@made.lua"))()
end

local function identity(text, opts)
  return info(made(text), opts).identity
end

describe("a function that travels", function()
  it("takes plain upvalues by value, null and array marks too", function()
    local n, x, s, t, no, yes = 41, 0.5, "a\0b", { 1, { k = "v" } }, nil, true
    local null, empty = pack.null, pack.array({})
    local f = travel(function() return n + 1, x, s, t[2].k, no, yes, null, empty, math.type(n) end)
    local r = table.pack(f())
    assert.are.same({ 42, 0.5, "a\0b", "v" }, { r[1], r[2], r[3], r[4] })
    assert.is_nil(r[5])
    assert.is_true(r[6])
    assert.are.equal(pack.null, r[7])
    assert.is_true(pack.is_array(r[8]))
    assert.are.equal("integer", r[9])
  end)

  it("keeps recursive functions recursive, mutually too", function()
    local function fact(n) return n < 2 and 1 or n * fact(n - 1) end
    local odd
    local function even(n) return n == 0 or odd(n - 1) end
    function odd(n) return n ~= 0 and even(n - 1) end
    local f = travel(function(n) return fact(n), even(n), odd(n) end)
    assert.are.same({ 120, false, true }, { f(5) })
  end)

  it("keeps a variable that two functions share shared", function()
    local count = 0
    local function up() count = count + 1 end
    local function get() return count end
    local f = travel(function() up() up() return get() end)
    assert.are.equal(2, f())
    assert.are.equal(0, count)
  end)

  it("keeps a table that two upvalues hold one table", function()
    local a = {}
    local b = { a = a }
    local f = travel(function() a.x = 7 return b.a.x end)
    assert.are.equal(7, f())
    assert.is_nil(a.x)
  end)

  it("takes tables of functions, and tables that reach themselves", function()
    local helpers = {}
    function helpers.twice(x) return x * 2 end
    function helpers.four(x) return helpers.twice(helpers.twice(x)) end
    helpers.self = helpers
    local f = travel(function(x) return helpers.self.four(x) end)
    assert.are.equal(12, f(3))
  end)

  it("gives closures made inside it their own variables", function()
    local f = travel(function()
      local n = 0
      return function() n = n + 1 return n end
    end)
    local a, b = f(), f()
    a()
    assert.are.equal(2, a())
    assert.are.equal(1, b())
  end)

  it("finds the library of the receiver, functions and tables", function()
    local format, str, m = string.format, string, math
    local bytes = assert(func.dump(function() return format("%d", 5), str.rep("x", 2), m.huge end))
    local env = fresh()
    env.string = { format = function() return "mine" end, rep = function() return "too" end }
    assert.are.same({ "mine", "too", math.huge }, { assert(func.load(bytes, env))() })
  end)

  it("reads and writes globals of the environment it is loaded into only", function()
    local g = _G
    local bytes = assert(func.dump(function() marker = 1 return g.there, there end)) -- luacheck: ignore
    local env = fresh()
    env.there = "here"
    assert.are.same({ "here", "here" }, { assert(func.load(bytes, env))() })
    assert.are.equal(1, env.marker)
    assert.is_nil(rawget(_G, "marker"))
  end)

  it("has its environment rebound wherever _ENV is among the upvalues", function()
    local a, b = 1, 2
    local f = travel(function() return a, b, tostring(a) end)
    assert.are.same({ 1, 2, "1" }, { f() })
    local plain = travel(function() return a + b end)
    assert.are.equal(3, plain())
  end)

  it("keeps lines for its error messages", function()
    local f = travel(made("\n\nreturn function() error('no') end"))
    local ok, message = pcall(f)
    assert.is_false(ok)
    assert.are.equal("made.lua:3: no", message)
  end)

  it("takes required modules by name, through the receiver's require", function()
    package.loaded["acme.util"] = { shout = function(s) return s:upper() end, file = io.stdout }
    local util = require("acme.util")
    local bytes, i = func.dump(function(s) return util.shout(s) end)
    package.loaded["acme.util"] = nil
    assert.are.same({ "acme.util" }, i.modules)
    local asked
    local env = fresh()
    env.require = function(name)
      asked = name
      return { shout = function(s) return s .. "!" end }
    end
    assert.are.equal("hi!", assert(func.load(bytes, env))("hi"))
    assert.are.equal("acme.util", asked)
  end)

  it("takes a member of a module by name when the module's digest is known", function()
    package.loaded["acme.db"] = { get = made("local conn = io.stdout return function() return conn end") }
    local get = require("acme.db").get
    local known = info(function() return get() end, { modules = { ["acme.db"] = "d1" } })
    local message = refusal(function() return get() end)
    package.loaded["acme.db"] = nil
    assert.are.same({ "acme.db" }, known.modules)
    assert.are.equal("upvalue 'conn' of 'get': cannot pass a userdata", message)
  end)

  it("says which module is not there on arrival", function()
    package.loaded["acme.gone"] = {}
    local gone = require("acme.gone")
    local bytes = assert(func.dump(function() return gone end))
    package.loaded["acme.gone"] = nil
    local f, e = func.load(bytes, fresh())
    assert.is_nil(f)
    assert.matches("module 'acme.gone' not found", e.message, 1, true)
  end)

  it("takes the wrapped libraries of its environment for the real ones", function()
    local env = { os = { getenv = function() return "wrapped" end }, mine = print }
    local f = assert(load("local g = os.getenv return function() return g('HOME') end", "@e", "t", env))()
    local bytes = assert(func.dump(f, { env = env }))
    assert.are.equal(os.getenv("HOME"), assert(func.load(bytes, fresh()))())
  end)
end)

describe("what cannot travel is named", function()
  it("a userdata, a coroutine, a stray C function, a metatable", function()
    local conn, co = io.stdout, coroutine.create(print)
    local stray, object = string.gmatch("a", "a"), setmetatable({}, { __index = {} })
    assert.are.equal("upvalue 'conn': cannot pass a userdata", refusal(function() return conn end))
    assert.are.equal("upvalue 'co': cannot pass a coroutine", refusal(function() return co end))
    assert.are.equal("upvalue 'stray': cannot pass a C function that no loaded module has",
      refusal(function() return stray end))
    assert.are.equal("upvalue 'object': cannot pass a table with a metatable",
      refusal(function() return object end))
  end)

  it("with its path into tables and functions", function()
    local conn = io.stdout
    local cfg = { db = { {}, { conn = conn } }, [true] = 1 }
    assert.are.equal("upvalue 'cfg': cannot pass a table with a boolean key",
      refusal(function() return cfg end))
    cfg[true] = nil
    assert.are.equal("upvalue 'cfg.db[2].conn': cannot pass a userdata",
      refusal(function() return cfg end))
    local tools = { open = function() return conn end }
    assert.are.equal("upvalue 'conn' of 'tools.open': cannot pass a userdata",
      refusal(function() return tools end))
  end)

  it("tables nested over 100 deep; a long chain of functions is fine", function()
    local deep = {}
    for _ = 1, 101 do deep = { deep } end
    assert.matches("nested too deep", refusal(function() return deep end), 1, true)
    local chain = function() return 0 end
    for _ = 1, 500 do
      local inner = chain
      chain = function() return inner() + 1 end
    end
    local f = travel(function() return chain() end)
    assert.are.equal(500, f())
  end)

  it("bytes that this process did not dump are never loaded", function()
    local bytes = assert(func.dump(function() return 1 end))
    for _, bad in ipairs({ "", "x", string.dump(function() end), bytes:sub(1, -2), bytes .. "x",
      bytes:sub(1, 40) .. string.char(bytes:byte(41) ~ 1) .. bytes:sub(42) }) do
      local f, e = func.load(bad, {})
      assert.is_nil(f)
      assert.are.equal("not a function that this process dumped", e.message)
    end
  end)
end)

describe("identity", function()
  local base = "local k = 3\nlocal function f(x) return x * k + print('a') end\nreturn f"

  it("is the same in 100 dumps, however the tables were filled", function()
    local seen = {}
    for i = 1, 100 do
      local t = {}
      for j = 1, 20 do
        local n = (i * j * 7) % 31
        t["k" .. n], t[n + 100], t[-n] = nil, nil, nil
      end
      for j = 20, 1, -1 do
        local n = (i + j) % 20
        t["k" .. n], t[n + 100], t[-n] = n, n, n
      end
      seen[info(function() return t end).identity] = true
    end
    local first = next(seen)
    assert.is_nil(next(seen, first))
  end)

  it("survives moving, comments, and locals above that are not captured", function()
    local want = identity(base)
    assert.are.equal(want, identity("\n\n-- moved\n" .. base))
    assert.are.equal(want, identity("local a, b, c = 1, 2, 3\n" .. base))
    assert.are.equal(want, identity("local k = 3\nlocal function f(x)\n-- why\n return x * k\n + print('a')"
      .. " end\nreturn f"))
    assert.are.equal(want, identity("local unused = 1 local k = 3\nlocal other = {}\n"
      .. "return function(x) return x * k + print('a') end"))
  end)

  it("survives all of this in functions nested in it and captured by it", function()
    local function text(above, inside)
      return above .. "local function helper(n) " .. inside .. " return n + 1 end\n" .. inside
        .. "return function(x) local y = x\n" .. inside .. "return function() return helper(y) end end"
    end
    local want = identity(text("", ""))
    assert.are.equal(want, identity(text("\nlocal z = 1\n", "\n\n--[[ c ]]\n")))
  end)

  it("changes with the code, a constant, an upvalue, a captured function", function()
    local want = identity(base)
    assert.are_not.equal(want, identity((base:gsub("x %* k", "x / k"))))
    assert.are_not.equal(want, identity((base:gsub("'a'", "'b'"))))
    assert.are_not.equal(want, identity((base:gsub("k = 3", "k = 4"))))
    assert.are_not.equal(want, identity((base:gsub("k = 3", "k = 3.0"))))
    assert.are_not.equal(identity("local function h() return 1 end return function() return h() end"),
      identity("local function h() return 2 end return function() return h() end"))
    assert.are_not.equal(identity("local function h() return 1 end return function() return function() return h() end end"),
      identity("local function h() return 2 end return function() return function() return h() end end"))
  end)

  it("tells lists, maps, marks, nil and null apart", function()
    local values = { {}, pack.array({}), { 1 }, { [2] = 1 }, { a = 1 }, { b = 1 }, pack.null, false,
      "", 0, 0.0, "0", { { 1 }, 2 }, { { 1, 2 } } }
    local seen, n = {}, 0
    for i = 1, #values do
      local v = values[i]
      local id = info(function() return v end).identity
      assert.is_nil(seen[id], ("value %d is taken for value %s"):format(i, seen[id]))
      seen[id], n = i, n + 1
    end
    assert.are.equal(#values, n)
  end)

  it("takes a library function by its name", function()
    assert.are_not.equal(identity("local f = string.upper return function(s) return f(s) end"),
      identity("local f = string.lower return function(s) return f(s) end"))
  end)

  it("follows the digest of a required module, and its name without one", function()
    package.loaded["acme.mod"] = {}
    local mod = require("acme.mod")
    local function f() return mod end
    local none = info(f).identity
    local one = info(f, { modules = { ["acme.mod"] = "d1" } }).identity
    local two = info(f, { modules = { ["acme.mod"] = "d2" } }).identity
    local other = info(f, { modules = { ["acme.else"] = "d2" } }).identity
    package.loaded["acme.mod"] = nil
    assert.are_not.equal(none, one)
    assert.are_not.equal(one, two)
    assert.are.equal(none, other)
  end)

  it("does not take the environment's contents", function()
    local want = identity(base)
    rawset(_G, "some_new_global", {})
    local now = identity(base)
    rawset(_G, "some_new_global", nil)
    assert.are.equal(want, now)
  end)
end)

describe("what is said about a function", function()
  it("each upvalue's digest changes with it alone", function()
    local function digests(a, b)
      local shared = {}
      return info(function() return a, b, shared end).upvalues
    end
    local x, y = digests({ 1 }, { shared = 2 }), digests({ 1, 2 }, { shared = 2 })
    assert.are_not.equal(x.a, y.a)
    assert.are.equal(x.b, y.b)
    assert.are.equal(x.shared, y.shared)
    assert.is_nil(x._ENV)
  end)

  it("outer locals it assigns, with the line, nested functions included", function()
    local i = info(made("local count, other, mine = 0, 0, 0\nreturn function()\n  local here = 1\n"
      .. "  here = here + other\n  count = count + 1\n  return function() here = 2\n mine = 3 end\nend"))
    assert.are.same({ count = 5, mine = 7 }, i.assigns)
  end)

  it("globals it reads and assigns, through functions it captured too", function()
    local i = info(made("local function h() return deep.x end\nreturn function()\n  made = 1\n"
      .. "  return print, function() return inner, h() end\nend"))
    assert.are.same({ "deep", "inner", "print" }, i.globals)
    assert.are.same({ made = 3 }, i.sets_globals)
  end)

  it("globals past the 255th constant", function()
    local text = { "return function()\n" }
    for n = 1, 300 do text[#text + 1] = ("v%d = u%d\n"):format(n, n) end
    local i = info(made(table.concat(text) .. "end"))
    assert.are.equal(300, #i.globals)
    assert.are.equal(301, i.sets_globals.v300)
    assert.are.equal(2, i.sets_globals.v1)
  end)

  it("lines in a function longer than the line deltas reach", function()
    local i = info(made("local c\nreturn function()\n" .. ("\n"):rep(400) .. "c = 1\n"
      .. ("local x = 1\n"):rep(180) .. "end"))
    assert.are.same({ c = 403 }, i.assigns)
  end)

  it("where it is", function()
    assert.are.equal("made.lua:2", info(made("\nreturn function() end")).source)
  end)

  it("of a function without debug info, too", function()
    local a, b = 1, 2
    local f = function() return a, b, tostring(a) end
    local bare = load(string.dump(f, true), "=bare", "b")
    debug.setupvalue(bare, 1, 1)
    debug.setupvalue(bare, 2, 2)
    debug.setupvalue(bare, 3, _G)
    local i = info(bare)
    assert.are.same({ "tostring" }, i.globals)
    assert.is_string(i.upvalues["(no name)"])
    assert.is_string(i.upvalues["(no name)#2"])
    assert.are.equal(info(f).identity, i.identity)
    assert.are.same({ 1, 2, "1" }, { travel(bare)() })
  end)
end)

describe("misuse", function()
  it("raises and names the function", function()
    assert.has_error(function() func.dump(1) end)
    local ok, message = pcall(func.dump, 1)
    assert.is_false(ok)
    assert.matches("bad argument #1 to 'orrery.core.func.dump'", message, 1, true)
    assert.has_error(function() func.load("x") end)
  end)
end)
