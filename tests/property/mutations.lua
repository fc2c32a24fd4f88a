-- Mistakes to make on purpose, by tests/property/mutate.lua: in `file` the text `old`, which is
-- there once, becomes `new`. The cases of CI must find each; README.md says at which seed.
return {
  { name = "env-key", says = "declared environment is in no key",
    file = "lua/orrery/run/keys/manifest.lua",
    old = "m.env = env_of(run, step, job.keyed)",
    new = "m.env = nil" },
  { name = "command-key", says = "the words of a command are in no key",
    file = "lua/orrery/steps/run.lua",
    old = "command = direct and argv or shown,",
    new = [=[command = direct and argv[1] or "x",]=] },
  { name = "tools-key", says = "digests of programs are in no key",
    file = "lua/orrery/run/keys/manifest.lua",
    old = "m.tools = tools_of(run, step, prepared, job.vars, job.cwd)",
    new = "m.tools = nil" },
  { name = "needs-key", says = "what needed steps came to is in no key",
    file = "lua/orrery/run/keys/manifest.lua",
    old = "out[id] = digest_of(run, id, job)",
    new = "out[id] = true" },
  { name = "outputs-key", says = "the names of outputs are in no key",
    file = "lua/orrery/run/keys/manifest.lua",
    old = [=[
    m.outputs = list
]=],
    new = "" },
  { name = "gate-key", says = "the gate is in no key",
    file = "lua/orrery/run/keys/manifest.lua",
    old = "m.gate = gate_of(run, step.gate)",
    new = "" },
  { name = "mode-in", says = "the executable bit of inputs does not count",
    file = "lua/orrery/run/keys/still.lua",
    old = "mode and mode & 64 ~= 0",
    new = "mode and false" },
  { name = "mode-out", says = "the executable bit of outputs does not count for dependants",
    file = "lua/orrery/run/memo.lua",
    old = [=[o.digest or "link:" .. o.link, o.mode & 64 ~= 0 }]=],
    new = [=[o.digest or "link:" .. o.link }]=] },
  { name = "link-text-out", says = "what an output links to does not count for dependants",
    file = "lua/orrery/run/memo.lua",
    old = [=[o.digest or "link:" .. o.link, o]=],
    new = [=[o.digest or "link", o]=] },
  { name = "link-input", says = "an input that is a link counts by its own text alone",
    file = "lua/orrery/run/keys/links.lua",
    old = [=[return hash.sha256(table.concat(trail, "\n")), d and fact.mode]=],
    new = "return hash.sha256(trail[1]), d and fact.mode" },
  { name = "depfile", says = "headers of a dep file are ignored",
    file = "lua/orrery/run/attempt.lua",
    old = [=[
  return { files = files }
]=],
    new = [=[
  return { files = {} }
]=] },
  { name = "moved-inputs", says = "inputs that change while the step runs are not noticed",
    file = "lua/orrery/run/attempt.lua",
    old = "local changed = moved(run, step, job, came.set, came.began)",
    new = "local changed = nil" },
  { name = "stale-outputs", says = "outputs of another variant are not removed",
    file = "lua/orrery/run/memo.lua",
    old = [=[
for _, out in ipairs(record and record.outputs or {}) do
    if not keep]=],
    new = [=[
for _, out in ipairs({}) do
    if not keep]=] },
  { name = "clean-unchecked", says = "an output in place is not compared with its record",
    file = "lua/orrery/run/memo.lua",
    old = [=[
  local same, fact = same_bytes(run, out)
  if not same or out.link then return same end]=],
    new = [=[
  local _, fact = same_bytes(run, out)
  if out.link or not fact or not fact.mode then return fs.lstat(run.root .. "/" .. out.path) ~= nil end]=] },
  { name = "mode-restore", says = "outputs are put back without their mode",
    file = "lua/orrery/run/memo.lua",
    old = "return run.store:restore(out.digest, run.root, out.path, out.mode)",
    new = "return run.store:restore(out.digest, run.root, out.path, 420)" },
  { name = "normalize", says = "normalize is ignored",
    file = "lua/orrery/run/memo/outcome.lua",
    old = "if step.normalize then value = step.normalize(value) end",
    new = "" },
  { name = "ttl", says = "ttl is ignored",
    file = "lua/orrery/run/memo.lua",
    old = "store:put(SPACE, full, bytes, { ttl = opts.ttl })",
    new = "store:put(SPACE, full, bytes)" },
  { name = "call-env", says = "variables that a function read are forgotten",
    file = "lua/orrery/run/keys/recorded.lua",
    old = "env = some(set.env) and env_of(run, set.env),",
    new = "" },
  { name = "call-looks", says = "listings that a function looked at are forgotten",
    file = "lua/orrery/run/keys/recorded.lua",
    old = "looks = some(set.looks) and looks_of(run, set.looks),",
    new = "" },
  { name = "call-files", says = "files that a function read are forgotten",
    file = "lua/orrery/run/keys/recorded.lua",
    old = "files = some(set.files) and inputs.facts(run, set.files),",
    new = "" },
  { name = "call-params", says = "params that a function read are forgotten",
    file = "lua/orrery/run/keys/recorded.lua",
    old = "params = some(set.params) and params_of(run, set.params),",
    new = "" },
  { name = "stranger", says = "a result with files of nobody knows whom is remembered",
    file = "lua/orrery/run/attempt.lua",
    old = "local other = stranger(step, job, came)",
    new = "local other = nil" },
  { name = "reads-unlocked", says = "what a step reads is not locked",
    file = "lua/orrery/run/memo/crowd.lua",
    old = [=[if all.mode ~= "crowd" or OUTER[step.kind] then return false end]=],
    new = "do return false end" },
  { name = "outputs-unlocked", says = "what a step writes is not locked",
    file = "lua/orrery/run/memo/locks.lua",
    old = [=[
  local file = run.locks
]=],
    new = [=[
  local file = nil
]=] },
  { name = "temp-lost", says = "a lost temporary file is not made again",
    file = "lua/orrery/run/memo/remake.lua",
    old = "  if turn == remake.MOST then",
    new = "  if turn > 0 then" },
  { name = "only-needs", says = "with --only any needed step counts as the same",
    file = "lua/orrery/run/memo/left.lua",
    old = [=[
  local unit = run.workflow.by_id[id]
]=],
    new = [=[
  if id then return "x" end
  local unit = run.workflow.by_id[id]
]=] },
  { name = "force-step", says = "--force=STEP is ignored",
    file = "lua/orrery/run/keys/cacheable.lua",
    old = "return force == true or named(force, step.id)",
    new = "return force == true" },
  { name = "plan-env", says = "the plan file does not look at the environment",
    file = "lua/orrery/run/unchanged/clean.lua",
    old = [=[if (os.getenv(name) or false) ~= value then return "env " .. name end]=],
    new = "" },
  { name = "plan-types", says = "the plan file does not look at what came or went",
    file = "lua/orrery/run/unchanged/clean.lua",
    old = [=[
    if (st and st.type or false) ~= kind then return path end
  end
  for path, want]=],
    new = [=[
  end
  for path, want]=] },
  { name = "plan-graph", says = "a changed file touches no step further down",
    file = "lua/orrery/run/unchanged/graph.lua",
    old = 'if not push("outs", table.remove(stack)) then return nil end',
    new = "table.remove(stack)" },
  { name = "plan-segments", says = "the plan file does not look at the cache",
    file = "lua/orrery/run/unchanged/clean.lua",
    old = "if not cache_holds(found) then",
    new = "if false then" },
  { name = "plan-dirs", says = "the plan file does not look at directories",
    file = "core/engine/planlook.c",
    old = [=[
rc ||
            !orr_dirfact_holds((char *)path.data, &r.fact, w->now, w->tick);]=],
    new = "rc;" },
  { name = "plan-links", says = "the plan file does not look at where links lead",
    file = "core/engine/planlook.c",
    old = "return is.kind != ORR_FILE_LINK || orr_plan_target(dirfd, path) == r.target;",
    new = "return true;" },
  { name = "size-mtime", says = "files are told apart by size and mtime alone",
    file = "core/engine/filememo.c",
    old = [=[
return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime == b->mtime && a->ctime == b->ctime && a->mode == b->mode &&
           a->kind == b->kind;]=],
    new = "return a->size == b->size && a->mtime == b->mtime && a->kind == b->kind;" },
  { name = "same-tick", says = "what changes within a tick is not read again",
    file = "core/engine/filememo.c",
    old = "return f->seen && newest < f->seen - margin && f->seen <= now + tick;",
    new = [=[
(void)margin;
    (void)newest;
    (void)tick;
    (void)now;
    return f->seen;]=] },
  { name = "blob-unchecked", says = "bytes from the cache are not compared with their digest",
    file = "core/engine/storeblob.c",
    old = [=[
    if (memcmp(got.bytes, d->bytes, sizeof got.bytes))
        return orr_err_set(e, ORR_ECORRUPT, "a blob is not what it says");
]=],
    new = [=[
    (void)d;
]=] },
}
