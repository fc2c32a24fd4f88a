-- One attempt that really executes: clear what is stale, execute, collect, gate, store.
local lazy = require("orrery.kernel.lazy")
local ahead = require("orrery.run.ahead")
local approval = lazy("orrery.run.gates.approval")
local artifacts = require("orrery.run.keys.artifacts")
local cacheable = require("orrery.run.keys.cacheable")
local clear = require("orrery.run.memo.clear")
local depfile = lazy("orrery.run.keys.depfile")
local environ = require("orrery.run.keys.environ")
local fs = require("orrery.core.fs")
local gate = lazy("orrery.run.gates.gate")
local inputs = require("orrery.run.keys.inputs")
local jobs = require("orrery.run.keys.job")
local key = require("orrery.run.keys.key")
local last = require("orrery.run.memo.last")
local locks = lazy("orrery.run.memo.locks")
local loop = require("orrery.kernel.loop")
local memo = lazy("orrery.run.memo")
local meter = lazy("orrery.run.agents.meter")
local outcome = require("orrery.run.memo.outcome")
local recorded = lazy("orrery.run.keys.recorded")
local still = require("orrery.run.keys.still")
local sys = require("orrery.core.sys")
local temp = require("orrery.run.keys.temp")
local why = require("orrery.run.memo.why")

local attempt = {}

local function make_parents(run, job)
  local list = {}
  for _, o in ipairs(job.outputs) do
    if not o.exclude then
      list[#list + 1] = o.glob and (o.path:match("^[^%*%?%[{]*") or "") .. "x" or o.path
    end
  end
  if job.depfile then list[#list + 1] = job.depfile end
  for _, p in ipairs(list) do
    local ok, bad = fs.safe_parent(run.root, p)
    if not ok then
      return { class = "outputs", message = ("cannot make the directory of %s: %s"):format(p,
        bad.message) }
    end
  end
  local st = job.rel_cwd and fs.stat(job.cwd)
  if job.rel_cwd and (not st or st.type ~= "dir") then
    return { class = "cwd", message = ("cwd '%s' is not a directory"):format(job.rel_cwd) }
  end
end

-- What it wrote instead: time stamps of files lag behind the clock by a tick of the kernel.
local TICK = 0.02

local function missing_outputs(run, job, missing, began)
  local wrote, read = {}, {}
  for _, p in ipairs(job.files) do read[p] = true end
  for _, path in ipairs(missing) do
    local dir = path:match("^(.*)/") or "."
    for _, name in ipairs(fs.list(run.root .. "/" .. dir) or {}) do
      local p = (dir == "." and "" or dir .. "/") .. name
      local st = fs.lstat(run.root .. "/" .. p)
      if st and st.type == "file" and st.mtime >= began - TICK and #wrote < 3 and not read[p] then
        wrote[#wrote + 1] = p
      end
    end
  end
  return { class = "outputs", message = ("exited 0 but %s %s missing%s"):format(
    table.concat(missing, ", "), #missing == 1 and "is" or "are",
    #wrote > 0 and "; it wrote " .. table.concat(wrote, ", ") or "") }
end

-- Headers of a dep file as a recorded input set: paths relative to the root where inside.
local function found_inputs(run, job)
  local full = run.root .. "/" .. job.depfile
  local text = fs.read(full)
  if not text then
    return nil, { class = "outputs", message = ("exited 0 but its depfile %s is missing")
      :format(job.depfile) }
  end
  local declared, files, prefix = {}, {}, run.root .. "/"
  for _, p in ipairs(job.files) do declared[p] = true end
  for _, p in ipairs(depfile.parse(text)) do
    local abs = fs.normal(fs.at(job.cwd, p))
    local rel = abs:sub(1, #prefix) == prefix and abs:sub(#prefix + 1) or abs
    if not declared[rel] then
      declared[rel] = true
      files[#files + 1] = rel
    end
  end
  table.sort(files)
  return { files = files }
end

-- The first path that is in one of two lists only; both are in the same order.
local function unlike(a, b)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then return a[i] or b[i] end
  end
end

-- Was a file, of which it is known only now that the step read it, touched since the step
-- began? What this run had made by then is known by its digest; others have a ctime, which
-- also a file with an older mtime gets when it takes the place of one.
local function touched(run, path, began)
  local full = fs.at(run.root, path)
  local made = run.registry and run.registry:by_name(path)
  if made and made.digest then return run.index:digest(full) ~= made.digest end
  local st = fs.stat(full)
  return st and st.type == "file" and st.ctime >= began
end

-- A header that is listed, and gone, was there when the step read it, if its directory changed
-- since the step began.
local function gone(run, path, began)
  local full = fs.at(run.root, path)
  if fs.lstat(full) then return false end
  local dir = full
  repeat dir = dir:match("^(.+)/") until not dir or fs.stat(dir)
  local st = dir and fs.stat(dir)
  return st ~= nil and st.ctime >= began
end

-- Can other files have become inputs meanwhile? Not when each is named by itself.
local function may_grow(job)
  for _, v in ipairs(job.per_spec) do
    if type(v) == "table" then return true end
  end
  return false
end

-- Inputs that are not what they were when the key was made.
local function moved(run, step, job, set, began)
  local own = {}
  for _, o in ipairs(job.outputs) do own[artifacts.anywhere(run, o.path)] = true end
  local changed = inputs.changed(run, job.files, job.manifest.inputs, own)
  if changed then return changed end
  local appeared = may_grow(job)
    and unlike(job.files, select(2, inputs.expand(run, step, job.ctx)))
  if appeared then return appeared end
  for _, p in ipairs(set and set.files or {}) do
    if touched(run, p, began) or (job.depfile and gone(run, p, began)) then return p end
  end
end

-- What lay among the outputs before the step ran, left by nobody knows whom, and was not
-- touched by it: with that the result is not one that the step made.
local function stranger(step, job, came)
  if step.keep then return nil end
  local read = {}
  for _, p in ipairs(job.files) do read[p] = true end
  for _, f in ipairs(came.facts) do
    if f.ctime < came.began and not read[f.path] then return f.path end
  end
end

-- What this left is what the next run begins with.
local function note_last(run, step, job, full, facts, unkept)
  local ttl = full and (job.ttl or job.prepared.ttl or job.kind.ttl)
  if full or unkept or #facts > 0 or last.get(run, step) then
    last.put(run, step, full, facts, { unkept = unkept or nil, edited = job.files,
      expires = ttl and sys.wall() + ttl or nil })
  end
end

-- Puts the result into the memo; its full key, or what changed meanwhile.
local function remember(run, step, job, result, came)
  local changed = moved(run, step, job, came.set, came.began)
  if changed then
    run.journal:emit({ ev = "message", level = "warning", id = step.id,
      text = ("%s: %s changed while it ran; the result stands, but is not remembered")
        :format(step.id, changed) })
    return nil, changed .. " changed while it ran"
  end
  local other = stranger(step, job, came)
  if other then return nil, other .. " was there before it ran" end
  local set = jobs.dynamic(step) and (came.set or {}) or nil
  local record = { exit = result.exit, value = result.value, stdout = result.stdout,
    stderr = result.stderr, outputs = came.facts, seconds = result.seconds, usage = result.usage,
    manifest = job.manifest, digest = result.digest, set = came.set }
  local full, bad = memo.store(run, step, job.base, set, record,
    { ttl = job.ttl or job.prepared.ttl or job.kind.ttl, store = job.store })
  job.record, job.full = record, full
  if not full then run:cache_trouble(bad) end
  return full
end

-- What a call read that the memo does not know: with it, a resumed run knows whether the
-- result still holds.
local function note_reads(run, step, job, came)
  came.reads = came.set or {}
  came.set_key = key.full(job.base, recorded.facts(run, step, came.reads))
end

local function store_result(run, step, job, result, came)
  local _, may_write = cacheable.mode(run)
  local full, changed, unkept
  if job.pure and came.used then
    unkept = came.used
    result.reason = ("%s; not remembered: %s"):format(result.reason, unkept)
  elseif job.pure and may_write and not came.impure then
    full, changed = remember(run, step, job, result, came)
    unkept = changed
  elseif job.pure and not may_write then
    unkept = run.opts.cache == "ro" and "the cache was only read" or "the cache was off"
  elseif came.impure then
    unkept = "it " .. came.impure
    if not result.reason:find(unkept, 1, true) then -- not the same twice in one line
      result.reason = ("%s; not remembered: %s"):format(result.reason, unkept)
    end
  end
  result.full = full
  if job.pure and not full and not changed and jobs.dynamic(step) then
    note_reads(run, step, job, came)
  end
  note_last(run, step, job, full, came.facts, unkept)
end

-- What the kind came to, checked: outputs there, value good enough.
local function settle(run, step, job, came)
  came.facts = {}
  if came.error then return end
  if #job.outputs > 0 then
    for _, o in ipairs(job.outputs) do run.index:forget(run.root .. "/" .. o.path) end
    local facts, missing = memo.collect(run, step, job.outputs)
    came.facts = facts
    if #missing > 0 then
      came.error = missing_outputs(run, job, missing, came.began)
      return
    end
  end
  if job.depfile then
    came.set, came.error = found_inputs(run, job)
    if came.error then return end
  end
  came.outputs = job.named
  if step.returns or step.gate then came.error = gate.check(run, step, came, job.ctx) end
end

-- The variables that a command reads, one a line.
local function reads(action, out)
  for _, word in ipairs(type(action) == "table" and action or { action }) do
    if type(word) == "table" then
      reads(word, out)
    elseif type(word) == "string" then
      for name in word:gmatch("%${?([%a_][%w_]*)") do out[#out + 1] = name end
    end
  end
  return table.concat(out, "\n")
end

local function env_note(run, step, job, came)
  if not job.pure or not came.error then return end
  local names = environ.missing(run, job.vars, ("%s%s\n%s"):format(came.stderr or "",
    came.stdout or "", step.kind == "run" and reads(step.action, {}) or ""))
  if #names > 0 then
    came.error.hint = ("%s %s set in your shell but not passed; add pass_env = { \"%s\" }")
      :format(table.concat(names, ", "), #names == 1 and "is" or "are",
      table.concat(names, '", "'))
  end
end

-- What an attempt that failed had written by then.
local function half_made(run, step, job, began)
  local out, read = {}, {}
  for _, p in ipairs(job.files) do read[p] = true end
  for _, o in ipairs(job.outputs) do run.index:forget(run.root .. "/" .. o.path) end
  for _, f in ipairs((memo.collect(run, step, job.outputs))) do
    if f.ctime >= began and not read[f.path] then out[#out + 1] = f end
  end
  return out
end

-- An attempt that its kind does not let happen now.
local function barred(step, job, err)
  err.place = step.place
  local came = { error = err, facts = {} }
  return outcome.result(step, job, { status = "failed", error = err, outputs = {}, seconds = 0 }),
    came
end

-- Kinds that launch nothing themselves.
local OUTER = { workflow = true, body = true, service = true, approve = true }

-- May it matter whether a file changed before or after the step began?
local function asks_when(step, job, strange)
  if not job.pure then return false end
  if #strange > 0 or jobs.dynamic(step) then return true end
  for _, o in ipairs(job.outputs) do
    if o.glob or o.dir then return true end
  end
  return false
end

-- The time by which files tell whether the step changed them. Files are stamped by ticks of
-- some milliseconds: what people did just before the run is told apart once its tick is over.
local function begin(run, step, job, strange)
  local now = sys.stamp()
  while now <= run.opened and asks_when(step, job, strange) do
    loop.sleep(0.001)
    now = sys.stamp()
  end
  return now
end

-- What the kind came to, in a checkout that is ready for it.
local function execute(run, step, job)
  local began = sys.stamp()
  local bad = make_parents(run, job)
  local lost, cause
  if not bad then lost, cause = temp.put_back(run, step, job.files) end
  if lost then
    bad = { class = "inputs", message = ("the temporary input %s has been lost meanwhile: %s; run "
      .. "again, then it is made again"):format(lost, cause) }
  end
  if bad then return { error = bad, stdout = "", stderr = "", began = began } end
  local strange = clear.outputs(run, step, job)
  began = begin(run, step, job, strange)
  still.over(run)
  local came = job.kind.execute(run, step, job.prepared, job)
  came.began = began
  came.used = clear.used(run, strange)
  return came
end

-- Nothing of a secret goes on from here; what was held back of the live output is shown.
local function unveil(run, step, came)
  run.secrets:clean(came)
  run.secrets:finish(run.prefix .. step.id, function(stream, data)
    run.journal:emit({ ev = "output", id = step.id, stream = stream, data = data })
  end)
end

local function announce(run, step, job, reason, reasons)
  run.slots:tell(run.journal, { ev = "step_started", id = step.id, attempt = job.attempt,
    kind = step.kind, tty = step.tty or nil, cmd = job.prepared.shown, reason = reason,
    why = why.listed(reasons) })
end

-- Keeps what it came to, for this run and for later ones.
local function conclude(run, step, job, result, came)
  local err = came.error
  if not err then
    result.digest = came.digest
      or outcome.digest(run, step, came.facts, came.value, job.base)
    store_result(run, step, job, result, came)
    outcome.register(run, step, came.facts)
    return
  end
  err.place = err.place or step.place
  if #job.outputs > 0 then last.left(run, step, half_made(run, step, job, came.began)) end
  if job.pure and err.class ~= "cancelled" then
    last.failed(run, step, err.message, job.manifest)
  end
end

--- One attempt that really executes. Raises code "budget" when it would pass the budget.
---@param run orrery.Run
---@param step orrery.Step
---@param job table from keys.job, with its key
---@return orrery.Result
---@return table came what the kind came to
function attempt.run(run, step, job)
  if run.secrets and not OUTER[step.kind] then run.secrets:fill(run, job) end
  local reasons = why.of(run, step, job)
  local reason = why.line(reasons, step.id)
  local pass <close> = job.kind.enter and job.kind.enter(run, job) or nil
  if pass and pass.error then return barred(step, job, pass.error) end
  local loan <close> = not OUTER[step.kind] and meter.launch(run, step, job) or nil
  announce(run, step, job, reason, reasons)
  local t0 = sys.mono()
  local _ <close> = #job.outputs > 0 and not job.owned
    and locks.outputs(run, step, job.outputs) or nil
  local came = execute(run, step, job)
  t0 = t0 + ahead.give_way(run, step, job, came)
  if run.secrets then unveil(run, step, came) end
  if pass then pass.came = { error = came.error } end
  meter.called(run, step, job, came, loan)
  still.over(run)
  settle(run, step, job, came)
  if came.asks and not came.error then
    came.error = approval.of_result(run, step, job, came)
  end
  env_note(run, step, job, came)
  local err = came.error
  local result = outcome.result(step, job, {
    status = err and (err.class == "cancelled" and "cancelled" or "failed") or "ok",
    value = came.value, exit = came.exit, stdout = came.stdout, stderr = came.stderr,
    outputs = outcome.paths(step, came.facts, job), error = err, reason = came.said or reason,
    seconds = outcome.seconds(sys.mono() - t0), usage = came.usage })
  conclude(run, step, job, result, came)
  if came.note then
    run.journal:emit({ ev = "message", level = "warning", text = step.id .. ": " .. came.note })
  end
  return result, came
end

--- A refused result that a person takes as it is: it counts in this run, and is not
--- remembered for others.
---@param run orrery.Run
---@param step orrery.Step
---@param job table
---@param result orrery.Result
---@param came table
---@return orrery.Result
function attempt.accept(run, step, job, result, came)
  came.error, result.error = nil, nil
  result.ok, result.status, result.allowed = true, "ok", nil
  result.outputs = outcome.paths(step, came.facts, job)
  result.digest = outcome.digest(run, step, came.facts, came.value, job.base)
  outcome.register(run, step, came.facts)
  return result
end

return attempt
