-- A run in one file: a tar of `manifest.json`, `seal` (its SHA-256) and `blobs/<SHA-256>`, in
-- this order, plain files only. The manifest says which blob is which file of which run. What
-- is not exactly so is refused: the names in the archive are never used as paths.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")

local bundle = {}

local BLOCK = 512
local PIECE = 256 * 1024
-- A manifest lists files; one that is larger is none.
local MOST = 64 * 1024 * 1024

local function refuse(path, why)
  errors.raise("state", ("%s: %s"):format(path, why), { exit = 5 })
end

---------------------------------------------------------------------------
-- writing

local function header(name, size)
  local front = name .. ("\0"):rep(100 - #name) .. "0000644\0" .. ("0000000\0"):rep(2)
    .. ("%011o\0%011o\0"):format(size, 0)
  local back = "0" .. ("\0"):rep(100) .. "ustar\00000" .. ("\0"):rep(BLOCK - 265)
  local sum = 8 * 32
  for _, part in ipairs({ front, back }) do
    for i = 1, #part do sum = sum + part:byte(i) end
  end
  return front .. ("%06o\0 "):format(sum) .. back
end

local function padding(size) return ("\0"):rep(-size % BLOCK) end

local function put_text(f, name, text)
  assert(f:write(header(name, #text), text, padding(#text)))
end

local function put_file(f, name, path, size, digest)
  local from <close> = assert(io.open(path, "rb"))
  local hasher, left = hash.new(), size
  assert(f:write(header(name, size)))
  while left > 0 do
    local piece = from:read(math.min(PIECE, left))
    if not piece then break end
    hasher:update(piece)
    left = left - #piece
    assert(f:write(piece))
  end
  if left > 0 or hasher:hex() ~= digest then
    errors.raise("state", path .. " changed while it was exported", { exit = 5 })
  end
  assert(f:write(padding(size)))
end

--- Writes a bundle, whole or not at all.
---@param path string
---@param manifest string
---@param blobs { digest: string, size: integer, path?: string, bytes?: string }[]
function bundle.write(path, manifest, blobs)
  local temp = ("%s.%s.part"):format(path, require("orrery.core.sys").random(4))
  local ok, why = pcall(function()
    local f <close> = assert(io.open(temp, "wb"))
    put_text(f, "manifest.json", manifest)
    put_text(f, "seal", hash.sha256(manifest))
    for _, b in ipairs(blobs) do
      if b.bytes then
        put_text(f, "blobs/" .. b.digest, b.bytes)
      else
        put_file(f, "blobs/" .. b.digest, b.path, b.size, b.digest)
      end
    end
    assert(f:write(("\0"):rep(2 * BLOCK)))
  end)
  if ok then ok, why = fs.rename(temp, path) end
  if ok then return end
  fs.remove(temp)
  errors.raise("state", "it cannot be exported: " .. errors.text(why), { exit = 5 })
end

---------------------------------------------------------------------------
-- reading

local function checksum(block)
  local sum = 8 * 32
  for i = 1, BLOCK do
    if i < 149 or i > 156 then sum = sum + block:byte(i) end
  end
  return sum
end

local function octal(text) return tonumber(text:match("^ *([0-7]+)[ \0]*$") or "", 8) end

-- The next entry's name and size; nil at the end. What ends before the first entry is
-- something else.
local function next_entry(f, path, is_first)
  local block = f:read(BLOCK)
  if not block or #block < BLOCK then
    refuse(path, is_first and "it is no exported run" or "it is cut off")
  end
  if block == ("\0"):rep(BLOCK) then return nil end
  if block:sub(258, 262) ~= "ustar" then refuse(path, "it is no exported run") end
  if octal(block:sub(149, 156)) ~= checksum(block) then refuse(path, "it is damaged") end
  local name, size = block:sub(1, 100):match("^[^\0]*"), octal(block:sub(125, 136))
  local kind = block:sub(157, 157)
  if kind ~= "0" or not size or block:byte(346) ~= 0 then
    refuse(path, ("it holds '%s', which no exported run does"):format((name:gsub("%c", "?"))))
  end
  return name, size
end

local function skip_padding(f, size, path)
  local n = -size % BLOCK
  if n > 0 and #(f:read(n) or "") < n then refuse(path, "it is cut off") end
end

local function read_text(f, path, want, is_first)
  local name, size = next_entry(f, path, is_first)
  if name ~= want then refuse(path, "it is no exported run") end
  if size > MOST then refuse(path, "its manifest is too large") end
  local text = size == 0 and "" or f:read(size)
  if not text or #text < size then refuse(path, "it is cut off") end
  skip_padding(f, size, path)
  return text
end

local function take_blob(f, path, digest, size, dir)
  local to <close> = assert(io.open(dir .. "/" .. digest, "wb"))
  local hasher, left = hash.new(), size
  while left > 0 do
    local piece = f:read(math.min(PIECE, left))
    if not piece then refuse(path, "it is cut off") end
    hasher:update(piece)
    left = left - #piece
    assert(to:write(piece))
  end
  skip_padding(f, size, path)
  if hasher:hex() ~= digest then refuse(path, "it is damaged: a file in it is not what it was") end
end

--- Reads a bundle: its blobs go to files of a directory, each named by its digest. Raises code
--- "state" for what is damaged or not such a file; the caller removes the directory then.
---@param path string
---@param dir string
---@return string manifest
function bundle.read(path, dir)
  local f <close> = io.open(path, "rb")
  if not f then errors.raise("usage", ("there is no file '%s'"):format(path), { exit = 2 }) end
  if not f:read(0) then refuse(path, "it is no exported run") end
  local manifest = read_text(f, path, "manifest.json", true)
  if read_text(f, path, "seal") ~= hash.sha256(manifest) then refuse(path, "it is damaged") end
  while true do
    local name, size = next_entry(f, path)
    if not name then break end
    local digest = name:match("^blobs/(%x+)$")
    if not digest or #digest ~= 64 or digest:find("%u") then
      refuse(path, ("it holds '%s', which no exported run does"):format((name:gsub("%c", "?"))))
    end
    take_blob(f, path, digest, size, dir)
  end
  return manifest
end

return bundle
