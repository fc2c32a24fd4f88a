-- What a run would do: a verdict for each step. "run" and "hit" never differ from the
-- run that follows; what hangs on a step that runs is "maybe", and says after which.
local artifacts = require("orrery.run.artifacts")
local exec = require("orrery.run.exec")
local errors = require("orrery.kernel.errors")
local fanout = require("orrery.run.fanout")
local fs = require("orrery.core.fs")
local history = require("orrery.run.history")
local index = require("orrery.core.index")
local journal = require("orrery.run.journal")
local loop = require("orrery.kernel.loop")
local memo = require("orrery.run.memo")
local results = require("orrery.run.results")
local runs = require("orrery.run.runs")
local scheduler = require("orrery.run.scheduler")
local slots = require("orrery.run.slots")
local state = require("orrery.run.state")

local plan = {}

-- Nothing is written by looking: no run directory, and no cache where none is.
local function open(run)
  run.loop = run.opts.loop or loop.new(run.opts.core)
  run.journal = journal.to(function() return run.loop:now() end, function() end)
  run.id, run.dir = "<plan>", run.root .. "/.orrery"
  run.index = fs.stat(run.root .. "/.orrery") and state.index(run.root)
    or index.open(run.root .. "/.orrery/index")
  local dir = state.cache_dir(run.root, run.process_env)
  if run.opts.cache ~= "off" and fs.stat(dir) then run.store = state.store(dir, run.config) end
  run.history = history.open(run.index, run.workflow.name)
  run.slots = slots.new(run.loop, { timers = 0 }, 1, true)
end

local function close(run)
  if run.store then run.store:close() end
  if fs.stat(run.root .. "/.orrery") then run.index:flush() end
  run.index:close()
  if not run.opts.loop then run.loop:close() end
end

-- The step that makes this one's fate unknown: one before it that will run, or whose
-- outputs are not in place yet. A group hands on what its members are.
local function unknown_from(at, ids)
  for _, id in ipairs(ids) do
    local node = at.sched.nodes[id]
    if node and at.stirs[id] then return at.stirs[id] end
    for _, m in ipairs(node and node.members or {}) do
      local from = unknown_from(at, { m.id })
      if from then return from end
    end
  end
end

local function around(node)
  local ids = table.move(node.unit.needs, 1, #node.unit.needs, 1, {})
  local g = node.owner
  while g do
    table.move(g.unit.needs, 1, #g.unit.needs, #ids + 1, ids)
    g = g.owner
  end
  return ids
end

local function note_hit(at, node, record)
  local run = at.run
  local paths = {}
  for i, o in ipairs(record.outputs) do paths[i] = o.path end
  run.results[node.id] = { ok = true, status = "ok", value = record.value, outputs = paths,
    digest = record.digest, stdout = record.stdout, exit = record.exit, seconds = 0 }
  if not artifacts.promise(run, record) and not memo.clean(run, node, record) then
    at.stirs[node.id] = node.id
  end
end

local function probe(at, node)
  local ok, verdict, reason, record = pcall(exec.probe, at.run, node.unit)
  if not ok then verdict, reason = "run", errors.text(verdict):match("^[^\n]*") end
  if verdict == "hit" then
    note_hit(at, node, record)
  elseif verdict == "skip" then
    at.run.results[node.id] = { ok = false, status = "skipped", outputs = {}, seconds = 0 }
  else
    at.stirs[node.id] = node.id
  end
  return { id = node.id, verdict = verdict, reason = reason }
end

-- Adds the verdict of a node; of its members when it fans out.
local function judge(at, node, out)
  local after = unknown_from(at, around(node))
  if after then
    at.stirs[node.id] = node.id
    out[#out + 1] = { id = node.id, verdict = "maybe", after = after }
    return
  elseif node.kind == "step" then
    out[#out + 1] = probe(at, node)
    return
  end
  local ok, members = pcall(fanout.expand, at.run, node.unit)
  if not ok then
    at.stirs[node.id] = node.id
    out[#out + 1] = { id = node.id, verdict = "run", reason = errors.text(members) }
    return
  end
  node.members = {}
  for i, member in ipairs(members) do
    node.members[i] = { id = member.id, unit = member, kind = "step", owner = node.owner }
    at.sched.nodes[member.id] = node.members[i]
    out[#out + 1] = probe(at, node.members[i])
    node.members[i].result = at.run.results[member.id]
  end
  at.run.results[node.id] = results.of_members(node)
end

-- Steps after all that they need, in file order where free.
local function in_order(sched)
  local done, out = {}, {}
  local function visit(node)
    if done[node] then return end
    done[node] = true
    for _, id in ipairs(around(node)) do
      local up = sched.nodes[id]
      if up then
        for _, m in ipairs(up.members or {}) do visit(m) end
        visit(up)
      end
    end
    if node.kind ~= "group" then out[#out + 1] = node end
  end
  for _, node in ipairs(sched.order) do
    if not node.unit.final then visit(node) end
  end
  return out
end

-- A body's calls are known only from the last time.
local function calls_of_last_time(run)
  local out = {}
  for _, id in ipairs(runs.ids(run.root)) do
    local events = journal.read(runs.dir(run.root) .. "/" .. id .. "/journal.jsonl")
    local first = events and events[1]
    if first and first.workflow == run.workflow.name then
      for _, ev in ipairs(events) do
        if ev.ev == "step_added" and ev.kind ~= "body" then
          out[#out + 1] = { id = ev.id, verdict = "maybe", reason = "called last time" }
        end
      end
      break
    end
  end
  return out
end

--- The plan of a run.
---@param run orrery.Run not opened
---@param chosen table<string, true>?
---@return { id: string, verdict: string, reason?: string, after?: string }[]
function plan.of(run, chosen)
  open(run)
  local _ <close> = setmetatable({}, { __close = function() close(run) end })
  if run.workflow.body then return calls_of_last_time(run) end
  local sched = scheduler.new(run, chosen)
  run.scheduler = sched
  local at, out = { run = run, sched = sched, stirs = {} }, {}
  for _, node in ipairs(in_order(sched)) do judge(at, node, out) end
  return out
end

return plan
