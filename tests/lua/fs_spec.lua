-- fs: files, trees and patterns; git is the oracle for ignore files.
local core = require("orrery.core.fs")
local fs = require("orrery.fs")

local function sh(command)
  local p <close> = assert(io.popen(command))
  return p:read("a")
end

describe("fs", function()
  local dir

  before_each(function()
    dir = sh("mktemp -d"):gsub("\n", "")
  end)

  after_each(function()
    fs.remove_tree(dir)
  end)

  local function make(files)
    for path, text in pairs(files) do
      assert(core.safe_parent(dir, path))
      fs.write_atomic(dir .. "/" .. path, text)
    end
  end

  local function code_of(f, ...)
    local ok, err = pcall(f, ...)
    assert.is_false(ok)
    return err.code, err.message
  end

  it("writes and reads exact bytes", function()
    local bytes = "a\0b\r\n\xff" .. ("x"):rep(100000)
    fs.write_atomic(dir .. "/f", bytes, { sync = true })
    assert.are.equal(bytes, fs.read(dir .. "/f"))
    assert.are.equal("a\0b", fs.read(dir .. "/f", 3))
    assert.are.equal("", fs.read(dir .. "/f", 0))
    fs.append(dir .. "/f", "!")
    assert.are.equal(bytes .. "!", fs.read(dir .. "/f"))
  end)

  it("keeps the mode of a file it replaces, and leaves nothing beside it", function()
    fs.write_atomic(dir .. "/f", "1", { mode = tonumber("750", 8) })
    fs.write_atomic(dir .. "/f", "2")
    assert.are.equal(tonumber("750", 8), fs.stat(dir .. "/f").mode)
    fs.mkdir(dir .. "/d")
    assert.are.equal("EISDIR", (code_of(fs.write_atomic, dir .. "/d", "x")))
    assert.are.same({ "d", "f" }, fs.list(dir))
  end)

  it("replaces a symlink instead of writing through it", function()
    make { real = "old" }
    fs.symlink("real", dir .. "/link")
    fs.write_atomic(dir .. "/link", "new")
    assert.are.equal("old", fs.read(dir .. "/real"))
    assert.are.equal("file", fs.lstat(dir .. "/link").type)
  end)

  it("raises what fails, with a code and the path", function()
    local code, message = code_of(fs.read, dir .. "/nope")
    assert.are.equal("ENOENT", code)
    assert.are.equal("cannot read " .. dir .. "/nope: No such file or directory", message)
    assert.are.equal("ENOENT", (code_of(fs.list, dir .. "/nope")))
    assert.are.equal("EISDIR", (code_of(fs.read, dir)))
    assert.has_error(function() fs.read("a\0b") end)
    assert.has_error(function() fs.glob("*", { rot = 1 }) end)
  end)

  it("answers absence with nil and false", function()
    assert.is_nil(fs.stat(dir .. "/nope"))
    assert.is_nil(fs.lstat(dir .. "/nope/x"))
    assert.is_false(fs.exists(dir .. "/nope"))
    fs.symlink("nowhere", dir .. "/dangling")
    assert.is_false(fs.exists(dir .. "/dangling"))
    assert.are.equal("link", fs.lstat(dir .. "/dangling").type)
    assert.is_true(fs.exists(dir))
  end)

  it("copies files with their mode and symlinks as symlinks", function()
    fs.write_atomic(dir .. "/a", "text", { mode = tonumber("741", 8) })
    fs.symlink("a", dir .. "/l")
    fs.copy(dir .. "/a", dir .. "/b")
    fs.copy(dir .. "/l", dir .. "/m")
    assert.are.equal("text", fs.read(dir .. "/b"))
    assert.are.equal(tonumber("741", 8), fs.stat(dir .. "/b").mode)
    assert.are.equal("a", fs.readlink(dir .. "/m"))
    fs.copy("/proc/self/stat", dir .. "/p")
    assert.is_true(#fs.read(dir .. "/p") > 0)
    assert.are.equal("EINVAL", (code_of(fs.copy, dir, dir .. "/x")))
  end)

  it("removes a tree without following symlinks", function()
    make { ["t/a/b"] = "", ["keep/x"] = "" }
    fs.symlink("../keep", dir .. "/t/link")
    fs.remove_tree(dir .. "/t")
    fs.remove_tree(dir .. "/t")
    assert.are.same({ "x" }, fs.list(dir .. "/keep"))
    assert.are.equal("ENOTEMPTY", (code_of(fs.remove, dir .. "/keep")))
  end)

  it("puts a relative path below a root, and asks for none otherwise", function()
    assert.are.equal("/r/a/../b\0c", core.at("/r", "a/../b\0c"))
    assert.are.equal("/r/", core.at("/r", ""))
    assert.are.equal("/x", core.at("/r", "/x"))
    assert.are.equal("/x", core.at(nil, "/x"))
    assert.matches("bad argument #1 to 'orrery.core.fs.at'",
      select(2, pcall(core.at, nil, "x")), 1, true)
  end)

  it("makes parents inside the root only", function()
    fs.symlink("/tmp", dir .. "/out")
    fs.mkdir(dir .. "/real")
    fs.symlink("real", dir .. "/in")
    local function unsafe(rel)
      local ok, err = core.safe_parent(dir, rel)
      assert.is_nil(ok)
      return err.code
    end
    assert.are.equal("EUNSAFE", unsafe("out/x/y"))
    assert.are.equal("EUNSAFE", unsafe("../x"))
    assert.are.equal("EUNSAFE", unsafe("a/../../x"))
    assert.are.equal("EUNSAFE", unsafe("/etc/x"))
    assert(core.safe_parent(dir, "in/p/q"))
    assert.are.equal("dir", fs.stat(dir .. "/real/p").type)
    assert.is_nil(fs.stat(dir .. "/real/p/q"))
  end)

  it("finds files by patterns, sorted, and says what that rests on", function()
    make { ["src/b.c"] = "", ["src/a.c"] = "", ["src/x/c.h"] = "", ["doc/i.md"] = "",
      [".gitignore"] = "*.md\n" }
    local found, facts = fs.glob({ "src/**/*.{c,h}", "!src/b.c" }, { root = dir })
    assert.are.same({ "src/a.c", "src/x/c.h" }, found)
    assert.are.same({ ".", "src", "src/x" }, facts.dirs)
    assert.are.same({ ".gitignore" }, facts.ignore_files)
    assert.are.same({}, (fs.glob("doc/*.md", { root = dir })))
    assert.are.same({ "doc/i.md" }, (fs.glob("doc/*.md", { root = dir, ignore = false })))
    assert.are.same({ "doc/i.md" }, (fs.glob("doc/i.md", { root = dir })))
  end)

  it("matches dot files unless told not to", function()
    make { [".eslintrc"] = "", ["a"] = "", [".d/b"] = "" }
    assert.are.same({ ".d/b", ".eslintrc", "a" }, (fs.glob("**", { root = dir })))
    assert.are.same({ "a" }, (fs.glob("**", { root = dir, hidden = false })))
    assert.are.same({ ".eslintrc" }, (fs.glob(".e*", { root = dir, hidden = false })))
  end)

  it("names a directory that cannot be read", function()
    if sh("id -u") == "0\n" then return pending("root may read everything") end
    make { ["locked/x"] = "" }
    fs.chmod(dir .. "/locked", 0)
    local code, message = code_of(fs.glob, "**", { root = dir })
    fs.chmod(dir .. "/locked", tonumber("755", 8))
    assert.are.equal("EACCES", code)
    assert.is_truthy(message:find("locked", 1, true))
  end)

  -- Random trees with random rules, as git lists them.
  it("ignores what git ignores", function()
    if not os.execute("git --version >/dev/null 2>&1") then return pending("git is not here") end
    local names = { "a", "b", "foo", "x.o", "y.c", "a b", "build", "é", ".h", "#x", "!y", "d[1]" }
    local parts = { "*", "**", "*.o", "?", "f*", "[a-c]", "[!a]*", "b*d", "d\\[1]", "\\!y", "a\\ b",
      "foo", "build", "x.o", "*o*", "[[:alpha:]]", "*\\ *" }
    math.randomseed(7)
    local function any(list) return list[math.random(#list)] end
    local function rule()
      local p = {}
      for i = 1, math.random(3) do p[i] = any(parts) end
      local text = table.concat(p, "/")
      if math.random(5) == 1 then text = "/" .. text end
      if math.random(4) == 1 then text = text .. "/" end
      if math.random(4) == 1 then text = "!" .. text end
      return text .. any { "", "", "", "  ", "\r" } .. "\n"
    end
    local function grow(path, depth)
      fs.mkdir(path)
      for _ = 1, math.random(3, 6) do
        local child = path .. "/" .. any(names)
        if not fs.exists(child) then
          if depth < 3 and math.random(2) == 1 then grow(child, depth + 1)
          else fs.write_atomic(child, "") end
        end
      end
      if depth == 0 or math.random(3) == 1 then
        fs.write_atomic(path .. "/.gitignore", rule() .. rule() .. rule())
      end
    end
    for i = 1, 12 do
      local root = dir .. "/" .. i
      grow(root, 0)
      sh("git init -q '" .. root .. "'")
      fs.write_atomic(root .. "/.git/info/exclude", rule())
      local listed = sh("git -C '" .. root
        .. "' -c core.excludesFile= ls-files -z --others --exclude-standard")
      local expected = {}
      for path in listed:gmatch("[^\0]+") do expected[#expected + 1] = path end
      table.sort(expected)
      assert.are.same(expected, (fs.glob("**", { root = root })))
      for _, path in ipairs(expected) do
        local sub = path:match("^([%w]+)/")
        if sub then
          local want = {}
          for _, p in ipairs(expected) do
            if p:sub(1, #sub + 1) == sub .. "/" then want[#want + 1] = p:sub(#sub + 2) end
          end
          assert.are.same(want, (fs.glob("**", { root = root .. "/" .. sub })))
          break
        end
      end
    end
  end)
end)
