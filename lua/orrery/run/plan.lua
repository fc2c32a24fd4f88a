-- What a run would do: a verdict for each step. As long as no step fails, "run" and "hit"
-- never differ from the run that follows; what hangs on a step that runs is "maybe", and
-- says after which.
--
-- The steps are judged in the order of their needs. A step may also look at what another
-- does without needing it (a function that lists a directory, two steps that are the same
-- work): such pairs are found after a round, and the doubtful ones are "maybe" in the next.
local called = require("orrery.run.records.called")
local conditions = require("orrery.run.conditions")
local context = require("orrery.run.graph.context")
local errors = require("orrery.kernel.errors")
local fanout = require("orrery.run.graph.fanout")
local foresee = require("orrery.kernel.lazy")("orrery.run.foresee")
local fs = require("orrery.core.fs")
local history = require("orrery.run.agents.history")
local index = require("orrery.core.index")
local journal = require("orrery.run.records.journal")
local loop = require("orrery.kernel.loop")
local nested = require("orrery.run.nested")
local outcome = require("orrery.run.memo.outcome")
local probe = require("orrery.run.probe")
local results = require("orrery.run.graph.results")
local scheduler = require("orrery.run.scheduler")
local slots = require("orrery.run.graph.slots")
local sorted = require("orrery.kernel.sorted")
local state = require("orrery.run.records.state")
local still = require("orrery.run.keys.still")
local why = require("orrery.run.memo.why")

local plan = {}

---@class orrery.PlanEntry
---@field id string
---@field verdict "run"|"hit"|"maybe"|"skip"
---@field reason? string            in one line
---@field reasons? orrery.Reason[]  all of them
---@field after? string             maybe: the step that decides
---@field cause? string             maybe: why that one runs
---@field restore? boolean          hit: outputs would be put back
---@field made? string              hit: where, when in another checkout

-- Nothing is written by looking: no run directory, and no cache where none is.
local function open(run)
  run.loop = run.opts.loop or loop.new(run.opts.core)
  run.journal = journal.to(function() return run.loop:now() end, function() end)
  run.id, run.dir = "<plan>", run.root .. "/.orrery"
  run.index = fs.stat(run.root .. "/.orrery") and state.index(run.root)
    or index.open(run.root .. "/.orrery/index")
  local dir = state.cache_dir(run.root, run.process_env, run.config)
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

---------------------------------------------------------------------------
-- one workflow, one round: at = { run, sched, stirs, out, top }
-- stirs: id → the step that makes it unknown, itself or one before it
-- top: what all nested ones share (see plan.walk)

local function full_id(at, id) return at.run.prefix .. id end

-- The step that makes this one's fate unknown: one before it that will run, or whose
-- outputs are not known yet. A group hands on what its members are.
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
  local ids = {}
  local at = node
  while at do
    for _, list in ipairs({ at.unit.needs, at.unit.after }) do
      table.move(list, 1, #list, #ids + 1, ids)
    end
    at = at.owner
  end
  return ids
end

local function add(at, node, entry)
  entry.id = full_id(at, node.id)
  at.out[#at.out + 1] = entry
  return entry
end


-- Steps whose work is the same: one of them runs, the other gets its result.
local function note_work(at, node, job)
  if not job.pure or (at.run.opts.cache or "rw") ~= "rw" then return end
  local list = at.top.bases[job.base] or {}
  at.top.bases[job.base] = list
  list[#list + 1] = { id = full_id(at, node.id), forced = job.forced }
end

-- What an uncertain step would be if nothing before it changed anything.
local function note_possible_work(at, node)
  if node.kind ~= "step" then
    at.top.fans[node.unit.action] = full_id(at, node.id)
    return
  end
  local ok, job = pcall(probe.job, at.run, node.unit)
  if ok then note_work(at, node, job) end
end

local function maybe(at, node, after, text)
  note_possible_work(at, node)
  at.stirs[node.id] = after or node.id
  at.top.moving[full_id(at, node.id)] = "maybe"
  add(at, node, { verdict = "maybe", after = after and full_id(at, after),
    reason = text, cause = after and why.root(at.run, after) })
end

local function skip(at, node, reasons)
  at.run.results[node.id] = results.skipped("when")
  at.run.results[node.id].id = node.id
  add(at, node, { verdict = "skip", reason = why.line(reasons, node.id), reasons = reasons })
end

local function inner(at, node, p)
  local entries, wf = {}, nil
  local ok, came = pcall(function()
    wf = nested.load(at.run, node.unit, p.job.ctx.with)
    return plan.walk(nested.derive(at.run, node.unit, wf), nil, at.top, entries)
  end)
  table.move(entries, 1, #entries, #at.out + 1, at.out)
  if not ok or not came then return false end
  local good, value = pcall(at.run.result_of, came)
  if not good then return false end
  at.run.results[node.id] = { id = node.id, ok = true, status = "ok", value = value, outputs = {},
    digest = outcome.digest(at.run, node.unit, {}, value, p.job.base), seconds = 0 }
  return true
end

local function runs(at, node, p)
  local entry = add(at, node, { verdict = "run", reason = why.line(p.reasons, node.id),
    reasons = why.listed(p.reasons) })
  local kind = node.unit.kind
  if p.job then note_work(at, node, p.job) end
  at.top.actions[entry.id] = #node.unit.outputs == 0 and node.unit.action or nil
  if kind == "workflow" and p.job then
    if inner(at, node, p) then return end
  elseif kind == "body" then
    called.last_time(at.run, at.out, entry.id .. "/")
  end
  at.stirs[node.id] = node.id
  at.top.moving[entry.id] = "run"
end

local function hit(at, node, p)
  local exact = probe.take(at.run, node.unit, p)
  add(at, node, { verdict = "hit", restore = not p.clean or nil,
    made = why.made(at.run, p.record) and p.record.made.root,
    reason = not p.clean and (why.made(at.run, p.record) or "to restore") or nil })
  if not p.clean then at.top.moving[full_id(at, node.id)] = "hit" end
  if not exact then at.stirs[node.id] = node.id end
end

-- A service is known by its key; whether it starts hangs on those that use it.
local function judge_service(at, node)
  local ok, result = pcall(foresee.offer, at.run, node.unit)
  if not ok then
    at.stirs[node.id] = node.id
    return add(at, node, { verdict = "run", reason = errors.text(result):match("^[^\n]*") })
  end
  at.run.results[node.id], node.result = result, result
  at.services[#at.services + 1] = { id = node.id, of = node.unit.member_of,
    entry = add(at, node, { verdict = "hit" }) }
end

local function judge_step(at, node)
  if node.unit.kind == "service" then return judge_service(at, node) end
  local ok, p = pcall(probe.step, at.run, node.unit)
  if not ok then
    local text = errors.text(p):match("^[^\n]*")
    p = { verdict = "run", reasons = { { kind = "error", text = text } } }
    at.run.why[node.id] = p.reasons
  end
  if p.touches then at.top.touches[full_id(at, node.id)] = p.touches end
  if p.verdict == "hit" then
    hit(at, node, p)
  elseif p.verdict == "skip" then
    skip(at, node, p.reasons)
  else
    runs(at, node, p)
  end
  node.result = at.run.results[node.id]
end

local function judge_fan(at, node)
  local ok, members = pcall(fanout.expand, at.run, node.unit)
  if not ok then
    at.stirs[node.id] = node.id
    add(at, node, { verdict = "run", reason = errors.text(members) })
    return
  end
  node.members = {}
  for i, member in ipairs(members) do
    local m = { id = member.id, unit = member, kind = "step", owner = node.owner }
    node.members[i], at.sched.nodes[member.id] = m, m
    local doubt = at.top.doubts[full_id(at, m.id)]
    if doubt then maybe(at, m, nil, doubt) else judge_step(at, m) end
  end
  at.run.results[node.id] = results.of_members(node)
  node.result = at.run.results[node.id]
end

-- Policies that leave it to chance who starts, or ends.
local certain = { stop = true, settled = true, fail_fast = true }

local function around_policy(node)
  local g = node.owner
  while g do
    local spec = g.unit.policy
    if spec and not (certain[spec.module] and not spec.fn) then
      return ("the policy of %s decides (%s)"):format(g.id ~= "" and g.id or "the workflow",
        spec.fn and "a function" or spec.module)
    end
    g = g.owner
  end
end

-- Is it in a group whose condition is false? With `own`, a group's own counts, too.
local function closed(at, node, own)
  local g = own and node or node.owner
  while g do
    local unit = g.unit
    if unit.when ~= nil and not conditions.pass(at.run, unit, context.new(at.run, unit)) then
      return true
    end
    g = g.owner
  end
  return false
end

local function judge(at, node)
  local after = unknown_from(at, around(node))
  if after then return maybe(at, node, after) end
  local doubt = at.top.doubts[full_id(at, node.id)] or around_policy(node)
  if doubt then return maybe(at, node, nil, doubt) end
  local ok, is_closed = pcall(closed, at, node)
  if ok and is_closed then
    return skip(at, node, { { kind = "when", text = "the condition of its group is false" } })
  end
  if node.kind == "step" then judge_step(at, node) else judge_fan(at, node) end
end

-- What cleans up runs whatever happened; what it is to do may depend on it.
local function judge_final(at, node)
  local first = next(at.top.moving)
  if first and (node.unit.when ~= nil or node.unit.inputs or node.kind ~= "step") then
    return maybe(at, node, nil, "when all else is over")
  end
  judge(at, node)
end

-- Steps after all that they need, in file order where free; groups after their members.
local function in_order(sched)
  local done, out, finals = {}, {}, {}
  local function visit(node)
    if done[node] then return end
    done[node] = true
    for _, id in ipairs(around(node)) do
      if sched.nodes[id] then visit(sched.nodes[id]) end
    end
    for _, m in ipairs(node.kind == "group" and node.members or {}) do visit(m) end
    out[#out + 1] = node
  end
  for _, node in ipairs(sched.order) do
    if node.unit.final then finals[#finals + 1] = node else visit(node) end
  end
  return out, finals
end

-- A group is what its members are, when all of them are known.
local function settle_group(at, node)
  if not node.transparent then
    local ok, is_closed = pcall(closed, at, node, true)
    if ok and is_closed then
      at.run.results[node.id] = results.skipped("when")
      node.result = at.run.results[node.id]
      return
    end
  end
  for _, m in ipairs(node.members) do
    if not m.result then return end
  end
  at.run.results[node.id] = results.of_members(node)
  node.result = at.run.results[node.id]
end

--- Judges the steps of one workflow, into a list.
---@param run orrery.Run
---@param chosen table<string, true>?
---@param top table shared by nested ones, by id with their prefix: doubts (why it is "maybe"),
---  touches, moving ("run", "hit", "maybe": it changes, or may change, something), actions;
---  bases (base key → ids), fans (action → the fan whose members are not known yet), scopes
---  (prefix → run)
---@param out orrery.PlanEntry[]
---@return orrery.Run? run when all it comes to is known now
function plan.walk(run, chosen, top, out)
  top.scopes[run.prefix] = run
  if run.workflow.body then
    called.last_time(run, out, run.prefix)
    return nil
  end
  run.scheduler = scheduler.new(run, chosen)
  local at = { run = run, sched = run.scheduler, stirs = {}, out = out, top = top,
    services = {} }
  local nodes, finals = in_order(run.scheduler)
  for _, node in ipairs(nodes) do
    if node.kind == "group" then settle_group(at, node) else judge(at, node) end
  end
  for _, node in ipairs(finals) do judge_final(at, node) end
  if #at.services > 0 then foresee.settle(run, at.services, out) end
  return next(at.stirs) == nil and run or nil
end

---------------------------------------------------------------------------
-- rounds

local function first_other(moving, id)
  for other in sorted.pairs(moving) do
    if other ~= id then return other end
  end
end

-- The doubts that this round raises about what it was sure of; true when there are new ones.
local function new_doubts(top, out)
  local added = false
  local sure = {}
  for _, e in ipairs(out) do sure[e.id] = e.verdict ~= "maybe" and e.verdict end
  local function doubt(id, text)
    if sure[id] and not top.doubts[id] then
      top.doubts[id] = text
      added = true
    end
  end
  for _, list in pairs(top.bases) do
    for i, one in ipairs(#list > 1 and list or {}) do
      if not one.forced then
        doubt(one.id, ("it is the same work as %s"):format(list[i == 1 and 2 or 1].id))
      end
    end
  end
  for id, action in pairs(top.actions) do
    if top.fans[action] then
      doubt(id, ("it may be the same work as one of %s"):format(top.fans[action]))
    end
  end
  for id, touches in pairs(top.touches) do
    local prefix = id:match("^(.*/)") or ""
    for other, how in pairs(touches) do
      local moves = top.moving[prefix .. other]
      local by = other == "*" and first_other(top.moving, id)
        or moves and (moves ~= "hit" or how == "disk") and prefix .. other
      if by then doubt(id, ("it looks at what %s may change"):format(by)) end
    end
  end
  return added
end

local function fresh(run)
  run.results, run.why, run.moved, run.conditions = {}, {}, {}, {}
  run.overlay, run.temps, run.still = nil, nil, still.new()
end

--- The plan of a run.
---@param run orrery.Run not opened
---@param chosen table<string, true>?
---@param see? fun(entries: orrery.PlanEntry[], scopes: table<string, orrery.Run>) looks, before
---  all is closed, at the run, "", and by the prefix of their ids at those of workflows inside
---@return orrery.PlanEntry[]
function plan.of(run, chosen, see)
  open(run)
  local _ <close> = setmetatable({}, { __close = function() close(run) end })
  local doubts = {}
  while true do
    fresh(run)
    local out, top = {}, { doubts = doubts, bases = {}, touches = {}, moving = {}, fans = {},
      actions = {}, scopes = {} }
    plan.walk(run, chosen, top, out)
    if not new_doubts(top, out) then
      if see then see(out, top.scopes) end
      return out
    end
  end
end

return plan
