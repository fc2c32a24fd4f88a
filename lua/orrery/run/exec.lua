-- The life of one step instance, once the engine says it may start:
--
--   when → templates → inputs → manifest → key → hit: put back | miss: execute → collect
--   → gate → store → result
--
-- It suspends wherever it must wait, and says what happens to the journal.
local cacheable = require("orrery.run.cacheable")
local conditions = require("orrery.run.conditions")
local context = require("orrery.run.context")
local depfile = require("orrery.run.depfile")
local environ = require("orrery.run.environ")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local gate = require("orrery.run.gate")
local inputs = require("orrery.run.inputs")
local key = require("orrery.run.key")
local loop = require("orrery.kernel.loop")
local manifest = require("orrery.run.manifest")
local memo = require("orrery.run.memo")
local pack = require("orrery.core.pack")
local retry = require("orrery.run.retry")
local sys = require("orrery.core.sys")
local template = require("orrery.model.template")
local time = require("orrery.time")

local exec = {}

-- The kinds that are executed here; the engine itself runs workflow and body.
local kinds = { run = true, call = true, skill = true, agent = true, workflow = true,
  body = true, approve = true, service = true }

local function kind_of(step)
  if not kinds[step.kind] then errors.raise("internal", "no kind '" .. step.kind .. "'") end
  return require("orrery.steps." .. step.kind)
end

local function emit(run, ev) run.journal:emit(ev) end

local function last_key(run, step) return "last:" .. run.workflow.name .. "\0" .. step.id end

local function last_of(run, step)
  local bytes = run.index:get(last_key(run, step))
  return bytes and pack.decode(bytes) or nil
end

local function remember_last(run, step, full, outputs)
  run.index:put(last_key(run, step), pack.encode({ full = full, outputs = outputs }))
end

local function seconds_of(v, ctx)
  if v == nil then return nil end
  if type(v) == "string" then v = template.render(v, ctx, "value") end
  return type(v) == "string" and time.parse(v) or v
end

-- Everything about one attempt that is known before it runs.
local function prepare(run, step, attempt, feedback)
  local ctx = context.new(run, step, attempt)
  ctx.feedback = feedback
  local pure, why = cacheable.pure(run, step)
  ctx.secrets = run.secrets
  local list, keyed, vars = environ.of(run, step, ctx, pure)
  ctx.env = vars
  local per_spec, files, empty = inputs.expand(run, step, ctx)
  local outputs = inputs.outputs(step, ctx)
  local out_paths = {}
  for i, o in ipairs(outputs) do out_paths[i] = o.path end
  ctx.inputs = context.named(per_spec, step.input_names)
  ctx.outputs = context.named(out_paths, step.output_names)
  ctx.with = template.deep(step.with or {}, ctx)
  local rel_cwd = step.cwd and template.render(step.cwd, ctx, "text")
  local cwd = rel_cwd and fs.normal(run.root .. "/" .. rel_cwd) or run.root
  local job = { ctx = ctx, pure = pure, why = why, env = list, keyed = keyed, vars = vars,
    files = files, empty = empty, outputs = outputs, cwd = cwd, rel_cwd = rel_cwd,
    attempt = attempt, timeout = seconds_of(step.timeout, ctx),
    depfile = step.depfile and template.render(step.depfile, ctx, "text") }
  local cache = type(step.cache) == "table" and step.cache or {}
  job.ttl, job.store = cache.ttl, cache.store
  local scope = cache.scope or (run.workflow.cache and run.workflow.cache.scope)
  job.scope = scope and template.render(scope, ctx, "text")
  return job
end

local function make_key(run, step, job)
  local kind = kind_of(step)
  local parts, prepared = kind.prepare(run, step, job.ctx)
  job.kind, job.prepared = kind, prepared
  job.manifest = manifest.build(run, step, job.ctx, parts, prepared, job)
  job.base = key.of(job.manifest)
end

-- Acquires a lock by trying; waits in the loop, never in the kernel.
local function lock(run, name)
  if not run.store then return nil end
  local wait = 0.002
  while true do
    local l = run.store:try_lock(name)
    if l then return l end
    loop.await(run.loop.core:timer(wait))
    wait = math.min(wait * 2, 0.1)
  end
end

local function result_of(step, job, fields)
  fields.status = fields.status or "ok"
  fields.ok = fields.status == "ok"
  fields.key = job.base
  fields.attempts = job.attempt
  if fields.status == "failed" and step.allow_failure then fields.allowed = true end
  return fields
end

local function paths_of(step, record_outputs, job)
  local paths = {}
  for i, o in ipairs(record_outputs) do paths[i] = o.path end
  for name, indexes in pairs(step.output_names or {}) do
    local o = job.outputs[indexes[1]]
    if o then paths[name] = o.path end
  end
  return paths
end

local function add_artifacts(run, step, outputs)
  local registry = run.registry
  if not registry then return end
  for _, o in ipairs(outputs) do
    registry:add({ name = o.path, step = step.id, path = o.path, digest = o.digest,
      type = o.path:match("%.([%w]+)$") })
  end
end

-- What dependants' keys take from a result.
local function digest_of(step, outputs, value, base)
  if #outputs > 0 then return memo.outputs_digest(outputs) end
  if step.normalize then value = step.normalize(value) end
  if value ~= nil then return key.of({ value = value }) end
  return base
end

local function finished(run, step, job, result, outcome)
  local outputs = {}
  for i, o in ipairs(outcome.facts or {}) do outputs[i] = { path = o.path, digest = o.digest } end
  emit(run, { ev = "step_finished", id = step.id, status = result.status, cached = result.cached,
    exit = result.exit, signal = outcome.signal, seconds = result.seconds, cpu = outcome.cpu,
    rss = outcome.rss, key = result.key, digest = result.digest, reason = result.reason,
    stdout = result.stdout, stderr = result.stderr, value = result.value,
    outputs = #outputs > 0 and outputs or nil, error = result.error, attempts = job.attempt,
    allowed = result.allowed })
  return result
end

-- Puts a record back; nil when it turned out not to be usable.
local function use_record(run, step, job, record, full)
  if record.root and record.root ~= run.root then return nil end
  local t0 = sys.mono()
  local clean = memo.clean(run, record)
  if not clean then
    local guard <close> = lock(run, "out:" .. run.root .. "\0" .. step.id)
    local keep = {}
    for _, o in ipairs(record.outputs) do keep[o.path] = true end
    if not step.keep then memo.remove_stale(run, last_of(run, step), keep) end
    local ok, why = memo.restore(run, record)
    if not ok then
      job.lost = why
      return nil, guard
    end
  end
  local stdout, stderr = memo.text(run, record, "stdout"), memo.text(run, record, "stderr")
  if not stdout or not stderr then return nil end
  local last = last_of(run, step)
  if not last or last.full ~= full then remember_last(run, step, full, record.outputs) end
  add_artifacts(run, step, record.outputs)
  local result = result_of(step, job, { value = record.value, exit = record.exit,
    stdout = stdout, stderr = stderr, outputs = paths_of(step, record.outputs, job),
    cached = clean and "clean" or "hit", digest = record.digest, saved = record.seconds,
    seconds = sys.mono() - t0 })
  return finished(run, step, job, result, { facts = record.outputs })
end

local function dynamic(step) return step.depfile ~= nil or step.kind == "call" end

local function lookup(run, step, job)
  local may_read = cacheable.mode(run)
  if not job.pure or not may_read or job.forced then return nil end
  local record, full = memo.find(run, job.base, dynamic(step))
  return record and use_record(run, step, job, record, full)
end

-- Why the step runs, in one line.
local function reason_of(run, step, job)
  if not job.pure then return "always (" .. job.why .. ")" end
  if job.forced then return "forced" end
  if job.lost then return job.lost end
  if run.opts.cache == "off" or not run.store then return "the cache is off" end
  local last = last_of(run, step)
  local record = last and last.full and run.store:get("memo", last.full)
  local old = record and pack.decode(record)
  if not old then return last and "its earlier result is no longer in the cache" or "first run" end
  local now = job.manifest
  if old.set then
    now = setmetatable({ found = (memo.facts(run, old.set) or {}).files }, { __index = now })
  end
  local reasons = key.diff(old.manifest, now)
  if #reasons > 0 then return key.line(reasons) end
  return "its recorded result does not fit any more"
end

local function make_parents(run, job)
  local list = {}
  for _, o in ipairs(job.outputs) do
    if not o.exclude then
      list[#list + 1] = o.glob and (o.path:match("^[^%*%?%[{]*") or "") .. "x" or o.path
    end
  end
  if job.depfile then list[#list + 1] = job.depfile end
  for _, p in ipairs(list) do
    local ok, why = fs.safe_parent(run.root, p)
    if not ok then
      return { class = "outputs", message = ("cannot make the directory of %s: %s"):format(p,
        why.message) }
    end
  end
  local st = fs.stat(job.cwd)
  if not st or st.type ~= "dir" then
    return { class = "cwd", message = ("cwd '%s' is not a directory"):format(job.rel_cwd or "") }
  end
end

-- The last record's files, but not those the step edits in place.
local function clear_outputs(run, step, job)
  if step.keep then return end
  local keep = {}
  for _, p in ipairs(job.files) do keep[p] = true end
  memo.remove_stale(run, last_of(run, step), keep)
end

local function missing_outputs(run, missing, began)
  local wrote = {}
  for _, path in ipairs(missing) do
    local dir = path:match("^(.*)/") or "."
    for _, name in ipairs(fs.list(run.root .. "/" .. dir) or {}) do
      local st = fs.lstat(run.root .. "/" .. dir .. "/" .. name)
      if st and st.type == "file" and st.mtime >= began - 1 and #wrote < 3 then
        wrote[#wrote + 1] = (dir == "." and "" or dir .. "/") .. name
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
    local abs = fs.normal(p:sub(1, 1) == "/" and p or job.cwd .. "/" .. p)
    local rel = abs:sub(1, #prefix) == prefix and abs:sub(#prefix + 1) or abs
    if not declared[rel] then
      declared[rel] = true
      files[#files + 1] = rel
    end
  end
  table.sort(files)
  return { files = files }
end

-- Inputs that are not what they were when the key was made.
local function moved(run, job, set, began)
  local own = {}
  for _, o in ipairs(job.outputs) do own[o.path] = true end
  local was = {}
  for _, f in ipairs(job.manifest.inputs or {}) do was[f[1]] = f end
  for _, f in ipairs(inputs.facts(run, job.files)) do
    if not own[f[1]] and was[f[1]][2] ~= f[2] then return f[1] end
  end
  for _, p in ipairs(set and set.files or {}) do
    local st = fs.stat(p:sub(1, 1) == "/" and p or run.root .. "/" .. p)
    if st and st.type == "file" and st.mtime > began then return p end
  end
end

local function store_result(run, step, job, result, outcome)
  local _, may_write = cacheable.mode(run)
  local full
  if job.pure and may_write and not outcome.impure then
    local changed = moved(run, job, outcome.set, outcome.began)
    if changed then
      emit(run, { ev = "message", level = "warning", id = step.id,
        text = ("%s: %s changed while it ran; the result stands, but is not remembered")
          :format(step.id, changed) })
    else
      local why
      full, why = memo.store(run, job.base, dynamic(step) and (outcome.set or {}) or nil, {
        exit = result.exit, value = result.value, stdout = result.stdout, stderr = result.stderr,
        outputs = outcome.facts, seconds = result.seconds, manifest = job.manifest,
        digest = result.digest, set = outcome.set }, { ttl = job.ttl, store = job.store })
      if not full then run:cache_trouble(why) end
    end
  elseif outcome.impure then
    result.reason = ("%s; not remembered: it uses %s"):format(result.reason, outcome.impure)
  end
  if full or #outcome.facts > 0 then remember_last(run, step, full, outcome.facts) end
end

-- What the kind came to, checked: outputs there, value good enough.
local function settle(run, step, job, outcome)
  outcome.facts = {}
  if outcome.error then return end
  for _, o in ipairs(job.outputs) do run.index:forget(run.root .. "/" .. o.path) end
  local facts, missing = memo.collect(run, step, job.outputs)
  outcome.facts = facts
  if #missing > 0 then
    outcome.error = missing_outputs(run, missing, outcome.began)
    return
  end
  if job.depfile then
    outcome.set, outcome.error = found_inputs(run, job)
    if outcome.error then return end
  end
  outcome.outputs = job.ctx.outputs
  outcome.error = gate.check(run, step, outcome, job.ctx)
end

local function env_note(run, job, outcome)
  if not job.pure or not outcome.error then return end
  local names = environ.missing(run, job.vars, (outcome.stderr or "") .. (outcome.stdout or ""))
  if #names > 0 then
    outcome.error.hint = ("%s %s set in your shell but not passed; add pass_env = { \"%s\" }")
      :format(table.concat(names, ", "), #names == 1 and "is" or "are",
      table.concat(names, '", "'))
  end
end

-- One attempt that really executes. Returns the result and its outcome.
local function attempt_once(run, step, job)
  local reason = reason_of(run, step, job)
  emit(run, { ev = "step_started", id = step.id, attempt = job.attempt, kind = step.kind,
    cmd = job.prepared.shown, reason = reason })
  local t0 = sys.mono()
  local began = sys.wall()
  local outcome
  local guard <close> = #job.outputs > 0 and lock(run, "out:" .. run.root .. "\0" .. step.id) or nil
  local bad = make_parents(run, job)
  if bad then
    outcome = { error = bad, stdout = "", stderr = "" }
  else
    clear_outputs(run, step, job)
    outcome = job.kind.execute(run, step, job.prepared, job)
  end
  outcome.began = began
  settle(run, step, job, outcome)
  env_note(run, job, outcome)
  local err = outcome.error
  local result = result_of(step, job, {
    status = err and (err.class == "cancelled" and "cancelled" or "failed") or "ok",
    value = outcome.value, exit = outcome.exit, stdout = outcome.stdout, stderr = outcome.stderr,
    outputs = paths_of(step, outcome.facts, job), error = err, reason = reason,
    seconds = sys.mono() - t0, usage = outcome.usage })
  if err then
    err.place = err.place or step.place
  else
    result.digest = digest_of(step, outcome.facts, outcome.value, job.base)
    store_result(run, step, job, result, outcome)
    add_artifacts(run, step, outcome.facts)
  end
  if outcome.note then
    emit(run, { ev = "message", level = "warning", text = step.id .. ": " .. outcome.note })
  end
  return result, outcome, guard
end

-- A failure before anything could be executed: a template, a condition, a function that
-- cannot travel.
local function failed_early(run, step, why, attempt)
  local err = { class = type(why) == "table" and why.class or "error",
    message = errors.text(why), place = step.place }
  local job = { attempt = attempt or 1 }
  local result = result_of(step, job, { status = "failed", error = err, outputs = {}, seconds = 0 })
  return finished(run, step, job, result, {})
end

local function feedback_from(err)
  return err.feedback or { err.message }
end

local function run_attempts(run, step)
  local feedback, attempt = {}, 1
  while true do
    local job = prepare(run, step, attempt, feedback)
    job.forced = cacheable.forced(run, step)
    for _, g in ipairs(attempt == 1 and job.empty or {}) do
      emit(run, { ev = "message", level = "warning", place = step.place,
        text = ("%s: input '%s' matches no file"):format(step.id, g) })
    end
    make_key(run, step, job)
    local flight <close> = job.pure and cacheable.mode(run) and not job.forced
      and lock(run, "key:" .. job.base) or nil
    local hit = attempt == 1 and lookup(run, step, job)
    if hit then return hit, flight end
    local result, outcome = attempt_once(run, step, job)
    if not result.error or not retry.due(step.retry, attempt, outcome) then
      return finished(run, step, job, result, outcome)
    end
    local wait = retry.delay(step.retry, attempt, run.random, result.error.retry_after)
    emit(run, { ev = "step_retry", id = step.id, attempt = attempt, class = result.error.class,
      message = result.error.message, delay = wait })
    if wait > 0 then loop.await(run.loop.core:timer(wait)) end
    feedback = feedback_from(result.error)
    attempt = attempt + 1
  end
end

--- Takes one step instance from "may start" to its result.
---@param run orrery.Run
---@param step orrery.Step also a member of a fan-out, with item or matrix
---@return orrery.Result
function exec.step(run, step)
  local ctx = context.new(run, step)
  local ok, pass = pcall(conditions.pass, run, step, ctx)
  if not ok then return failed_early(run, step, pass) end
  if not pass then
    emit(run, { ev = "step_skipped", id = step.id, why = "when" })
    return { ok = false, status = "skipped", outputs = {}, seconds = 0, attempts = 0 }
  end
  local good, result = pcall(run_attempts, run, step)
  if good then return result end
  if type(result) == "table" and (result.code == "cancelled" or result.code == "ECANCELLED") then
    error(result, 0)
  end
  return failed_early(run, step, result)
end

--- What would happen to a step now, for `plan`: the key is looked up, nothing runs.
---@param run orrery.Run
---@param step orrery.Step
---@return "run"|"hit"|"skip" verdict
---@return string? reason
function exec.probe(run, step)
  if not conditions.pass(run, step, context.new(run, step)) then return "skip", "when" end
  local job = prepare(run, step, 1, {})
  job.forced = cacheable.forced(run, step)
  make_key(run, step, job)
  if job.pure and not job.forced and (cacheable.mode(run)) then
    local record = memo.find(run, job.base, dynamic(step))
    if record and not (record.root and record.root ~= run.root) then
      for _, o in ipairs(record.outputs) do
        if o.digest and not run.store:has_blob(o.digest) and not memo.clean(run, record) then
          return "run", o.path .. " is no longer in the cache"
        end
      end
      return "hit", nil, record
    end
  end
  return "run", reason_of(run, step, job)
end

return exec
