-- What a checkout keeps of a run so that the next one with the same words need not load the
-- workflow: files under .orrery/plans.
--
--   <key>          what it rested on: meta, each step's full key, the file facts (core.plan)
--   <run>.middle   the events of a run that finds all clean, but for its first and last
--   <run>.registry its artifacts
--   <run>.graph    how its steps hang together (unchanged.graph), read only when something differs
--   <run>.steps    the steps themselves and what they rest on, of which only some are read
--
-- <key> names the others and is replaced last, so whoever reads it finds what belongs to it.
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local pack = require("orrery.core.pack")

local kept = {}

--- The format; another one is not read.
kept.VERSION = 4

local MAGIC = "orrkept4"
-- How many are kept in a checkout.
local MOST = 16

--- Where one of these files lies.
---@param root string
---@param name string
---@return string
function kept.path(root, name) return ("%s/.orrery/plans/%s"):format(root, name) end

--- Reads what is kept under a key; nil when nothing sound is.
---@param root string
---@param key string
---@return table? k { meta, fulls, bytes, at }: the facts are bytes from at on
function kept.read(root, key)
  local bytes = fs.read(kept.path(root, key))
  if not bytes or bytes:sub(1, #MAGIC) ~= MAGIC then return nil end
  local ok, packed, sum, fulls, at = pcall(string.unpack, "<s4s4s4", bytes, #MAGIC + 1)
  if not ok or hash.sha256(packed) ~= sum then return nil end
  local meta = pack.decode(packed)
  if type(meta) ~= "table" or meta.v ~= kept.VERSION then return nil end
  return { meta = meta, fulls = fulls, bytes = bytes, at = at }
end

--- Reads one of the files a meta names; nil when it is not what was written.
---@param root string
---@param part { name: string, size: integer }
---@return string?
function kept.part(root, part)
  local text = part and fs.read(kept.path(root, part.name))
  return text and #text == part.size and text or nil
end

--- Reads pieces of one of these files; nil when it is not what was written.
---@param root string
---@param part { name: string, size: integer }
---@return (fun(from: integer, to: integer): string?)? read after `from`, counted from 0, up to `to`
function kept.reader(root, part)
  local f = io.open(kept.path(root, part.name), "rb")
  if not f or f:seek("end") ~= part.size then return nil end
  return function(from, to)
    local bytes = f:seek("set", from) and f:read(to - from)
    return bytes and #bytes == to - from and bytes or nil
  end
end

--- Writes a part.
---@param root string
---@param name string
---@param text string
---@return { name: string, size: integer }?
function kept.put_part(root, name, text)
  if not fs.write_atomic(kept.path(root, name), text) then return nil end
  return { name = name, size = #text }
end

--- Takes a finished file as a part; it must not be written to any more.
---@param root string
---@param name string
---@param from string
---@return { name: string, size: integer }?
function kept.link_part(root, name, from)
  local to = kept.path(root, name)
  local st = fs.link(from, to) and fs.stat(to)
  return st and { name = name, size = st.size } or nil
end

--- Replaces what is kept under a key.
---@param root string
---@param key string
---@param meta table
---@param fulls string
---@param blob string
---@return boolean
function kept.write(root, key, meta, fulls, blob)
  local packed = assert(pack.encode(meta))
  return fs.write_atomic(kept.path(root, key), MAGIC
    .. string.pack("<s4s4s4", packed, hash.sha256(packed), fulls) .. blob) ~= nil
end

local function remove_parts(root, meta, except)
  for _, what in ipairs({ "middle", "registry", "graph", "steps" }) do
    local part, still = meta[what], except and except[what]
    if part and not (still and still.name == part.name) then
      fs.remove(kept.path(root, part.name))
    end
  end
end

--- Drops what is kept under a key.
---@param root string
---@param key string
function kept.drop(root, key)
  local old = kept.read(root, key)
  if old then remove_parts(root, old.meta) end
  fs.remove(kept.path(root, key))
end

-- The keys there are, the least used first.
local function keys(root)
  local out = {}
  for _, name in ipairs(fs.list(kept.path(root, "")) or {}) do
    local st = name:find("^%x+$") and fs.stat(kept.path(root, name))
    if st then out[#out + 1] = { key = name, mtime = st.mtime } end
  end
  table.sort(out, function(a, b)
    if a.mtime ~= b.mtime then return a.mtime < b.mtime end
    return a.key < b.key
  end)
  return out
end

--- After a write: removes the parts nothing names any more, and the oldest of too many.
---@param root string
---@param old table? the meta before
---@param new table
function kept.tidy(root, old, new)
  if old then remove_parts(root, old, new) end
  local list = keys(root)
  for i = 1, #list - MOST do kept.drop(root, list[i].key) end
end

--- A full key in 32 bytes.
---@param hex string
---@return string
function kept.key_bytes(hex)
  return string.pack(">i8i8i8i8", tonumber(hex:sub(1, 16), 16), tonumber(hex:sub(17, 32), 16),
    tonumber(hex:sub(33, 48), 16), tonumber(hex:sub(49, 64), 16))
end

--- The full key of a step, by number.
---@param fulls string
---@param n integer
---@return string hex
function kept.full(fulls, n)
  return ("%016x%016x%016x%016x"):format(string.unpack(">i8i8i8i8", fulls, n * 32 - 31))
end

return kept
