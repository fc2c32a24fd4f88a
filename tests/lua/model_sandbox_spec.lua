local config = require("orrery.model.config")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local load = require("orrery.model.load")
local project = dofile("tests/lua/project.lua")
local sandbox = require("orrery.model.sandbox")

local head = 'local o = require("orrery")\n'

-- The value of an expression inside a box.
local function value(text, opts)
  return sandbox.new(opts or { root = "/" }):evaluate(text, "x.lua")
end

local function refusal(text)
  local ok, e = pcall(value, text)
  assert.is_false(ok)
  return e
end

describe("the environment of a workflow file", function()
  it("pairs and next go in sorted order", function()
    assert.are.equal("1 2 a b c ", value([[
      local s = ""
      for k in pairs { c = 1, a = 1, b = 1, 9, 8 } do s = s .. k .. " " end
      return s]]))
    assert.are.equal("1 a b ", value([[
      local s, t, k = "", { b = 1, a = 1, 9 }, nil
      repeat k = next(t, k) if k then s = s .. k .. " " end until not k
      return s]]))
    assert.is_nil(value("return next({})"))
  end)

  it("pairs honours __pairs", function()
    assert.are.equal(7, value([[
      for k in pairs(setmetatable({}, { __pairs = function() return function(_, k)
        return not k and 7 or nil end end })) do return k end]]))
  end)

  it("has no clock, randomness, processes, writing, debug or C modules", function()
    for expression, name in pairs { ["os.time()"] = "os.time", ["os.clock()"] = "os.clock",
      ["os.execute('x')"] = "os.execute", ["os.tmpname()"] = "os.tmpname",
      ["io.popen('x')"] = "io.popen", ["io.open('x', 'w')"] = "io.open",
      ["math.random()"] = "math.random", ["debug.getinfo(1)"] = "debug.getinfo",
      ["package.loadlib('x', 'y')"] = "package.loadlib" } do
      assert.truthy(refusal("return " .. expression):find("x.lua:1: " .. name
        .. " is not there while a workflow loads", 1, true))
    end
    assert.truthy(refusal("dofile('x')"):find("dofile is not there", 1, true))
    assert.truthy(refusal("return string.dump(print)"):find("nil value (field 'dump')", 1, true))
    assert.truthy(refusal("return require('lfs')"):find("module 'lfs' not found", 1, true))
  end)

  it("refuses modules that act, and lets those that compute", function()
    assert.truthy(refusal("require('orrery.fs').write_atomic('x', 'y')")
      :find("x.lua:1: fs.write_atomic is not there", 1, true))
    assert.truthy(refusal("require('orrery.git').diff('HEAD')")
      :find("git.diff is not there while a workflow loads", 1, true))
    assert.truthy(refusal("require('orrery.time').now()"):find("time.now is not there", 1, true))
    assert.truthy(refusal("require('orrery.core.fs')"):find("no module 'orrery.core.fs'", 1, true))
    assert.are.equal(5400, value("return require('orrery.time').parse('1h30m')"))
    assert.are.equal("[1]", value("return require('orrery.json').encode({ 1 })"))
  end)

  it("prints no addresses", function()
    assert.are.equal("table function table", value(
      "return tostring({}) .. ' ' .. tostring(print) .. ' ' .. ('%s'):format({})"))
    assert.truthy(refusal("return ('%p'):format({})"):find("%p prints an address", 1, true))
    assert.truthy(refusal("return string.format('%-5p', {})"):find("%p prints", 1, true))
    assert.are.equal("%p 1", value("return ('%%p %d'):format(1)"))
    assert.are.equal("0x", ("%p"):format({}):sub(1, 2))
  end)

  it("cannot be loosened from inside", function()
    assert.truthy(refusal("setmetatable(_G, nil) x = 1"):find("protected metatable", 1, true))
    assert.is_nil(value("return getmetatable('')"))
    assert.truthy(refusal("return load('\\27Lua')()"):find("attempt to call a nil value", 1, true))
    assert.are.equal(3, value("return load('return 1 + 2')()"))
    assert.truthy(refusal("load('y = 1')()"):find("'y' would be a global", 1, true))
  end)

  it("changing the constructors of one file changes no other", function()
    value("require('orrery').step = nil")
    assert.are.equal("a", value("return require('orrery').step('a', {}).id"))
  end)

  it("o.run belongs to scripts", function()
    assert.truthy(refusal("require('orrery').run('x')")
      :find("o.run is for scripts and the REPL", 1, true))
  end)
end)

describe("a file that never returns", function()
  local function ends(text)
    local ok, e = pcall(value, text, { root = "/", instructions = 3000000 })
    assert.is_false(ok)
    assert.truthy(e:find("x.lua:1: no end after 3 million instructions; is there an endless loop?",
      1, true))
  end

  it("is ended by its instructions", function() ends("while true do end") end)

  it("also inside pcall and in coroutines", function()
    ends("while true do pcall(function() while true do end end) end")
    ends("coroutine.wrap(function() while true do end end)()")
  end)

  it("is ended when the caller says stop", function()
    local ok, e = pcall(value, "while true do end", { root = "/",
      stop = function() return true end })
    assert.is_false(ok)
    assert.are.equal("x.lua:1: interrupted", e)
  end)

  it("leaves no hook and no string methods behind", function()
    pcall(value, "error('x')")
    assert.is_nil(debug.gethook())
    assert.are.equal(string, getmetatable("").__index)
  end)
end)

describe("reads of a load", function()
  local function reads(text, files)
    return project.load(head .. text .. '\nreturn o.workflow "x" { steps = {} }',
      { files = files }).reads
  end

  it("files, absences, globs and the environment are recorded", function()
    local r = reads([[
local fs = require("orrery.fs")
assert(fs.read("VERSION") == "1")
assert(not fs.exists("nothing"))
assert(#fs.glob("src/*.c") == 1)
assert(fs.stat("src").type == "dir")
assert(os.getenv("ORRERY_NO_SUCH_NAME") == nil)]], { VERSION = "1", ["src/a.c"] = "" })
    assert.are.equal(hash.sha256("1"), r.files.VERSION)
    assert.is_string(r.files["workflows/x.lua"])
    assert.is_true(r.absent.nothing)
    assert.is_true(r.absent["orrery.lua"])
    assert.are.equal("src/*.c", r.globs[1].patterns)
    assert.is_table(r.globs[1].dirs)
    assert.is_false(r.env.ORRERY_NO_SUCH_NAME)
    assert.truthy(r.stats.src:find("^dir "))
  end)

  it("modules are recorded with the places tried in vain", function()
    local r = reads('assert(require("m.n") == 5)', { ["workflows/m/n.lua"] = "return 5" })
    assert.are.equal(hash.sha256("return 5"), r.modules["m.n"])
    assert.is_true(r.absent["lua/m/n.lua"])
    assert.is_string(r.files["workflows/m/n.lua"])
  end)

  it("a module's digest covers what it requires", function()
    local function digest(inner)
      local wf = project.load(head .. 'require("a") return o.workflow "x" { steps = {} }',
        { files = { ["lua/a.lua"] = 'return require("b")', ["lua/b.lua"] = inner } })
      return wf.box.digests.a
    end
    assert.are_not.equal(digest("return 1"), digest("return 2"))
    assert.are.equal(digest("return 1"), digest("return 1"))
  end)

  it("a file that cannot be read raises with its place", function()
    assert.truthy(project.says(head .. 'require("orrery.fs").read("none.txt")')
      :find("^x.lua:2: error: .*none.txt"))
  end)

  it("a module that requires itself is an error", function()
    assert.truthy(project.says(head .. 'require("a")', { files = {
      ["lua/a.lua"] = 'require("b")', ["lua/b.lua"] = 'require("a")' } })
      :find("module 'a' requires itself", 1, true))
  end)
end)

describe("a workflow file is text", function()
  it("bytecode is refused by its first byte", function()
    assert.are.equal("x.lua: error: this is bytecode; a workflow file is text",
      project.says(string.dump(function() end)))
  end)

  it("a NUL byte is named by line", function()
    assert.are.equal("x.lua:2: error: the file contains a NUL byte; a workflow file is text",
      project.says("-- a\n\0"))
  end)

  it("a file of 100 MB and a directory are refused", function()
    assert.are.equal("x.lua: error: the file has 95 MiB; a workflow file has at most 16",
      project.says((" "):rep(100000000)))
    local ok, e = pcall(project.load, "", { files = { ["workflows/d.lua/x"] = "" },
      file = "y.lua" })
    assert.is_false(ok)
    assert.are.equal("invalid", e.code)
    project.with({ ["workflows/d.lua/x"] = "" }, function(root)
      local fine, why = pcall(load.file, "workflows/d.lua", { root = root })
      assert.is_false(fine)
      assert.are.equal("workflows/d.lua: error: this is a directory; a workflow is a file",
        why.message)
    end)
  end)

  it("a byte order mark and a #! line are skipped, lines stay", function()
    assert.are.equal("x.lua:2: error: y", project.says('\239\187\191#!/bin/x\nerror("y")'))
  end)

  it("an error value that is a table is shown as text", function()
    assert.are.equal("x.lua: error: table", (project.says("error({})"):gsub("0x%x+", "")
      :gsub(": table: .*$", ": table")))
  end)
end)

describe("the root", function()
  it("is the nearest directory with workflows, orrery.lua or .git, but none with a dot", function()
    project.with({ ["pkg/workflows/a.lua"] = "", ["pkg/src/x"] = "", ["sub/.git/HEAD"] = "",
      [".github/workflows/ci.yml"] = "", ["other/x"] = "" }, function(root)
      assert.are.equal(root, config.root(root .. "/other"))
      assert.are.equal(root .. "/pkg", config.root(root .. "/pkg/src"))
      assert.are.equal(root .. "/sub", config.root(root .. "/sub"))
      assert.are.equal(root, config.root(root .. "/.github"))
    end)
  end)

  it("without any the directory itself", function()
    project.with({ ["a/b/x"] = "" }, function(root)
      fs.remove_tree(root .. "/workflows")
      assert.are.equal(root .. "/a/b", config.root(root .. "/a/b"))
    end)
  end)
end)

describe("orrery.lua", function()
  local function read(text)
    return project.with({ ["orrery.lua"] = text }, function(root)
      local ok, c = pcall(config.load, root)
      return ok and c or c.message
    end)
  end

  it("gives defaults, path, resources and secrets, normalised", function()
    local c = read('return { default = "site", path = { "vendor/x/" }, resources = { mem = "4G" }, '
      .. 'secrets = { "TOKEN" }, dotenv = ".env" }')
    assert.are.equal("site", c.default)
    assert.are.same({ "vendor/x" }, c.path)
    assert.are.equal(4 << 30, c.resources.mem)
    assert.are.same({ TOKEN = { env = "TOKEN" } }, c.secrets)
    assert.are.same({ ".env" }, c.dotenv)
  end)

  it("an unknown field and a wrong type are errors", function()
    assert.are.equal("orrery.lua:2: error: unknown field 'defalt' in orrery.lua; did you mean "
      .. "'default'?", read('return {\n  defalt = "x" }'))
    assert.are.equal("orrery.lua:1: error: 'path' must be a table, not a string",
      read('return { path = "x" }'))
    assert.are.equal("orrery.lua: error: the file returned nothing; it should: return "
      .. "{ default = … }", read(""))
  end)
end)
