-- SHA-256, as 64 hex digits.
local core = require("orrery.core.hash")

local hash = {}

--- The digest of a string.
---
---     hash.sha256("abc"):sub(1, 8) --> "ba7816bf"
---@param bytes string
---@return string
function hash.sha256(bytes)
  return core.sha256(bytes)
end

--- The digest of a file, and its size.
---
---     local digest, size = hash.file("dist/app.js")
---@param path string
---@return string digest
---@return integer size
function hash.file(path)
  local digest, size = core.file(path)
  if not digest then error(size, 0) end
  return digest, size
end

--- The digests of many files, in their order, on all processors.
---
---     hash.files(fs.glob("dist/**"))
---@param paths string[]
---@return string[]
function hash.files(paths)
  local digests, errs = core.files(paths)
  for i = 1, #paths do
    if not digests[i] then error(errs[i], 0) end
  end
  return digests
end

--- A digest taken piece by piece.
---
---     hash.new():update("a"):update("bc"):hex() == hash.sha256("abc") --> true
---@return core.Hasher
function hash.new()
  return core.new()
end

return hash
