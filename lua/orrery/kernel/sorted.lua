-- Tables in an order that is the same in every process: numbers, then strings, then
-- booleans. Other keys have only an address to go by; two of them cannot be ordered.
local sorted = {}

local rank = { number = 1, string = 2, boolean = 3 }

--- Orders two keys of any of the three types; numbers first, false before true.
---@param a any
---@param b any
---@return boolean
function sorted.less(a, b)
  local ra, rb = rank[type(a)] or 4, rank[type(b)] or 4
  if ra ~= rb then return ra < rb end
  if ra == 3 then return not a and b end
  if ra == 4 then return false end
  return a < b
end

-- All keys, whether they need the slow comparison, and how many have no order.
local function collect(t)
  local keys, n, kind, mixed, odd = {}, 0, nil, false, 0
  for k in next, t do
    n = n + 1
    keys[n] = k
    local of = type(k)
    if of ~= kind then
      mixed = mixed or kind ~= nil
      kind = of
    end
    if not rank[of] then odd = odd + 1 end
  end
  return keys, mixed or kind == "boolean", odd
end

--- The keys in order. Raises when two of them are tables, functions or other objects.
---@param t table
---@return any[]
function sorted.keys(t)
  local keys, slow, odd = collect(t)
  if odd > 1 then
    error("keys that are tables or functions have no order; use names or a list", 2)
  end
  if slow then
    table.sort(keys, sorted.less)
  elseif odd == 0 then
    table.sort(keys)
  end
  return keys
end

--- Iterates like pairs, in order; entries may be removed on the way.
--- for k, v in sorted.pairs { b = 1, a = 2 } do … end --> a, then b
---@param t table
---@return fun(): any, any
function sorted.pairs(t)
  local keys, i = sorted.keys(t), 0
  return function()
    local k, v
    repeat
      i = i + 1
      k = keys[i]
      if k == nil then return nil end
      v = rawget(t, k)
    until v ~= nil
    return k, v
  end
end

local function has_no_order(t)
  local odd = 0
  for k in next, t do
    if not rank[type(k)] then odd = odd + 1 end
  end
  return odd > 1
end

local function checked(t)
  local mt = debug.getmetatable(t)
  local meta = type(mt) == "table" and rawget(mt, "__pairs")
  if not meta and type(t) ~= "table" then
    error(("pairs needs a table, not %s"):format(t == nil and "nil" or type(t)), 3)
  end
  return meta
end

--- pairs for a workflow file: in order, by __pairs where there is one. Raises when the keys
--- have no order.
---@param t table
---@return function, any, any
function sorted.strict_pairs(t)
  local meta = checked(t)
  if meta then return meta(t) end
  return sorted.pairs(t), t, nil
end

--- pairs for a function on a worker: in order where the keys have one, as they come where
--- they have none.
---@param t table
---@return function, any, any
function sorted.loose_pairs(t)
  local meta = checked(t)
  if meta then return meta(t) end
  if has_no_order(t) then return next, t, nil end
  return sorted.pairs(t), t, nil
end

return sorted
