-- Run directories: .orrery/runs/<id>/ with journal, logs and registry. Ids sort by
-- time; people may give a part of one, "last", or nothing.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local states = require("orrery.run.records.states")
local sys = require("orrery.core.sys")

local runs = {}

-- How many are kept, and for how long; and how many more there may be before some are removed.
runs.KEEP, runs.DAYS, runs.SPARE = 50, 30, 10
-- An unfinished run may still be running, or waiting to be resumed.
local GRACE = 24 * 3600

local DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

local function base36(n)
  local out = {}
  repeat
    local d = n % 36 + 1
    table.insert(out, 1, DIGITS:sub(d, d))
    n = n // 36
  until n == 0
  return table.concat(out)
end

--- A new id: milliseconds since 1970 in base 36, and chance.
---@param wall number
---@return string
function runs.new_id(wall)
  return ("%s-%s"):format(base36(math.floor(wall * 1000)), sys.random(2))
end

--- When a run was begun, by its id.
---@param id string
---@return number? wall seconds since 1970
function runs.time_of(id)
  local n = tonumber(id:match("^(%w+)%-") or "", 36)
  return n and n / 1000
end

--- Where the runs of a root are.
---@param root string
---@return string
function runs.dir(root)
  return root .. "/.orrery/runs"
end

--- Makes the directory of a new run. Raises code "state" when it cannot.
---@param root string
---@return string id
---@return string dir
function runs.create(root)
  local id = runs.new_id(sys.wall())
  local dir = runs.dir(root) .. "/" .. id
  local ok, err = fs.mkdir(dir)
  if not ok then
    errors.raise("state", ("the run cannot be recorded in %s: %s"):format(dir, errors.text(err)),
      { exit = 5 })
  end
  return id, dir
end

local function is_id(name)
  return name:find("^%w+%-%x+$") ~= nil
end

--- The ids of all runs, the newest first.
---@param root string
---@return string[]
function runs.ids(root)
  local names, out = fs.list(runs.dir(root)) or {}, {}
  for i = #names, 1, -1 do
    if is_id(names[i]) then out[#out + 1] = names[i] end
  end
  return out
end

--- The newest run's id.
---@param root string
---@return string?
function runs.latest(root)
  return runs.ids(root)[1]
end

-- Did a run come to say what it is of? One that is killed in its first moments has not.
local function began(root, id)
  local f <close> = io.open(runs.dir(root) .. "/" .. id .. "/journal.jsonl", "rb")
  local line = f and f:read("L")
  return line ~= nil and line:sub(-1) == "\n"
end

-- The newest run there is something to say of, else the newest.
local function newest(root, ids)
  for _, id in ipairs(ids) do
    if began(root, id) then return id end
  end
  return ids[1]
end

--- The run a person means: nil or "last" (one that was killed before it began is none), an id,
--- its beginning or its end.
--- runs.find(root, "7f3c") --> "mia3kq0z-7f3c"
---@param root string
---@param name? string
---@return string? id
---@return string? why not
function runs.find(root, name)
  local ids = runs.ids(root)
  if name == nil or name == "last" then
    return newest(root, ids), ids[1] == nil and "there is no run yet" or nil
  end
  local found = {}
  for _, id in ipairs(ids) do
    if id == name then return id end
    if id:sub(1, #name) == name or id:sub(-#name) == name then found[#found + 1] = id end
  end
  if #found == 1 then return found[1] end
  if #found == 0 then return nil, ("there is no run '%s'"):format(name) end
  return nil, ("'%s' fits several runs: %s"):format(name, table.concat(found, ", "))
end

-- The last line of a text; plain searches, for it may be long.
local function last_line(text)
  text = text:gsub("\n$", "")
  local at = text:reverse():find("\n", 1, true)
  return at and text:sub(#text - at + 2), text
end

-- The last line of a journal that is whole, decoded.
local function last_event(path)
  local f <close> = io.open(path, "rb")
  if not f then return nil end
  local size = f:seek("end")
  for _, most in ipairs({ 8 * 1024, 256 * 1024 }) do
    f:seek("set", math.max(0, size - most))
    local tail = f:read("a")
    local line, all = last_line(tail)
    if line or most >= size or most > 8 * 1024 then return json.decode(line or all) end
  end
end

local function first_event(path)
  local f = io.open(path, "rb")
  if not f then return nil end
  local line = f:read("l")
  f:close()
  return line and json.decode(line)
end

--- What a run was and came to, without reading all of it.
---@param root string
---@param id string
---@return orrery.RunSummary
function runs.summary(root, id)
  local dir = runs.dir(root) .. "/" .. id
  local path = dir .. "/journal.jsonl"
  local first, last = first_event(path) or {}, last_event(path) or {}
  local over = last.ev == "run_finished"
  return { id = id, dir = dir, wall = first.wall or runs.time_of(id), workflow = first.workflow,
    params = first.params, resumed = first.resumed, status = states.of(root, id, first, last),
    code = over and last.code or nil, seconds = over and last.wall or last.t }
end

--- Summaries, the newest first.
---@param root string
---@param limit? integer
---@return table[]
function runs.list(root, limit)
  local out = {}
  for i, id in ipairs(runs.ids(root)) do
    if limit and i > limit then break end
    out[i] = runs.summary(root, id)
  end
  return out
end

--- The run that went on last with a run, or with one that went on with it; else itself.
---@param root string
---@param id string
---@return string
function runs.tip(root, id)
  local ids, at = runs.ids(root), id
  for i = #ids, 1, -1 do -- the oldest first
    local first = ids[i] > at and first_event(runs.dir(root) .. "/" .. ids[i] .. "/journal.jsonl")
    if first and first.resumed == at then at = ids[i] end
  end
  return at
end

local function may_go(root, id, age)
  local last = last_event(runs.dir(root) .. "/" .. id .. "/journal.jsonl")
  local over = last and last.ev == "run_finished"
  if over and last.status == "waiting" then return age > runs.DAYS * 24 * 3600 end
  if over then return true end
  return age > GRACE and states.of(root, id, nil, last) == "crashed"
end

-- As prune, among ids that are known.
local function prune(root, ids, now)
  local removed = 0
  for i, id in ipairs(ids) do
    local age = now - (runs.time_of(id) or now)
    if (i > runs.KEEP or age > runs.DAYS * 24 * 3600) and may_go(root, id, age) then
      if fs.remove_tree(runs.dir(root) .. "/" .. id) then removed = removed + 1 end
    end
  end
  return removed
end

--- Removes what is too many or too old; never a run that may still be going on.
---@param root string
---@param now? number
---@return integer removed
function runs.prune(root, now) return prune(root, runs.ids(root), now or sys.wall()) end

--- The same after a run, when there is enough to remove: several at once, because to look at
--- one and remove it takes longer than to write one down.
---@param root string
---@param now? number
---@return integer removed
function runs.tidy(root, now)
  now = now or sys.wall()
  local ids = runs.ids(root)
  local oldest = ids[#ids] and runs.time_of(ids[#ids]) or now
  if #ids <= runs.KEEP + runs.SPARE and now - oldest <= runs.DAYS * 24 * 3600 then return 0 end
  return prune(root, ids, now)
end

return runs
