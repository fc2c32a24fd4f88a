local core = require("orrery.core.pool")
local fs = require("orrery.core.fs")
local func = require("orrery.core.func")
local pack = require("orrery.core.pack")

local pool, root

local function write(rel, text)
  assert(fs.write_atomic(root .. "/" .. rel, text))
end

local function configure(more)
  local config = { root = root, cwd = root, path = "lua/?.lua;lua/?/init.lua" }
  for k, v in pairs(more or {}) do config[k] = v end
  assert(pool:configure(pack.encode(config)))
end

before_each(function()
  root = os.tmpname()
  os.remove(root)
  for _, dir in ipairs { "lua", "sub" } do assert(fs.mkdir(root .. "/" .. dir)) end
  root = fs.realpath(root)
  pool = assert(core.open({ threads = 1 }))
  configure()
end)

after_each(function()
  pool:close()
  fs.remove_tree(root)
end)

local NOTHING = { log = "", reads = {}, looks = {}, env = {}, impure = {} }

-- The value of a function and what it did.
local function run(f, ...)
  assert(pool:submit(assert(func.dump(f, { info = false })), assert(pack.encode({ ... }))))
  assert.is_true(pool:wait())
  local _, ok, value, facts = pool:take()
  value = pack.decode(value)
  assert.is_true(ok, not ok and value.message)
  return value, facts == "" and NOTHING or pack.decode(facts)
end

local function facts_of(f, ...) return (select(2, run(f, ...))) end

describe("what a function reads", function()
  it("is nothing when it only computes", function()
    local value, facts = run(function(x)
      return { string.rep("a", x), table.concat({ 1, 2 }), math.floor(2.5), #utf8.char(228),
        select("#", pcall(error)), require("orrery.core.hash").sha256("") }
    end, 3)
    assert.are.equal("aaa", value[1])
    assert.are.same(NOTHING, facts)
  end)

  it("is recorded for files, relative to the root, also when they are not there", function()
    write("a.txt", "A")
    local value, facts = run(function()
      local h = io.open("a.txt")
      local text = h:read("a")
      h:close()
      local lines = {}
      for line in io.lines("sub/../a.txt") do lines[#lines + 1] = line end
      return { text, lines, io.open("none.txt") == nil, io.open("/etc/passwd") ~= nil }
    end)
    assert.are.same({ "A", { "A" }, true, true }, value)
    assert.are.same({ "/etc/passwd", "a.txt", "none.txt" }, facts.reads)
    assert.are.same({}, facts.impure)
  end)

  it("is recorded for fs and hash", function()
    write("sub/a.txt", "A")
    local value, facts = run(function()
      local files = require("orrery.core.fs")
      return { files.read("sub/a.txt"), files.stat("sub").type, files.list("sub"),
        files.glob("*.txt", { root = "sub" }), #require("orrery.core.hash").file("sub/a.txt"),
        files.normal("a/../b") }
    end)
    assert.are.same({ "A", "dir", { "a.txt" }, { "a.txt" }, 64, "b" }, value)
    assert.are.same({ "sub/a.txt" }, facts.reads)
    assert.are.same({ { kind = "glob", path = "sub", patterns = { "*.txt" } },
      { kind = "list", path = "sub" }, { kind = "stat", path = "sub" } }, facts.looks)
    assert.are.same({}, facts.impure)
  end)

  it("begins at the job's directory", function()
    write("sub/a.txt", "A")
    configure({ cwd = root .. "/sub" })
    local value, facts = run(function()
      return { io.open("a.txt"):read("a"), require("orrery.core.fs").read("a.txt"),
        io.popen("cat a.txt"):read("a") }
    end)
    assert.are.same({ "A", "A", "A" }, value)
    assert.are.same({ "sub/a.txt" }, facts.reads)
  end)

  it("is recorded for environment variables", function()
    local value, facts = run(function() return { os.getenv("HOME"), os.getenv("ORR_NONE") == nil } end)
    assert.are.same({ os.getenv("HOME"), true }, value)
    assert.are.same({ "HOME", "ORR_NONE" }, facts.env)
  end)

  it("is recorded through captured library functions, load and dofile", function()
    write("a.txt", "A")
    write("chunk.lua", "return os.getenv('PATH')")
    local open, getenv = io.open, os.getenv
    local facts = facts_of(function()
      open("a.txt"):close()
      getenv("HOME")
      load("os.getenv('LANG')")()
      dofile("chunk.lua")
    end)
    assert.are.same({ "a.txt", "chunk.lua" }, facts.reads)
    assert.are.same({ "HOME", "LANG", "PATH" }, facts.env)
  end)

  it("is told when the function failed, too", function()
    write("a.txt", "A")
    assert(pool:submit(func.dump(function()
      print("so far")
      io.open("a.txt"):close()
      error("no")
    end), pack.encode({})))
    assert.is_true(pool:wait())
    local _, ok, _, facts = pool:take()
    assert.is_false(ok)
    facts = pack.decode(facts)
    assert.are.equal("so far\n", facts.log)
    assert.are.same({ "a.txt" }, facts.reads)
  end)
end)

describe("what makes a result no function of its inputs", function()
  local function impure(f) return facts_of(f).impure end

  it("is the clock", function()
    assert.are.same({ clock = "os.time" }, impure(function() return os.time() end))
    assert.are.same({ clock = "os.clock" }, impure(function() return os.clock() end))
    assert.are.same({ clock = "os.date" }, impure(function() return os.date("%Y") end))
    assert.are.same({ clock = "core.sys.wall" },
      impure(function() return require("orrery.core.sys").wall() end))
  end)

  it("is not the time of a given date, which depends on TZ", function()
    local value, facts = run(function()
      return os.date("!%Y", os.time({ year = 2001, month = 6, day = 1 }))
    end)
    assert.are.equal("2001", value)
    assert.are.same({}, facts.impure)
    assert.are.same({ "TZ" }, facts.env)
  end)

  it("is randomness, a process, writing", function()
    assert.are.same({ random = "math.random" }, impure(function() return math.random(5) end))
    assert.are.same({ random = "core.sys.random" },
      impure(function() return require("orrery.core.sys").random(4) end))
    assert.are.same({ process = "io.popen" }, impure(function() io.popen("true"):close() end))
    assert.are.same({ process = "os.execute" }, impure(function() os.execute("true") end))
    assert.are.same({ write = "io.open" }, impure(function() io.open("o.txt", "w"):close() end))
    assert.are.same({ write = "fs.append" },
      impure(function() require("orrery.core.fs").append("o.txt", "x") end))
    assert.are.same({ write = "os.remove" }, impure(function() os.remove("o.txt") end))
    assert.is_nil(fs.stat(root .. "/o.txt"))
  end)
end)

describe("what a function prints", function()
  it("is its log, whatever way it printed", function()
    local facts = facts_of(function()
      print("a", 1, nil)
      io.write("b", 2, "\n")
      io.stdout:write("c"):write("\n")
      io.stderr:write("d\n")
      io.output():write("e\n")
      warn("f")
      assert(io.type(io.stdout) == "file")
    end)
    assert.are.equal("a\t1\tnil\nb2\nc\nd\ne\nwarning: f\n", facts.log)
    assert.are.same({}, facts.impure)
  end)

  it("goes to a file after io.output, for this job only", function()
    local facts = facts_of(function()
      io.output("o.txt")
      io.write("in the file")
      io.close()
      io.write("in the log")
    end)
    assert.are.equal("in the log", facts.log)
    assert.are.equal("in the file", fs.read(root .. "/o.txt"))
    assert.are.equal("next", facts_of(function() io.write("next") end).log)
  end)

  it("is cut at 8 MiB, and says so", function()
    local log = facts_of(function() for _ = 1, 20 do print(("x"):rep(1 << 20)) end end).log
    assert.is_true(#log < (8 << 20) + 100)
    assert.matches("%[the rest of the log was dropped%]\n$", log)
  end)
end)

describe("modules on a worker", function()
  it("are found in the submitter's path, each file of them read", function()
    write("lua/util.lua", "local deep = require('deep.er') return { n = deep.n + 1 }")
    assert(fs.mkdir(root .. "/lua/deep"))
    write("lua/deep/er.lua", "return { n = 41, name = ... }")
    for _ = 1, 2 do
      local value, facts = run(function() return { require("util").n, require("deep.er").name } end)
      assert.are.same({ 42, "deep.er" }, value)
      assert.are.same({ "lua/deep/er.lua", "lua/util.lua" }, facts.reads)
    end
  end)

  it("tell what their loading read to every job that requires them", function()
    write("lua/conf.lua", "return { text = io.open('conf.txt'):read('a'), home = os.getenv('HOME') }")
    write("conf.txt", "one")
    for _ = 1, 2 do
      local value, facts = run(function() return require("conf").text end)
      assert.are.equal("one", value)
      assert.are.same({ "conf.txt", "lua/conf.lua" }, facts.reads)
      assert.are.same({ "HOME" }, facts.env)
    end
  end)

  it("are the ones a function captured", function()
    write("lua/util.lua", "return { twice = function(x) return 2 * x end }")
    package.loaded.util = { twice = function() error("of the wrong state") end }
    local util = require("util")
    local value, facts = run(function(x) return util.twice(x) end, 4)
    package.loaded.util = nil
    assert.are.equal(8, value)
    assert.are.same({ "lua/util.lua" }, facts.reads)
  end)

  it("are loaded anew when their file, or one they require, changed", function()
    write("lua/top.lua", "return { v = require('leaf') }")
    write("lua/leaf.lua", "return 'old'")
    assert.are.equal("old", run(function() return require("top").v end))
    write("lua/leaf.lua", "return 'newer'")
    assert.are.equal("newer", run(function() return require("top").v end))
    write("lua/top.lua", "return { v = 'top' }")
    assert.are.equal("top", run(function() return require("top").v end))
  end)

  it("are loaded anew when a place before theirs is taken", function()
    configure({ path = "sub/?.lua;lua/?.lua" })
    write("lua/util.lua", "return 'second'")
    local value, facts = run(function() return require("util") end)
    assert.are.equal("second", value)
    assert.are.same({ "lua/util.lua", "sub/util.lua" }, facts.reads)
    write("sub/util.lua", "return 'first'")
    assert.are.equal("first", run(function() return require("util") end))
  end)

  it("are loaded anew when the digest the submitter knows changed", function()
    write("lua/count.lua", "local n = 0 return function() n = n + 1 return n end")
    local function count() return require("count")() end
    configure({ modules = { count = "d1" } })
    assert.are.equal(1, run(count))
    assert.are.equal(2, run(count))
    configure({ modules = { count = "d1", other = "d9" } })
    assert.are.equal(3, run(count))
    configure({ modules = { count = "d2" } })
    assert.are.equal(1, run(count))
  end)

  it("keep their globals to themselves", function()
    write("lua/util.lua", "shared = 1 return function() return shared end")
    assert.are.same({ 1, "nil" }, run(function()
      return { require("util")(), type(shared) } -- luacheck: ignore
    end))
  end)

  it("that are missing, broken or circular say so", function()
    write("lua/broken.lua", "return return")
    write("lua/me.lua", "return require('me')")
    local value = run(function()
      local function why(name) return select(2, pcall(require, name)) end
      return { why("none"), why("broken"), why("me") }
    end)
    assert.matches("module 'none' not found:\n\tno file 'lua/none.lua'", value[1], 1, true)
    assert.matches("lua/broken.lua:1: ", value[2], 1, true)
    assert.matches("module 'me' requires itself", value[3], 1, true)
  end)

  it("are the standard ones of the job, too", function()
    assert.are.same({ true, true, "table" }, run(function()
      return { require("string") == string, require("_G") == _G, type(require("cjson")) }
    end))
  end)
end)

describe("pairs on a worker", function()
  it("goes in the order of the keys, by __pairs, and through keys without one", function()
    local value = run(function()
      local out, n = {}, 0
      for k in pairs { c = 1, a = 1, b = 1, 9, [true] = 1 } do out[#out + 1] = tostring(k) end
      for k in pairs(setmetatable({}, { __pairs = function() return next, { z = 1 } end })) do
        out[#out + 1] = k
      end
      for _ in pairs { [{}] = 1, [print] = 1, a = 1 } do n = n + 1 end
      out[#out + 1] = n
      return out
    end)
    assert.are.same({ "1", "a", "b", "c", "true", "z", 3 }, value)
  end)
end)
