-- A binary heap: the greatest key first, the smaller index among equals.
local heap = {}
heap.__index = heap

function heap.new()
  return setmetatable({ n = 0 }, heap)
end

-- One entry takes three neighbouring slots, so that pushing makes no table.
local function greater(h, i, j)
  local a, b = h[3 * i - 2], h[3 * j - 2]
  return a > b or (a == b and h[3 * i - 1] < h[3 * j - 1])
end

local function swap(h, i, j)
  i, j = 3 * i, 3 * j
  h[i - 2], h[j - 2] = h[j - 2], h[i - 2]
  h[i - 1], h[j - 1] = h[j - 1], h[i - 1]
  h[i], h[j] = h[j], h[i]
end

--- Adds a value under a key; `index` breaks ties.
---@param key number
---@param index number
---@param value any
function heap.push(h, key, index, value)
  local i = h.n + 1
  h.n = i
  h[3 * i - 2], h[3 * i - 1], h[3 * i] = key, index, value
  while i > 1 and greater(h, i, i // 2) do
    swap(h, i, i // 2)
    i = i // 2
  end
end

--- Removes and returns the first value; nil when empty.
---@return any value
---@return number? key
function heap.pop(h)
  local n = h.n
  if n == 0 then return nil end
  local value, key = h[3], h[1]
  h[1], h[2], h[3] = h[3 * n - 2], h[3 * n - 1], h[3 * n]
  h[3 * n - 2], h[3 * n - 1], h[3 * n] = nil, nil, nil
  h.n = n - 1
  local i = 1
  while true do
    local child = 2 * i
    if child > h.n then break end
    if child < h.n and greater(h, child + 1, child) then child = child + 1 end
    if not greater(h, child, i) then break end
    swap(h, i, child)
    i = child
  end
  return value, key
end

--- The first value and its key, left in place.
---@return any value
---@return number? key
---@return number? index
function heap.peek(h)
  if h.n == 0 then return nil end
  return h[3], h[1], h[2]
end

return heap
