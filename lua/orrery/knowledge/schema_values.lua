-- Values as JSON Schema compares them: numbers by value, objects by content, 1 and 1.0 the
-- same. `exact` tells {} from []; otherwise an empty table nobody marked is either.
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")

local values = {}

local is_array = pack.is_array

local function equal_tables(a, b, exact)
  local array = is_array(a)
  if array ~= is_array(b) then
    return not exact and next(a) == nil and next(b) == nil
  end
  local n = 0
  for k, v in next, a do
    local w = b[k]
    if w == nil then return false end
    if v ~= w and not values.equal(v, w, exact) then return false end
    n = n + 1
  end
  for _ in next, b do n = n - 1 end
  return n == 0
end

--- Are they the same value?
---@param a any
---@param b any
---@param exact boolean
---@return boolean
function values.equal(a, b, exact)
  if a == b then return true end
  return type(a) == "table" and type(b) == "table" and equal_tables(a, b, exact)
end

local function write(out, v)
  local t = type(v)
  if t == "string" then
    out[#out + 1] = ("s%d:%s"):format(#v, v)
  elseif t == "number" then
    local i = math.tointeger(v)
    out[#out + 1] = i and ("i%d;"):format(i) or ("f%.17g;"):format(v)
  elseif t ~= "table" then
    out[#out + 1] = v == pack.null and "n" or tostring(v)
  elseif is_array(v) then
    out[#out + 1] = "["
    for i = 1, #v do write(out, v[i]) end
    out[#out + 1] = "]"
  else
    out[#out + 1] = "{"
    for k, w in sorted.pairs(v) do
      write(out, k)
      write(out, w)
    end
    out[#out + 1] = "}"
  end
end

--- A text that two tables share only if they are the same value.
---@param v table
---@return string
function values.fingerprint(v)
  local out = {}
  write(out, v)
  return table.concat(out)
end

-- The shortest decimal of a number as digits and exponent: 0.0075 → 75, -4.
local function decimal(x)
  if math.type(x) == "integer" then return x, 0 end
  local s
  for precision = 14, 16 do
    s = ("%." .. precision .. "e"):format(x)
    if tonumber(s) == x then break end
  end
  local whole, part, exponent = s:match("^(%d)%.?(%d*)e([+-]%d+)$")
  part = part:gsub("0+$", "")
  return math.tointeger(tonumber(whole .. part)), tonumber(exponent) - #part
end

-- (a + b) % m for 0 <= a, b < m, without overflow.
local function add(a, b, m)
  if a >= m - b then return a - (m - b) end
  return a + b
end

local function times_ten(a, m)
  local two = add(a, a, m)
  local four = add(two, two, m)
  local eight = add(four, four, m)
  return add(eight, two, m)
end

--- Is x a multiple of m? Exact in decimal: 0.3 is one of 0.1, as people mean it.
---@param x number
---@param m number above 0
---@return boolean
function values.is_multiple(x, m)
  if math.type(x) == "integer" and math.type(m) == "integer" then return x % m == 0 end
  if x ~= x or x == math.huge or x == -math.huge then return false end
  if x == math.mininteger then return x % m == 0 end
  local xd, xe = decimal(x < 0 and -x or x)
  local md, me = decimal(m)
  if xd == 0 then return true end
  for _ = 1, me - xe do -- m is coarser: x must be that round itself
    if xd % 10 ~= 0 then return false end
    xd = xd // 10
  end
  local rest = xd % md
  for _ = 1, xe - me do
    if rest == 0 then return true end
    rest = times_ten(rest, md)
  end
  return rest == 0
end

--- The number of characters.
---@param s string
---@return integer
function values.length(s)
  return utf8.len(s, 1, -1, true) or select(2, s:gsub("[^\x80-\xBF]", ""))
end

return values
