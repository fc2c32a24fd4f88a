-- A priority queue: the greatest key first, first come first served among equals. Many
-- steps share a key (nothing is known of them), so the binary heap is over distinct
-- keys, and each key has a queue.
local heap = {}
heap.__index = heap

--- An empty queue.
function heap.new()
  return setmetatable({ n = 0, keys = {}, count = 0, queues = {} }, heap)
end

-- Moves the last key from a hole at i downwards.
local function sift_down(keys, n, i, key)
  while true do
    local child = 2 * i
    if child > n then break end
    if child < n and keys[child + 1] > keys[child] then child = child + 1 end
    if keys[child] <= key then break end
    keys[i] = keys[child]
    i = child
  end
  keys[i] = key
end

local function add_key(h, key)
  local keys, i = h.keys, h.count + 1
  h.count = i
  while i > 1 do
    local parent = i // 2
    if keys[parent] >= key then break end
    keys[i] = keys[parent]
    i = parent
  end
  keys[i] = key
end

--- Adds a value under a key.
---@param key number
---@param value any
function heap.push(h, key, value)
  local q = h.queues[key]
  if not q then
    q = { first = 1, last = 0 }
    h.queues[key] = q
    add_key(h, key)
  end
  q.last = q.last + 1
  q[q.last] = value
  h.n = h.n + 1
end

local function drop_first_key(h)
  local keys, n = h.keys, h.count
  h.queues[keys[1]] = nil
  local last = keys[n]
  keys[n] = nil
  h.count = n - 1
  if n > 1 then sift_down(keys, n - 1, 1, last) end
end

--- Removes and returns the first value; nil when empty.
---@return any value
---@return number? key
function heap.pop(h)
  if h.n == 0 then return nil end
  local key = h.keys[1]
  local q = h.queues[key]
  local value = q[q.first]
  q[q.first] = nil
  q.first = q.first + 1
  h.n = h.n - 1
  if q.first > q.last then drop_first_key(h) end
  return value, key
end

--- The first value and its key, left in place.
---@return any value
---@return number? key
function heap.peek(h)
  if h.n == 0 then return nil end
  local key = h.keys[1]
  local q = h.queues[key]
  return q[q.first], key
end

return heap
