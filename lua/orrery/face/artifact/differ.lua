-- How two artifacts differ: JSON by its structure, other texts by their lines.
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")

local differ = {}

local MAX_LINES = 3000

local function is_table(v) return type(v) == "table" and v ~= pack.null end

local function show(v) return json.encode(v, { lossy = true }) end

local function keys_of(a, b)
  local all = {}
  for _, t in ipairs({ a, b }) do
    for k in pairs(t) do all[k] = true end
  end
  return sorted.keys(all)
end

--- The differences of two decoded values, each with its JSON pointer.
---@param a any
---@param b any
---@param at? string
---@param out? table[]
---@return { path: string, from: any, to: any }[] absent sides are nil
function differ.values(a, b, at, out)
  at, out = at or "", out or {}
  if is_table(a) and is_table(b) then
    for _, k in ipairs(keys_of(a, b)) do
      local name = type(k) == "number" and tostring(k - 1)
        or k:gsub("~", "~0"):gsub("/", "~1")
      differ.values(a[k], b[k], at .. "/" .. name, out)
    end
    if next(a) == nil and next(b) == nil and show(a) ~= show(b) then
      out[#out + 1] = { path = at, from = a, to = b }
    end
  elseif a ~= b then
    out[#out + 1] = { path = at, from = a, to = b }
  end
  return out
end

--- Those differences for people.
---@param list table[]
---@return string[]
function differ.lines(list)
  local out = {}
  for _, d in ipairs(list) do
    local path = d.path == "" and "/" or d.path
    if d.from == nil then
      out[#out + 1] = ("+ %s: %s"):format(path, show(d.to))
    elseif d.to == nil then
      out[#out + 1] = ("- %s: %s"):format(path, show(d.from))
    else
      out[#out + 1] = ("~ %s: %s → %s"):format(path, show(d.from), show(d.to))
    end
  end
  return out
end

local function lines_of(text)
  local out = {}
  for line in text:gmatch("([^\n]*)\n?") do out[#out + 1] = line end
  if out[#out] == "" then out[#out] = nil end
  return out
end

-- Lengths of the longest common tails of a[i…] and b[j…].
local function table_of(a, b)
  local t = {}
  for i = #a + 1, 1, -1 do
    t[i] = {}
    for j = #b + 1, 1, -1 do
      if i > #a or j > #b then
        t[i][j] = 0
      elseif a[i] == b[j] then
        t[i][j] = t[i + 1][j + 1] + 1
      else
        t[i][j] = math.max(t[i + 1][j], t[i][j + 1])
      end
    end
  end
  return t
end

local function script(a, b)
  local t, out, i, j = table_of(a, b), {}, 1, 1
  while i <= #a or j <= #b do
    if i <= #a and j <= #b and a[i] == b[j] then
      out[#out + 1] = { " ", a[i], i, j }
      i, j = i + 1, j + 1
    elseif j > #b or i <= #a and t[i + 1][j] >= t[i][j + 1] then
      out[#out + 1] = { "-", a[i], i, j }
      i = i + 1
    else
      out[#out + 1] = { "+", b[j], i, j }
      j = j + 1
    end
  end
  return out
end

-- Which entries of a script a hunk shows: changes, and three lines around them.
local function shown(list)
  local near = {}
  for n, one in ipairs(list) do
    for k = n - 3, one[1] ~= " " and n + 3 or n - 4 do near[k] = true end
  end
  return near
end

local function emit(out, list, from, to)
  local olds, news = 0, 0
  for n = from, to do
    if list[n][1] ~= "+" then olds = olds + 1 end
    if list[n][1] ~= "-" then news = news + 1 end
  end
  out[#out + 1] = ("@@ -%d,%d +%d,%d @@"):format(list[from][3], olds, list[from][4], news)
  for n = from, to do out[#out + 1] = list[n][1] .. list[n][2] end
end

--- The differences of two texts as a unified diff; nil when they are too long for one.
---@param a string
---@param b string
---@return string[]?
function differ.texts(a, b)
  local x, y = lines_of(a), lines_of(b)
  if #x > MAX_LINES or #y > MAX_LINES then return nil end
  local list, out = script(x, y), {}
  local near, n = shown(list), 1
  while n <= #list do
    local last = n
    while near[n] and near[last + 1] and list[last + 1] do last = last + 1 end
    if near[n] then emit(out, list, n, last) end
    n = last + 1
  end
  return out
end

return differ
