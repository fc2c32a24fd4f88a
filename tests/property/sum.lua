-- The sums of mix.c in Lua: FNV-1a over a kind, the bytes, and a zero.
local sum = {}

sum.SEED = -3750763034362895579

-- Functions of workflows do the same sums: they are given this text.
sum.TEXT = [[
local fs = require("orrery.fs")
local function fold(h, kind, s)
  for i = 0, #s do
    h = (h ~ (i == 0 and kind or s):byte(i == 0 and 1 or i)) * 1099511628211
  end
  return h * 1099511628211
end
local function file(h, path)
  local f <close> = io.open(path, "rb")
  local text = f and f:read("a")
  return text and fold(h, "f", text) or fold(h, "a", "")
end
local function names(h, dir)
  for _, name in ipairs(fs.exists(dir) and fs.list(dir) or {}) do h = fold(h, "p", name) end
  return h
end
local function glob(h, pattern)
  for _, path in ipairs((fs.glob(pattern))) do h = file(fold(h, "p", path), path) end
  return h
end
local function hex(h) return ("%016x"):format(h) end
]]

--- Folds a kind (one character) and some bytes into a sum.
---@param h integer
---@param kind string
---@param s string
---@return integer
function sum.fold(h, kind, s)
  h = (h ~ kind:byte()) * 1099511628211
  for i = 1, #s do h = (h ~ s:byte(i)) * 1099511628211 end
  return h * 1099511628211
end

--- As mix prints it.
function sum.hex(h) return ("%016x"):format(h) end

--- The rest of an unsigned division.
---@param h integer
---@param n integer
---@return integer
function sum.mod(h, n) return ((h >> 1) % n * 2 + (h & 1)) % n end

return sum
