-- The run in which little changed: of a remembered run only the steps that rest on what
-- differs, and those after them, become tables and are asked; of all others it is known that
-- they are clean. What the ordinary engine sees is a workflow of those few steps, among
-- results that are there already and are read from the cache when somebody asks.
--
-- The run is told as the whole one would be: its plan, its clean steps, its artifacts.
local clean = require("orrery.run.unchanged.clean")
local context = require("orrery.run.graph.context")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local inputs = require("orrery.run.keys.inputs")
local json = require("orrery.core.json")
local kept = require("orrery.run.unchanged.kept")
local memo = require("orrery.run.memo")
local outcome = require("orrery.run.memo.outcome")
local pack = require("orrery.core.pack")
local plan = require("orrery.core.plan")
local state = require("orrery.run.records.state")

local partial = {}
local Partial = {}
Partial.__index = Partial

---------------------------------------------------------------------------
-- what the engine sees

-- The result of a step that is clean, from its record.
local function known_result(self, id)
  local n = self.graph:number(id)
  local step = n and not self.within[n] and self.graph:step(n)
  if not step then return nil end
  local full = kept.full(self.k.fulls, n)
  local bytes = self.store:get("memo", full)
  local record = bytes and pack.decode(bytes)
  if type(record) ~= "table" then return nil end
  local run = self.run
  local stdout, stderr = memo.text(run, record, "stdout"), memo.text(run, record, "stderr")
  if not stdout or not stderr then return nil end
  local job = { attempt = 1, base = not step.depfile and full or nil,
    outputs = inputs.outputs(step, context.new(run, step)) }
  local result = outcome.result(step, job, { value = record.value, exit = record.exit,
    stdout = stdout, stderr = stderr, outputs = outcome.paths(step, record.outputs, job),
    cached = "clean", digest = record.digest, saved = record.seconds, seconds = 0 })
  result.id = id
  return result
end

-- A table whose missing fields are made when they are read, once.
local function lazily(make)
  return setmetatable({}, { __index = function(t, id)
    local v = make(id)
    if v ~= nil then rawset(t, id, v) end
    return v
  end })
end

local function workflow_of(self)
  local wf = {}
  for k, v in pairs(self.k.meta.workflow) do wf[k] = v end
  wf.secrets, wf.warnings, wf.steps, wf.params = {}, {}, {}, {}
  wf.dotenv = wf.dotenv or {}
  wf.top = { id = "", place = wf.place, members = wf.steps, needs = {}, after = {}, finally = {} }
  wf.groups = { wf.top }
  wf.by_id = lazily(function(id)
    local n = type(id) == "string" and self.graph:number(id)
    return n and self.graph:step(n)
  end)
  return wf
end

-- Takes in the steps; false when one of them cannot be made.
local function take(self, numbers)
  local wf = self.workflow
  for i, n in ipairs(numbers) do
    local step = self.graph:step(n)
    if not step then return false end
    wf.steps[i], wf.by_id[step.id], self.within[n] = step, step, true
  end
  return true
end

-- What the steps need of the others must be there before any of them runs.
local function needs_are_there(self)
  for _, step in ipairs(self.workflow.steps) do
    for _, list in ipairs({ step.needs, step.after }) do
      for _, id in ipairs(list) do
        local n = self.graph:number(id)
        if n and not self.within[n] and not self.store:get("memo", kept.full(self.k.fulls, n)) then
          return false
        end
      end
    end
  end
  return true
end

local function prepare(self, found)
  local meta = found.k.meta
  self.workflow = workflow_of(self)
  self.graph = found.graph
  self.graph:of(self.workflow)
  local numbers = self.graph:touched(found.changed)
  if not numbers or not take(self, numbers) then return false end
  self.numbers = numbers
  self.middle = kept.part(found.root, meta.middle)
  local st = meta.registry and fs.stat(kept.path(found.root, meta.registry.name))
  if not self.middle or meta.registry and not (st and st.size == meta.registry.size) then
    return false
  end
  self.store = state.store(meta.cache, meta.config)
  return self.store ~= nil and needs_are_there(self)
end

-- What is read of the last run is of use to the end: the collector need not look for that long.
local CREDIT_KIB = 8192

--- The run of what differs; nil when the workflow has to be loaded. Takes found.index over.
---@param found table from clean.find, with changed
---@return table? partial with workflow and config, for engine.run's opts.partial
function partial.of(found)
  collectgarbage("step", -CREDIT_KIB)
  local meta = found.k.meta
  local self = setmetatable({ found = found, k = found.k, within = {}, index = found.index,
    total = meta.count, config = meta.config }, Partial)
  if found.graph and meta.workflow and meta.config and prepare(self, found) then
    self.results = lazily(function(id) return known_result(self, id) end)
    return self
  end
  if self.store then self.store:close() end
  found.index:close()
end

--- The run begins; it has what was opened for it.
---@param run orrery.Run
---@param sinks integer how many hear what is told; others only hear what happens
function Partial:begin(run, sinks)
  self.run, self.sinks = run, sinks
  run.owners = self.graph:owners()
end

---------------------------------------------------------------------------
-- what is told

--- Tells the plan of the whole run and the steps that are clean: the journal all of it,
--- displays what they need, the analysis what can lie on the critical path.
---@param run orrery.Run
---@param steps table of the plan of what is asked
function Partial:announce(run, steps)
  local journal, sinks = run.journal, run.journal.sinks
  local plan_line = self.middle:sub(1, self.middle:find("\n", 1, true) - 1)
  journal:raw(plan_line)
  run.analysis:take({ ev = "plan", steps = steps })
  local displays = self.sinks
  if run.opts.full_events then
    local ev = json.decode(plan_line)
    for i = 2, displays do sinks[i](ev) end
  end
  local text, ids = self.graph:ids_but(self.numbers)
  local n = self.total - #self.numbers
  run.analysis:skip(n)
  if n == 0 then return end
  journal:raw(('{"ev":"hits","ids":%s,"t":0,"v":1}'):format(text))
  local ev = { ev = "hits", ids = ids, t = 0, v = 1 }
  for i = 2, displays do sinks[i](ev) end
end

-- Writes the artifacts of the whole run, those of the others as they were; how many there are.
local function save_over(self, run, path, before)
  local own = {}
  for i, step in ipairs(self.workflow.steps) do own[i] = step.id end
  local count, why = run.registry:save_over(path, kept.path(run.root, before.name), own)
  if not count then
    errors.raise("state", ("the artifacts of the run cannot be written to %s: %s"):format(path,
      errors.text(why)), { exit = 5 })
  end
  return count
end

--- Writes the artifacts of the whole run.
---@param run orrery.Run
function Partial:save_registry(run)
  local path, before = run.dir .. "/registry.json", self.k.meta.registry
  local count = before and save_over(self, run, path, before) or run.registry:count()
  if not before and count > 0 then run.registry:save(path) end
  self.has_registry = count > 0
end

---------------------------------------------------------------------------
-- what is remembered of it

-- Does a step rest on the files it rested on?
local function same_files(self, numbers, list, paths)
  if #numbers ~= #list then return false end
  for i, n in ipairs(numbers) do
    if plan.path(self.k.bytes, self.k.at, n) ~= paths[list[i]] then return false end
  end
  return true
end

-- The facts that are new: of the steps that were asked, and those that were in doubt.
local function facts_of(self, noted)
  local numbers, digests, exec, seen = {}, {}, {}, {}
  for _, n in ipairs(self.numbers) do
    local one = noted.steps[self.graph:step(n).id]
    local files = self.graph:files(n)
    if not one or not same_files(self, files, one.files, noted.paths) then return nil end
    for i, f in ipairs(files) do
      if not seen[f] then
        seen[f] = true
        local at = one.files[i]
        numbers[#numbers + 1], digests[#numbers + 1] = f, noted.digests[at]
        exec[#numbers] = noted.exec[at]
      end
    end
  end
  local changed, others = {}, {}
  for _, f in ipairs(self.found.changed) do changed[f] = true end
  for _, f in ipairs(self.found.doubt) do
    if not seen[f] and not changed[f] then others[#others + 1] = f end
  end
  return numbers, digests, exec, others
end

-- Did the steps consult what they consulted when the whole was remembered?
local function consulted_the_same(self, noted)
  local meta = self.k.meta
  for id, g in pairs(noted.globs) do
    if meta.globs[id] ~= g.digest then return false end
  end
  for id, tool in pairs(noted.tools) do
    local old = meta.tools[id]
    if not old or old.digest ~= tool.digest then return false end
  end
  for path, kind in pairs(noted.types) do
    if meta.types[path] ~= kind then return false end
  end
  for name, value in pairs(noted.env) do
    if meta.env[name] == nil then meta.env[name] = value end
    if meta.env[name] ~= value then return false end
  end
  return meta.dotenv == pack.digest(self.run.dotenv)
end

local function fulls_of(self, noted)
  local fulls, from, out = self.k.fulls, 1, {}
  for _, n in ipairs(self.numbers) do
    out[#out + 1] = fulls:sub(from, n * 32 - 32)
    out[#out + 1] = kept.key_bytes(noted.steps[self.graph:step(n).id].full)
    from = n * 32 + 1
  end
  out[#out + 1] = fulls:sub(from)
  return table.concat(out)
end

-- The blob with the new facts; nil when they do not hold together.
local function patched(self, noted)
  local k, index = self.k, self.run.index
  local numbers, digests, exec, others = facts_of(self, noted)
  if not numbers then return nil end
  local blob = plan.patch(index, k.bytes, k.at, others)
  return blob and plan.patch(index, blob, 1, numbers, digests, exec)
end

local function write(self, noted, blob)
  local run, meta = self.run, self.k.meta
  local old = {}
  for name, value in pairs(meta) do old[name] = value end
  meta.registry = self.has_registry
    and kept.link_part(run.root, run.id .. ".registry", run.dir .. "/registry.json") or nil
  if self.has_registry and not meta.registry then return false end
  meta.segments = clean.segments_at_end(run, meta.cache)
  if not kept.write(run.root, self.found.key, meta, fulls_of(self, noted), blob) then
    return false
  end
  kept.tidy(run.root, old, meta)
  return true
end

--- The run is over: what is remembered becomes what is so now. A run that did not end well
--- leaves it as it was: the same files will differ.
---@param noted table unchanged.remember's notes of what was asked
---@param record orrery.RunRecord
function Partial:keep(noted, record)
  if record.code ~= 0 then return end
  local blob = noted:may_keep(record) and consulted_the_same(self, noted) and patched(self, noted)
  if not blob or not write(self, noted, blob) then kept.drop(self.run.root, self.found.key) end
end

return partial
