-- index: the checkout's memory as Lua sees it.
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local index = require("orrery.core.index")

local dir, ix

before_each(function()
  dir = os.tmpname()
  os.remove(dir)
  assert(fs.mkdir(dir))
  ix = assert(index.open(dir .. "/index"))
end)

after_each(function()
  ix:close()
  assert(fs.remove_tree(dir))
end)

local function reopen()
  ix:close()
  ix = assert(index.open(dir .. "/index"))
end

describe("index", function()
  it("keeps what was flushed and forgets the rest", function()
    ix:put("a", "1")
    ix:put("bytes\0", "\0\255")
    ix:put("gone", "x")
    ix:del("gone")
    assert.is_true(ix:flush())
    ix:put("late", "x")
    assert.are.equal("x", ix:get("late"))
    reopen()
    assert.are.equal("1", ix:get("a"))
    assert.are.equal("\0\255", ix:get("bytes\0"))
    assert.is_nil(ix:get("gone"))
    assert.is_nil(ix:get("late"))
  end)

  it("merges what two handles flush", function()
    local other <close> = assert(index.open(dir .. "/index"))
    ix:put("a", "mine")
    other:put("b", "theirs")
    assert.is_true(ix:flush())
    assert.is_true(other:flush())
    assert.are.equal("mine", other:get("a"))
    reopen()
    assert.are.equal("theirs", ix:get("b"))
  end)

  it("of a damaged file is empty and can be written again", function()
    for _, junk in ipairs({ "", "junk", ("junk"):rep(5000) }) do
      assert(fs.write_atomic(dir .. "/index", junk))
      reopen()
      assert.is_nil(ix:get("a"))
      ix:put("a", junk)
      assert.is_true(ix:flush())
      reopen()
      assert.are.equal(junk, ix:get("a"))
    end
  end)

  it("says why it cannot be flushed", function()
    ix:close()
    ix = assert(index.open(dir .. "/no/such/index"))
    assert.is_true(ix:flush())
    ix:put("a", "1")
    local ok, err = ix:flush()
    assert.is_nil(ok)
    assert.are.equal("ENOENT", err.code)
    assert.are.equal("1", ix:get("a"))
  end)

  it("refuses to be used when closed", function()
    ix:close()
    ix:close()
    assert.has_error(function() ix:get("a") end)
    assert.has_error(function() ix:digests({}) end)
    ix = assert(index.open(dir .. "/index"))
  end)
end)

describe("index digests", function()
  it("are those of the contents, with mode, size and kind", function()
    local path = dir .. "/f"
    assert(fs.write_atomic(path, "text", { mode = 416 }))
    local digest, fact = ix:digest(path)
    assert.are.equal(hash.sha256("text"), digest)
    assert.are.same({ mode = 416, size = 4, kind = "file" }, fact)
    assert(fs.write_atomic(path, "TEXT", { mode = 416 }))
    assert.are.equal(hash.sha256("TEXT"), (ix:digest(path)))
    ix:forget(path)
    assert.are.equal(hash.sha256("TEXT"), (ix:digest(path)))
  end)

  it("never miss an edit of the same size, however quick", function()
    local path = dir .. "/f"
    for i = 1, 300 do
      local text = ("%04d"):format(i)
      local f <close> = assert(io.open(path, "w"))
      f:write(text)
      f:close()
      assert.are.equal(hash.sha256(text), (ix:digest(path)))
      if i % 50 == 0 then
        assert.is_true(ix:flush())
        reopen()
      end
    end
  end)

  it("of a symlink are those of its target's name", function()
    assert(fs.symlink("nowhere", dir .. "/l"))
    local digest, fact = ix:digest(dir .. "/l")
    assert.are.equal(hash.sha256("link:nowhere"), digest)
    assert.are.equal("link", fact.kind)
  end)

  it("of many files are in order, false where there is none", function()
    local paths = {}
    for i = 1, 600 do
      paths[i] = ("%s/f%d"):format(dir, i)
      if i % 9 ~= 0 then assert(fs.write_atomic(paths[i], "file " .. i, { mode = 420 })) end
    end
    paths[601] = dir
    for _, threads in ipairs({ 0, 1, 4 }) do
      local digests, modes = ix:digests(paths, threads)
      assert.are.equal(601, #digests)
      for i = 1, 600 do
        assert.are.equal(i % 9 ~= 0 and hash.sha256("file " .. i), digests[i])
        assert.are.equal(i % 9 ~= 0 and 420, modes[i])
      end
      assert.is_false(digests[601])
    end
    assert.are.same({}, (ix:digests({})))
    assert.has_error(function() ix:digests({ "a", 1 }) end)
    assert.has_error(function() ix:digests({ "a\0b" }) end)
  end)

  it("refuse directories and what is not there", function()
    local digest, err = ix:digest(dir)
    assert.is_nil(digest)
    assert.are.equal("EISDIR", err.code)
    digest, err = ix:digest(dir .. "/none")
    assert.is_nil(digest)
    assert.are.equal("ENOENT", err.code)
  end)

  it("takes paths from a root, and says which of them changed", function()
    for _, name in ipairs({ "a", "b" }) do assert(fs.write_atomic(dir .. "/" .. name, name)) end
    local digests = ix:digests({ "a", dir .. "/b", "none" }, 0, dir)
    assert.are.same({ hash.sha256("a"), hash.sha256("b"), false }, digests)
    local facts = {}
    for i, d in ipairs(digests) do facts[i] = { "name", d } end
    local paths = { "a", "b", "none" }
    assert.is_nil(ix:changed(paths, facts, dir))
    assert(fs.write_atomic(dir .. "/none", "now"))
    assert.are.equal(3, ix:changed(paths, facts, dir))
    assert(fs.write_atomic(dir .. "/b", "c"))
    assert.are.equal(2, ix:changed(paths, facts, dir))
    assert(fs.remove(dir .. "/a"))
    assert.are.equal(1, ix:changed(paths, facts, dir))
    assert.has_error(function() ix:changed(paths, {}, dir) end)
    assert.has_error(function() ix:digests({ ("x"):rep(5000) }, 0, dir) end)
  end)
end)
