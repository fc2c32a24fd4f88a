-- The run in which only outputs are not what they were: with all else as it was, each step
-- still has the record it had, and what differs of the record's outputs is put back. No step
-- is made, no key; the rest of the run is told as one in which nothing changed.
--
-- What is restored here lies in the plan as what is in doubt: the next run looks at it again.
local crowd = require("orrery.run.memo.crowd")
local fs = require("orrery.core.fs")
local graph = require("orrery.run.unchanged.graph")
local kept = require("orrery.run.unchanged.kept")
local last = require("orrery.run.memo.last")
local lock = require("orrery.core.lock")
local memo = require("orrery.run.memo")
local outcome = require("orrery.run.memo.outcome")
local plan = require("orrery.core.plan")
local state = require("orrery.run.records.state")
local why = require("orrery.run.memo.why")

local putback = {}

-- So many steps are put back under their locks at a time.
local AT_ONCE = 256

local function open_graph(found)
  local meta = found.k.meta
  local bytes = meta.steps and kept.part(found.root, meta.graph)
  local read = bytes and kept.reader(found.root, meta.steps)
  return read and graph.open(bytes, read) or nil
end

-- The steps whose outputs the changed files are, in order, each with those files; nil when
-- one is not the matter of a single step.
local function makers(g, changed)
  local files, list = {}, {}
  for _, f in ipairs(changed) do
    local n = g:maker(f)
    if not n then return nil end
    if not files[n] then
      files[n] = {}
      list[#list + 1] = n
    end
    files[n][f] = true
  end
  table.sort(list)
  return list, files
end

-- Are these the outputs of a record, under the names the plan knows, and still to be had?
local function to_be_had(run, found, files, outputs)
  if #files ~= #outputs then return false end
  local root = run.root .. "/"
  for i, out in ipairs(outputs) do
    if plan.path(found.k.bytes, found.k.at, files[i]) ~= root .. out.path
      or out.digest and not run.store:has_blob(out.digest) then return false end
  end
  return true
end

-- One step with what its record says; nil when the ordinary way has more to do with it.
local function step_of(run, found, n, differ)
  local id, full = found.graph:id(n), kept.full(found.k.fulls, n)
  local record = last.stays(run.index, run.workflow.name, id, full)
    and memo.sound(run.store, full)
  local files = found.graph:made(n)
  if not record or (record.root and record.root ~= run.root)
    or not to_be_had(run, found, files, record.outputs) then return nil end
  local step = { n = n, id = id, full = full, record = record, outputs = {},
    stdout = memo.text(run, record, "stdout"), stderr = memo.text(run, record, "stderr") }
  for i, f in ipairs(files) do
    if differ[f] then step.outputs[#step.outputs + 1] = record.outputs[i] end
  end
  return step.stdout and step.stderr and step
end

local function steps_of(run, found)
  local numbers, files = makers(found.graph, found.changed)
  local steps = {}
  for i, n in ipairs(numbers or {}) do
    steps[i] = step_of(run, found, n, files[n])
    if not steps[i] then return nil end
  end
  return numbers and steps
end

-- The files of a step that have to be put back; links are put back here.
local function lacking(run, step, items)
  for _, out in ipairs(step.outputs) do
    if not memo.in_place(run, out) then
      step.moved = step.moved or {}
      table.insert(step.moved, out)
      if out.digest then
        items[#items + 1] = { digest = out.digest, rel = out.path, mode = out.mode }
      elseif not memo.restore(run, { outputs = { out } }) then
        return false
      end
    end
  end
  return true
end

-- Puts some steps back while nobody else writes their outputs.
local function restore(run, found, steps, from, to)
  local locks <close>, held = lock.open(run.root .. "/.orrery/lock"), {}
  local items = {}
  for i = from, to do
    held[i] = locks:try(found.graph:lock(steps[i].n))
    if not held[i] or not lacking(run, steps[i], items) then return false end
  end
  return #items == 0 or run.store:restore_many(run.root, items) == #items
end

-- Not all could be put back: then nothing was, so that the ordinary way tells what it does.
local function undo(run, found, steps)
  local locks <close> = lock.open(run.root .. "/.orrery/lock")
  for _, s in ipairs(steps) do
    local held <close> = s.moved and locks:try(found.graph:lock(s.n))
    for _, out in ipairs(held and s.moved or {}) do
      if memo.in_place(run, out) and fs.safe_parent(run.root, out.path) then
        fs.remove(run.root .. "/" .. out.path)
      end
    end
  end
end

-- What is told of them; what was in place, but for a bit that does not count, is clean.
local function tell(run, found, steps)
  local restored, numbers = {}, {}
  for _, s in ipairs(steps) do
    if s.moved then
      numbers[#numbers + 1] = s.n
      restored[#restored + 1] = { ev = "step_finished", v = 1, t = 0, id = s.id, kind = "run",
        status = "ok", cached = "hit", exit = s.record.exit, seconds = 0, key = s.full,
        digest = s.record.digest, reason = why.made(run, s.record), stdout = s.stdout,
        stderr = s.stderr, value = s.record.value, outputs = outcome.files(s.record.outputs),
        attempts = 1 }
    end
  end
  local ids, rest = found.graph:ids_but(numbers)
  local text = found.middle
  local first = text:find("\n", 1, true)
  local second = text:find("\n", first + 1, true)
  found.plan, found.restored = text:sub(1, first), restored
  found.middle = text:sub(second + 1)
  if #rest > 0 then
    found.middle = ('{"ev":"hits","ids":%s,"t":0,"v":1}\n'):format(ids) .. found.middle
  end
  return #restored > 0
end

local function all(run, found)
  local steps = steps_of(run, found)
  found.middle = steps and kept.part(found.root, found.k.meta.middle)
  if not found.middle then return false end
  for from = 1, #steps, AT_ONCE do
    if not restore(run, found, steps, from, math.min(from + AT_ONCE - 1, #steps)) then
      undo(run, found, steps)
      return false
    end
  end
  return tell(run, found, steps)
end

--- Puts back all that changed, or nothing: when that is all there is to do.
---@param found table from clean.find, with changed and index; has a graph afterwards
---@return boolean done found is for clean.replay now, its index closed
function putback.all(found)
  local meta = found.k.meta
  found.graph = open_graph(found)
  if not found.graph or not meta.workflow or not makers(found.graph, found.changed) then
    return false
  end
  local file <close> = lock.open(found.root .. "/.orrery/lock")
  local alone, here = crowd.alone(file)
  if not (alone and here) then return false end
  local store <close> = state.store(meta.cache, meta.config)
  if not store then return false end
  local run = { root = found.root, index = found.index, store = store,
    workflow = meta.workflow }
  if not all(run, found) then
    found.middle, found.plan, found.restored = nil, nil, nil
    return false
  end
  found.index:close()
  found.index, found.changed = nil, nil
  return true
end

return putback
