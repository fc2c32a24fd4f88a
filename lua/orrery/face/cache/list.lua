-- orrery cache list: what is remembered, record by record.
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local selection = require("orrery.run.graph.selection")
local words = require("orrery.face.words")

local list = {}

-- Results are listed; what only leads to them, or explains them, is not.
local function is_result(space) return space == "memo" or space:find("^value:") ~= nil end

local DAY = 86400

local function decoded(store, item, bytes)
  bytes = bytes or item.blob and store:get_blob(item.blob)
  local value = bytes and pack.decode(bytes)
  return type(value) == "table" and value or {}
end

-- Whose it is, and what it takes with its files.
local function describe(store, item, bytes)
  local row = { space = item.space, created = item.created, used = item.used_day * DAY,
    expires = item.expires, size = item.size, key = item.key }
  if item.space ~= "memo" then
    row.step = item.space
    if #item.key ~= 64 then row.key = require("orrery.core.hash").sha256(item.key) end
    return row
  end
  local record = decoded(store, item, bytes)
  row.step, row.workflow = record.step or "?", record.workflow
  for _, out in ipairs(record.outputs or {}) do
    if out.digest then row.size = row.size + store:blob_size(out.digest) end
  end
  for _, name in ipairs({ "stdout_blob", "stderr_blob" }) do
    if record[name] then row.size = row.size + store:blob_size(record[name]) end
  end
  if item.blob then row.size = row.size + store:blob_size(item.blob) end
  return row
end

local function wanted(row, patterns)
  if #patterns == 0 then return true end
  local whole = (row.workflow or "") .. "/" .. row.step
  for _, p in ipairs(patterns) do
    if row.step:find(p) or whole:find(p) then return true end
  end
  return false
end

local function by_name(a, b)
  if (a.workflow or "") ~= (b.workflow or "") then
    return (a.workflow or "") < (b.workflow or "")
  end
  if a.step ~= b.step then return a.step < b.step end
  if a.created ~= b.created then return a.created > b.created end
  return a.key < b.key
end

--- The records of a cache that fit one of the globs (of a step, of WORKFLOW/STEP, or of
--- value:NAME), by name, the newest first.
---@param store core.Store
---@param globs string[]
---@return table[] rows { step, workflow?, space, key, created, used, expires?, size }
function list.rows(store, globs)
  local patterns, rows = {}, {}
  for i, glob in ipairs(globs) do patterns[i] = selection.pattern(glob) end
  local cursor, item, bytes = store:next(0)
  while cursor do
    if is_result(item.space) then
      local row = describe(store, item, bytes)
      if wanted(row, patterns) then rows[#rows + 1] = row end
    end
    cursor, item, bytes = store:next(cursor)
  end
  table.sort(rows, by_name)
  return rows
end

-- Last use is known to the day.
local function used(row, now)
  local days = now // DAY - row.used // DAY
  return days <= 0 and "today" or words.count(math.floor(days), "day") .. " ago"
end

--- Prints them.
---@param c table the invocation
---@param store core.Store?
---@param now number wall clock
---@return integer
function list.print(c, store, now)
  local rows = store and list.rows(store, { table.unpack(c.words, 2) }) or {}
  local most = c.opts.limit or #rows
  if c.opts.json then
    local out = pack.array({})
    table.move(rows, 1, math.min(most, #rows), 1, out)
    c.out(json.encode(out, { lossy = true, indent = 2 }) .. "\n")
    return 0
  end
  local lines = { { "STEP", "WORKFLOW", "KEY", "AGE", "SIZE", "LAST USED" } }
  for i = 1, math.min(most, #rows) do
    local r = rows[i]
    lines[i + 1] = { r.step, r.workflow or "-", r.key:sub(1, 12), words.ago(now - r.created),
      words.bytes(r.size), used(r, now) }
  end
  if #rows == 0 then
    c.out(#c.words > 1 and "no record fits\n" or "nothing is remembered\n")
    return 0
  end
  c.out(table.concat(words.columns(lines), "\n") .. "\n")
  if #rows > most then c.out(("and %d more\n"):format(#rows - most)) end
  return 0
end

return list
