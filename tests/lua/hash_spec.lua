-- hash: SHA-256 of strings, files, many files, and piece by piece.
local hash = require("orrery.core.hash")

local ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

local function file_with(bytes)
  local path = os.tmpname()
  local f <close> = assert(io.open(path, "wb"))
  assert(f:write(bytes))
  return path
end

describe("hash", function()
  it("knows the published digests", function()
    assert.are.equal(ABC, hash.sha256("abc"))
    assert.are.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      hash.sha256(""))
  end)

  it("takes bytes piece by piece and may be asked midway", function()
    local h = hash.new()
    assert.are.equal(hash.sha256("ab"), h:update("a"):update("b"):hex())
    assert.are.equal(ABC, h:update("c"):hex())
  end)

  it("gives digest and size of a file", function()
    local path = file_with("abc")
    local digest, size = hash.file(path)
    os.remove(path)
    assert.are.equal(ABC, digest)
    assert.are.equal(3, size)
  end)

  it("says what is wrong with a path", function()
    local digest, err = hash.file("/nonexistent/file")
    assert.is_nil(digest)
    assert.are.equal("ENOENT", err.code)
    digest, err = hash.file("/tmp")
    assert.is_nil(digest)
    assert.are.equal("EINVAL", err.code)
    assert.truthy(err.message:find("/tmp: it is a directory", 1, true))
    assert.has_error(function() hash.file("a\0b") end)
  end)

  it("hashes many files in input order with one error a file", function()
    local paths = {}
    for i = 1, 40 do paths[i] = file_with("file " .. i) end
    paths[41] = "/nonexistent/file"
    for _, threads in ipairs({ 0, 1, 4 }) do
      local digests, errors = hash.files(paths, threads)
      for i = 1, 40 do assert.are.equal(hash.sha256("file " .. i), digests[i]) end
      assert.is_false(digests[41])
      assert.are.equal("ENOENT", errors[41].code)
      assert.is_nil(errors[1])
    end
    for i = 1, 40 do os.remove(paths[i]) end
    assert.are.same({}, (hash.files({})))
    assert.has_error(function() hash.files({ "a", 1 }) end)
  end)
end)
