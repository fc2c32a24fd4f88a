-- From what remember noted of a run to the files of kept: what the next run reads
-- when it looks (meta), what it tells when nothing changed (the middle of a journal, the
-- artifacts), and what it needs when little did (the graph).
local clean = require("orrery.run.unchanged.clean")
local fs = require("orrery.core.fs")
local graph = require("orrery.run.unchanged.graph")
local heap = require("orrery.kernel.heap")
local inputs = require("orrery.run.keys.inputs")
local json = require("orrery.core.json")
local kept = require("orrery.run.unchanged.kept")
local pack = require("orrery.core.pack")

local keeping = {}

-- The steps of this run, in the order of the file, with what was noted of them.
local function steps_of(self)
  local steps, noted, fulls = {}, {}, {}
  for _, node in ipairs(self.run.scheduler.order) do
    if node.kind == "step" then steps[#steps + 1] = node.unit end
  end
  table.sort(steps, function(a, b) return a.index < b.index end)
  for i, step in ipairs(steps) do
    local one = self.steps[step.id]
    if not one then return nil end
    noted[i], fulls[i] = one, kept.key_bytes(one.full)
  end
  return steps, noted, table.concat(fulls)
end

-- What a workflow is beside its steps, when that can be written down.
local function workflow_of(run)
  local wf = run.workflow
  local t = { name = wf.name, doc = wf.doc, file = wf.file, root = wf.root, form = wf.form,
    values = wf.values, env = wf.env, dotenv = wf.dotenv, cache = wf.cache, budget = wf.budget,
    place = wf.place }
  return pack.encode(t) and t or nil
end

local function config_of(run)
  local t = {}
  for k, v in pairs(run.config) do
    if k ~= "reads" then t[k] = v end
  end
  return pack.encode(t) and t or nil
end

-- The events of a run that finds these steps clean, but for the first and the last.
local function middle_of(self, steps)
  local f <close> = io.open(self.run.dir .. "/journal.jsonl", "rb")
  local start, plan_line = f and f:read("l"), f and f:read("l")
  if not plan_line or not plan_line:find('"ev":"plan"', 1, true) then return nil end
  local ids = pack.array({})
  for i, step in ipairs(steps) do ids[i] = step.id end
  local lines = { plan_line, json.encode({ ev = "hits", ids = ids, t = 0, v = 1 }) }
  for _, ev in ipairs(self.ended) do lines[#lines + 1] = json.encode(ev) end
  return json.decode(start), table.concat(lines, "\n") .. "\n"
end

local function finish_of(count)
  return { ev = "run_finished", v = 1, status = "ok", code = 0, work = 0,
    critical = { seconds = 0, path = pack.array({}) },
    counts = { ok = count, failed = 0, skipped = 0, cancelled = 0, cached = count, ran = 0 } }
end

-- A function is no data: what a step with one came to is known only by loading the workflow.
local function has_functions(steps)
  for _, step in ipairs(steps) do
    if step.normalize or step.gate and type(step.gate.check) == "function" then return true end
  end
  return false
end

-- A run may be without groups, or its steps are not told one by one.
local function graph_part(self, steps, noted)
  local run = self.run
  if has_functions(run.workflow.steps) then return nil end
  if #run.workflow.groups > 1 or #run.workflow.top.finally > 0 then return nil end
  inputs.owner(run, "")
  local bytes, bodies = graph.encode(run.workflow, steps, noted, #self.paths, run.owners)
  if not bytes then return nil end
  return kept.put_part(run.root, run.id .. ".graph", bytes),
    kept.put_part(run.root, run.id .. ".steps", bodies)
end

local function globs_of(self)
  local out = {}
  for id, g in pairs(self.globs) do out[id] = g.digest end
  return out
end

--- Writes down a run that was noted as a whole.
---@param self table unchanged.remember's notes
---@param blob string its file facts
function keeping.put(self, blob)
  local run, key = self.run, self.asked.key
  local steps, noted, fulls = steps_of(self)
  if not steps then return end
  local start, middle = middle_of(self, steps)
  if not middle then return end
  fs.mkdir(run.root .. "/.orrery/plans")
  local old = kept.read(run.root, key)
  local path = run.dir .. "/registry.json"
  local registry = fs.stat(path) ~= nil
  heap.sweep() -- what is written down takes memory for each step, and so did what came before
  local graph_file, steps_file = graph_part(self, steps, noted)
  heap.sweep()
  local meta = { v = kept.VERSION, env = self.env, types = self.types, stats = self.stats,
    tools = self.tools, globs = globs_of(self), cache = self.cache, day = clean.today(),
    dotenv = pack.digest(run.dotenv), workflow = workflow_of(run), config = config_of(run),
    start = start, finish = finish_of(#steps), count = #steps, files = #self.paths,
    middle = kept.put_part(run.root, run.id .. ".middle", middle),
    registry = registry and kept.link_part(run.root, run.id .. ".registry", path) or nil,
    graph = graph_file, steps = steps_file, segments = clean.segments_at_end(run, self.cache) }
  if not meta.middle or (registry and not meta.registry) then return end
  if kept.write(run.root, key, meta, fulls, blob) then
    kept.tidy(run.root, old and old.meta, meta)
  end
end

return keeping
