-- The memo: key → result, across runs. Finds a record, puts its outputs back, stores one.
--
-- Two levels: the base key leads to a few recorded input sets (headers of a depfile, files
-- a function read); each set, digested now, gives a full key and its record.
local artifacts = require("orrery.run.keys.artifacts")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local inputs = require("orrery.run.keys.inputs")
local key = require("orrery.run.keys.key")
local lazy = require("orrery.kernel.lazy")
local manifests = lazy("orrery.run.memo.manifests")
local pack = require("orrery.core.pack")
local recorded = lazy("orrery.run.keys.recorded")
local still = require("orrery.run.keys.still")
local temp = require("orrery.run.keys.temp")

local memo = {}

local SPACE, SETS = "memo", "sets"
local MAX_SETS = 8
local INLINE = 16 * 1024

local function unpack(bytes)
  if not bytes then return nil end
  local v = pack.decode(bytes)
  return type(v) == "table" and v or nil
end

--- A record by its full key, its paths as they are stored.
---@param store core.Store
---@param full string
---@return table?
function memo.record(store, full) return unpack(store:get(SPACE, full)) end

local function is_output(out)
  return type(out) == "table" and type(out.path) == "string" and math.type(out.mode) == "integer"
    and (type(out.link) == "string" or type(out.digest) == "string" and #out.digest == 64)
end

--- The record under a full key, its paths as they are stored; nil when it is none that a run
--- wrote. Where its paths lead is looked at when they are used.
---@param store core.Store
---@param full string
---@return table?
function memo.sound(store, full)
  local record = unpack(store:get(SPACE, full))
  if not record or type(record.outputs) ~= "table" then return nil end
  for _, out in ipairs(record.outputs) do
    if not is_output(out) then return nil end
  end
  return record
end

--- Looks a base key up.
---@param run orrery.Run
---@param step orrery.Step
---@param base string
---@param dynamic boolean may the step have recorded input sets?
---@return table? record
---@return string? full the full key of the record
function memo.find(run, step, base, dynamic)
  local store = run.store
  if not store then return nil end
  if not dynamic then
    return artifacts.of_record(run, memo.sound(store, base)), base
  end
  local sets = unpack(store:get(SETS, base))
  for _, set in ipairs(sets or {}) do
    local full = key.full(base, recorded.facts(run, step, set))
    local record = memo.sound(store, full)
    if record then return artifacts.of_record(run, record), full end
  end
end

-- Are the bytes of an output, or what it links to, those of the record?
local function same_bytes(run, out)
  local d, fact = run.index:digest(run.root .. "/" .. out.path)
  if out.link then return d == hash.sha256("link:" .. out.link) and fact.kind == "link" end
  return d == out.digest and fact.kind ~= "link", fact
end

--- Is an output of a record in place and right?
---@param run orrery.Run of which root and index are asked
---@param out table
---@return boolean
function memo.in_place(run, out)
  local same, fact = same_bytes(run, out)
  if not same or out.link then return same end
  still.put(run, out.path, out.digest, fact.mode)
  return (fact.mode & 73 ~= 0) == (out.mode & 73 ~= 0)
end

--- Are all outputs of a record in place and right? A temporary one may be absent.
---@param run orrery.Run
---@param step orrery.Step
---@param record table
---@return boolean
function memo.clean(run, step, record)
  for _, out in ipairs(record.outputs) do
    if not memo.in_place(run, out) and not temp.may_be_absent(run, step, out) then return false end
  end
  for _, out in ipairs(record.outputs) do
    if out.digest then run.store:touch(out.digest) end
  end
  return true
end

local function put_back(run, out)
  if out.link then
    local ok, why = fs.safe_parent(run.root, out.path)
    if not ok then return nil, why end
    fs.remove(run.root .. "/" .. out.path)
    return fs.symlink(out.link, run.root .. "/" .. out.path)
  end
  return run.store:restore(out.digest, run.root, out.path, out.mode)
end

--- The recorded input sets that a base key leads to.
---@param run orrery.Run
---@param base string
---@return table[]
function memo.sets(run, base) return run.store and unpack(run.store:get(SETS, base)) or {} end

--- What of a record could not be put back; nil: all is there.
---@param run orrery.Run
---@param step orrery.Step
---@param record table
---@return string?
function memo.lost(run, step, record)
  for _, out in ipairs(record.outputs) do
    if out.digest and not memo.in_place(run, out) and not run.store:has_blob(out.digest)
      and not temp.may_be_absent(run, step, out) then
      return out.path
    end
  end
  for _, name in ipairs({ "stdout", "stderr" }) do
    local blob = record[name .. "_blob"]
    if blob and not run.store:has_blob(blob) then return name end
  end
end

-- A file is not what it was. A link may have led anywhere.
local function changed(run, out)
  run.index:forget(run.root .. "/" .. out.path)
  if out.link then still.over(run) else still.forget(run, out.path) end
end

--- Puts the outputs of a record back; what is in place and right is left alone.
---@param run orrery.Run
---@param record table
---@return boolean ok false: a blob is gone or damaged, count it as a miss
---@return string? why
function memo.restore(run, record)
  for _, out in ipairs(record.outputs) do
    if not memo.in_place(run, out) then
      if out.digest and not run.store:has_blob(out.digest) then
        return false, ("%s is no longer in the cache"):format(out.path)
      end
      local ok, why = put_back(run, out)
      changed(run, out)
      if not ok then return false, why and why.message end
      if out.digest then still.put(run, out.path, out.digest, out.mode) end
    end
  end
  return true
end

-- Did a step leave this as its own: unchanged since, and by now no other step's output? What
-- a link leads to outside the root is nobody's.
local function is_left(run, step, out)
  local owner = inputs.owner(run, out.path)
  return (not owner or owner == step.id) and fs.inside(out.path) and same_bytes(run, out)
    and fs.safe_parent(run.root, out.path)
end

--- Removes what a record of this step put into its outputs and is unchanged since, except
--- what 'keep' names.
---@param run orrery.Run
---@param step orrery.Step
---@param record table? { outputs = … } of the last time
---@param keep table<string, true>
---@return boolean any was something removed?
function memo.remove_stale(run, step, record, keep)
  local any = false
  for _, out in ipairs(record and record.outputs or {}) do
    if not keep[out.path] and is_left(run, step, out) then
      fs.remove(run.root .. "/" .. out.path)
      changed(run, out)
      any = true
    end
  end
  return any
end

-- One collected output as a fact: { path, digest, mode } or { path, link }; when it was last
-- changed goes with it, but into no record.
local function fact_of(run, path, st)
  local full = run.root .. "/" .. path
  st = st or fs.lstat(full)
  if not st then return nil end
  if st.type == "link" then
    return { path = path, link = fs.readlink(full), mode = 511, ctime = st.ctime }
  end
  if st.type ~= "file" then return nil end
  local d = run.index:digest(full)
  return d and { path = path, digest = d, mode = st.mode, ctime = st.ctime, size = st.size }
end

-- Does one of these files fit an output that is a glob, and none of those that exclude?
local function any_fits(spec, specs, found)
  local patterns = { spec.path }
  for _, other in ipairs(specs) do
    if other.exclude then patterns[#patterns + 1] = "!" .. other.path end
  end
  for _, path in ipairs(found or {}) do
    if fs.match(patterns, path) then return true end
  end
  return false
end

--- The files that a step's declared outputs came to.
---@param run orrery.Run
---@param step orrery.Step
---@param specs orrery.PathSpec[] rendered
---@return table[] facts sorted by path, without repeats
---@return string[] missing declared outputs that are not there
function memo.collect(run, step, specs)
  local seen, facts, missing = {}, {}, {}
  local function add(path, st)
    local owner = inputs.owner(run, path)
    if seen[path] or (owner and owner ~= step.id) then return false end
    seen[path] = true
    local f = fact_of(run, path, st)
    if f then facts[#facts + 1] = f end
    return f ~= nil
  end
  local patterns = {}
  for _, spec in ipairs(specs) do
    local st = not spec.glob and not spec.exclude and fs.lstat(run.root .. "/" .. spec.path)
    if spec.exclude then
      patterns[#patterns + 1] = "!" .. spec.path
    elseif spec.glob then
      patterns[#patterns + 1] = spec.path
    elseif st and st.type == "dir" and artifacts.holds(spec.path) then
      for _, p in ipairs(artifacts.files(run, spec.path)) do add(p) end
    elseif st and st.type == "dir" then
      patterns[#patterns + 1] = spec.path .. "/**"
    elseif not st and not spec.optional then
      missing[#missing + 1] = spec.path
    elseif st then
      add(spec.path, st)
    end
  end
  if #patterns > 0 then
    local found = fs.glob(patterns, { root = run.root, ignore = false })
    for _, p in ipairs(found or {}) do add(p) end
    for _, spec in ipairs(specs) do
      if spec.glob and not spec.exclude and not spec.optional and not any_fits(spec, specs, found)
      then
        missing[#missing + 1] = spec.path
      end
    end
  end
  table.sort(facts, function(a, b) return a.path < b.path end)
  return facts, missing
end

--- A digest over collected outputs.
---@param run orrery.Run
---@param outputs table[]
---@return string
function memo.outputs_digest(run, outputs)
  local list = {}
  for i, o in ipairs(outputs) do
    list[i] = { artifacts.anywhere(run, o.path), o.digest or "link:" .. o.link, o.mode & 64 ~= 0 }
  end
  return key.of(list)
end

--- Are these files what a digest of outputs says?
---@param run orrery.Run
---@param paths string[]
---@param digest string
---@return boolean
function memo.stand(run, paths, digest)
  local facts = {}
  for i, path in ipairs(paths) do
    facts[i] = fact_of(run, path)
    if not facts[i] then return false end
  end
  return memo.outputs_digest(run, facts) == digest
end

-- The bytes of an output, if they are few: small files are read once.
local function text_of(run, out, most)
  if not out.digest or not out.size or out.size > most then return nil end
  return fs.read(run.root .. "/" .. out.path)
end

local function contains_root(run, out, text)
  text = text or text_of(run, out, 4 * 1024 * 1024)
  return text ~= nil and text:find(run.root, 1, true) ~= nil
end

local function put_output(run, out, text)
  local d, why
  if text then
    d, why = run.store:put_blob(text)
  elseif not out.digest or run.store:has_blob(out.digest) then
    return true
  else
    d, why = run.store:put_file(run.root .. "/" .. out.path)
  end
  if d and d ~= out.digest then
    why = { code = "ECHANGED", message = out.path .. " changed while it was stored" }
  end
  return d == out.digest, why
end

-- Stores the bytes of outputs; a record of files that name this root is for it alone.
local function put_outputs(run, record, stores)
  for _, out in ipairs(record.outputs) do
    local text = text_of(run, out, INLINE)
    if stores then
      local ok, why = put_output(run, out, text)
      if not ok then return nil, why end
    end
    if not record.root and contains_root(run, out, text) then record.root = run.root end
  end
  return true
end

local function put_text(run, record, name)
  local text = record[name]
  if text and #text > INLINE then
    local d = run.store:put_blob(text)
    if d then record[name], record[name .. "_blob"] = nil, d end
  end
end

--- The text of a log of a record, wherever it lies; nil when it is lost.
---@param run orrery.Run
---@param record table
---@param name "stdout"|"stderr"
---@return string?
function memo.text(run, record, name)
  local blob = record[name .. "_blob"]
  if blob then return run.store:get_blob(blob) end
  return record[name] or ""
end

--- Stores a result.
---@param run orrery.Run
---@param step orrery.Step
---@param base string
---@param set table? recorded input set
---@param record table outputs, value, stdout, stderr, seconds, manifest
---@param opts { ttl?: number, store?: boolean }
---@return string? full key, nil when it could not be stored
---@return any why
function memo.store(run, step, base, set, record, opts)
  local store = run.store
  record.step, record.workflow = step.id, run.workflow.name -- for those who look
  local put, bad = put_outputs(run, record, opts.store ~= false)
  if not put then return nil, bad end
  record.outputs = artifacts.for_record(run, record.outputs)
  put_text(run, record, "stdout")
  put_text(run, record, "stderr")
  local facts = set and recorded.facts(run, step, set)
  record.facts = recorded.kept(facts)
  record.looks = set and set.looks -- for changes.touched: the patterns, too
  record.made = { root = run.root, run = run.id }
  local full = key.full(base, facts)
  local bytes, why = pack.encode(record, "result")
  if not bytes then return nil, why end
  local ok, why2 = store:put(SPACE, full, bytes, { ttl = opts.ttl })
  if not ok then return nil, why2 end
  if set then
    local sets = unpack(store:get(SETS, base)) or {}
    local mine = pack.digest(set)
    local kept = { set }
    for _, s in ipairs(sets) do
      if #kept < MAX_SETS and pack.digest(s) ~= mine then kept[#kept + 1] = s end
    end
    store:put(SETS, base, pack.encode(kept), { ttl = opts.ttl })
  end
  manifests.note(run, step, full)
  return full
end

return memo
