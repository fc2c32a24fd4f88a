-- The journal: the append-only event stream of a run, JSON Lines, written as things
-- happen. Every display and report is a function of it.
--
-- Lines collect in a buffer that goes out in one write when the loop is about to block
-- (the engine calls flush then) or when it has grown; what must survive a power cut is
-- synced. A line torn by a crash loses itself only: readers skip it and count it.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")

local journal = {}
local Journal, Scoped = {}, {}
Journal.__index = Journal

--- The version of the format, field v of each line.
journal.VERSION = 1

-- Texts over this many bytes go to a file of their own under logs/.
local LONG = 4096
local FULL = 64 * 1024
local LOSSY = { lossy = true }

---------------------------------------------------------------------------
-- values that JSON cannot hold exactly

-- Does JSON give this value back as it is?
local function is_plain(v, depth)
  local kind = type(v)
  if kind == "string" then return utf8.len(v) ~= nil end
  if kind == "number" then return v == v and v ~= math.huge and v ~= -math.huge end
  if kind ~= "table" then return true end
  if depth > 60 then return false end
  local n = #v
  for k, one in pairs(v) do
    if type(k) ~= "string" and not (math.type(k) == "integer" and k >= 1 and k <= n) then
      return false
    end
    if n > 0 and type(k) == "string" then return false end
    if not is_plain(one, depth + 1) then return false end
  end
  return true
end

local function to_hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function from_hex(text)
  return (text:gsub("%x%x", function(h) return string.char(tonumber(h, 16)) end))
end

--- The value of an event: as JSON holds it, or unpacked.
---@param ev table
---@return any
function journal.value(ev)
  if ev.packed then return (pack.decode(from_hex(ev.packed))) end
  return ev.value
end

---------------------------------------------------------------------------
-- writing

--- A journal in a run's directory. Raises when it cannot be written there.
---@param dir string
---@param opts { now: fun(): number, sinks?: function[], durable?: boolean } durable: all that
---  is written is on the disk
---@return orrery.Journal
function journal.open(dir, opts)
  local self = setmetatable({ dir = dir, path = dir .. "/journal.jsonl", lines = {}, bytes = 0,
    durable = opts.durable, now = opts.now, began = opts.now(), sinks = opts.sinks or {},
    logs = 0, hits = {} }, Journal)
  local ok, err = fs.append(self.path, "")
  if not ok then error(err, 0) end
  return self
end

--- A journal that is not written: its events only go to `take`.
---@param now fun(): number
---@param take fun(ev: orrery.JournalEvent)
---@return orrery.Journal
function journal.to(now, take)
  return setmetatable({ now = now, began = now(), sinks = { take }, lines = {}, bytes = 0,
    hits = {} }, Journal)
end

-- Moves a long or binary text to logs/<n>.
local function spill(self, ev, name)
  local text = ev[name]
  if not text or (#text <= LONG and utf8.len(text)) then return ev end
  if self.logs == 0 then fs.mkdir(self.dir .. "/logs") end
  self.logs = self.logs + 1
  local rel = "logs/" .. self.logs
  local ok = fs.write_atomic(self.dir .. "/" .. rel, text)
  local copy = {}
  for k, v in pairs(ev) do copy[k] = v end
  if ok then
    copy[name], copy[name .. "_log"] = nil, rel
  else
    copy[name] = text:sub(1, LONG)
  end
  return copy
end

local function exact(ev)
  if ev.value == nil or is_plain(ev.value, 1) then return ev end
  local copy = {}
  for k, v in pairs(ev) do copy[k] = v end
  local bytes = pack.encode(ev.value, "value")
  copy.value, copy.packed = nil, bytes and to_hex(bytes) or nil
  return copy
end

--- An event as a line of a journal, without its end; long texts stay in it.
---@param ev table
---@return string
function journal.encode(ev)
  ev = exact(ev)
  ev.v, ev.t = ev.v or journal.VERSION, ev.t or 0
  return assert(json.encode(ev, LOSSY))
end

local function line_of(self, ev)
  if ev.stdout or ev.stderr then ev = spill(self, spill(self, ev, "stdout"), "stderr") end
  ev = exact(ev)
  local text, err = json.encode(ev, LOSSY)
  if text then return text end
  return json.encode({ v = ev.v, t = ev.t, ev = "message", level = "warning",
    text = ("event %s of %s could not be written: %s"):format(ev.ev, tostring(ev.id),
      errors.text(err)) })
end

-- What texts of people and programs may be in.
local SPOKEN = { "stdout", "stderr", "value", "error", "errors", "text", "message", "cmd", "reason",
  "why", "hint", "question", "result", "data" }

local function hide(self, ev)
  for i = 1, #SPOKEN do
    local name = SPOKEN[i]
    if ev[name] ~= nil then ev[name] = self.hidden(ev[name]) end
  end
end

local function put(self, ev)
  if self.hidden then hide(self, ev) end
  ev.v = journal.VERSION
  ev.t = math.floor((self.now() - self.began) * 1e6 + 0.5) / 1e6
  if ev.ev ~= "output" and self.path then
    local line = line_of(self, ev)
    self.lines[#self.lines + 1] = line
    self.bytes = self.bytes + #line + 1
  end
  for i = 1, #self.sinks do self.sinks[i](ev) end
end

local function put_hits(self)
  if #self.hits == 0 then return end
  local ids, keys, usage = self.hits, self.keys, self.saved
  self.hits, self.keys, self.saved = {}, nil, nil
  put(self, { ev = "hits", ids = ids, keys = keys, usage = usage })
end

--- Writes an event. The table becomes the journal's.
---@param ev orrery.JournalEvent
function Journal:emit(ev)
  if self.held and self.held[ev.id] then self:catch_up() end
  if #self.hits > 0 and ev.ev ~= "output" then put_hits(self) end
  put(self, ev)
  if ev.ev == "step_finished" and ev.kind == "agent" then
    self:flush(true)
  elseif self.bytes > FULL then
    self:flush()
  end
end

--- Writes an event of a step at the next catch_up, or before any other event of that step.
---@param ev orrery.JournalEvent
function Journal:later(ev)
  self.held = self.held or {}
  self.held[#self.held + 1] = ev
  self.held[ev.id] = true
end

--- Writes what is held back.
function Journal:catch_up()
  local held = self.held
  self.held = nil
  for i = 1, held and #held or 0 do self:emit(held[i]) end
end

--- From now on what events say goes through fn, which takes secrets out of it.
---@param fn fun(v: any): any changes tables in place
function Journal:hide(fn)
  self.hidden = fn
end

--- Writes a line as it is; no sink hears of it.
---@param line string
function Journal:raw(line)
  self.lines[#self.lines + 1] = line
  self.bytes = self.bytes + #line + 1
end

--- Notes a clean step; neighbours fold into one event.
---@param id string
---@param full string? its full key, when that is not the one of the last time
---@param usage? orrery.Usage what the agent used whose answer it is
function Journal:hit(id, full, usage)
  self.hits[#self.hits + 1] = id
  if usage then
    self.saved = self.saved or {}
    self.saved[id] = usage
  end
  if full then
    self.keys = self.keys or {}
    self.keys[id] = full
  end
end

-- What most ends of steps do not have.
local RARE = { "cached", "exit", "signal", "cpu", "rss", "occurrence", "digest", "reason",
  "stdout", "stderr", "value", "error", "allowed", "usage", "saved_usage" }

--- Writes the end of a step from its result.
---@param step orrery.Step
---@param r orrery.Result
function Journal:finished(step, r)
  local ev = { ev = "step_finished", id = step.id, kind = step.kind, status = r.status,
    seconds = r.seconds, key = r.key, attempts = r.attempts }
  for i = 1, #RARE do
    local v = r[RARE[i]]
    if v ~= nil then ev[RARE[i]] = v end
  end
  self:emit(ev)
end

--- Writes out what is buffered; with sync, it is on the disk when this returns.
---@param sync? boolean
function Journal:flush(sync)
  self:catch_up()
  put_hits(self)
  if #self.lines == 0 then return end
  self.lines[#self.lines + 1] = ""
  local bytes = table.concat(self.lines, "\n")
  self.lines, self.bytes = {}, 0
  local ok, err = fs.append(self.path, bytes, (sync or self.durable) and { sync = true } or nil)
  if not ok and not self.failed then
    self.failed = err
    for i = 1, #self.sinks do
      self.sinks[i]({ v = 1, t = 0, ev = "message", level = "warning",
        text = "the journal cannot be written: " .. errors.text(err) })
    end
  end
end

--- Writes what is not written yet.
function Journal:close()
  self:flush()
end

-- Fields that hold an id of a step or group.
local IDS = { "id", "group", "cause", "winner", "step" }

--- A view for a nested workflow: all its ids begin with the prefix.
---@param prefix string "image/"
---@return orrery.Journal
function Journal:under(prefix)
  return setmetatable({ base = self, prefix = prefix }, Scoped)
end

local function prefixed(prefix, list)
  local out = {}
  for i, id in ipairs(list) do out[i] = prefix .. id end
  return out
end

local function scope(self, ev)
  for _, name in ipairs(IDS) do
    if ev[name] then ev[name] = self.prefix .. ev[name] end
  end
  if ev.needs then ev.needs = prefixed(self.prefix, ev.needs) end
  return ev
end

function Scoped:emit(ev) self.base:emit(scope(self, ev)) end
function Scoped:later(ev) self.base:later(scope(self, ev)) end
function Scoped:catch_up() self.base:catch_up() end

function Scoped:hit(id, full, usage) self.base:hit(self.prefix .. id, full, usage) end
function Scoped:hide(fn) self.base:hide(fn) end
function Scoped:flush(sync) self.base:flush(sync) end
function Scoped:under(prefix) return self.base:under(self.prefix .. prefix) end
function Scoped.__index(_, name) return Scoped[name] or Journal[name] end

---------------------------------------------------------------------------
-- reading

--- The events of a journal. A line that is torn or damaged is left out.
---@param path string
---@return orrery.JournalEvent[]? events
---@return integer|orrery.Err damaged how many lines were left out
function journal.read(path)
  local text, err = fs.read(path)
  if not text then return nil, err end
  local events, damaged = {}, 0
  for line in text:gmatch("[^\n]+") do
    local ev = json.decode(line)
    if type(ev) == "table" and ev.ev then
      events[#events + 1] = ev
    else
      damaged = damaged + 1
    end
  end
  return events, damaged
end

--- A text of a step_finished event, wherever it lies.
---@param dir string the run's directory
---@param ev table
---@param name "stdout"|"stderr"
---@return string
function journal.text(dir, ev, name)
  local rel = ev[name .. "_log"]
  if rel then return fs.read(dir .. "/" .. rel) or "" end
  return ev[name] or ""
end

--- The result a step_finished event was written from.
---@param dir string
---@param ev table
---@return orrery.Result
function journal.result(dir, ev)
  local paths = {}
  for i, o in ipairs(ev.outputs or {}) do paths[i] = o.path end
  return { id = ev.id, ok = ev.status == "ok", status = ev.status, value = journal.value(ev),
    exit = ev.exit, stdout = journal.text(dir, ev, "stdout"),
    stderr = journal.text(dir, ev, "stderr"), outputs = paths, facts = ev.outputs,
    error = ev.error, key = ev.key, occurrence = ev.occurrence, digest = ev.digest,
    reason = ev.reason, seconds = ev.seconds, attempts = ev.attempts, allowed = ev.allowed,
    usage = ev.usage, saved_usage = ev.saved_usage,
    set = ev.set, set_key = ev.set_key, full = ev.full }
end

return journal
