-- The `w` of bodies: a ctx plus starters. Each call makes a step, gives it to the
-- scheduler, suspends until it has ended, and returns its result record or raises its
-- error. What a body started and did not wait for ends with it.
--
-- Calls are known by the scope they are made in: the body, or one item of w:parallel.
-- A scope numbers its ids, so that they are the same in the next run, and knows the call
-- before, for that is an edge of the run's critical path.
local approval = require("orrery.run.gates.approval")
local body_service = require("orrery.kernel.lazy")("orrery.run.services.body_service")
local build = require("orrery.model.build")
local check = require("orrery.kernel.check")
local clauses = require("orrery.model.clauses")
local context = require("orrery.run.graph.context")
local errors = require("orrery.kernel.errors")
local fan = require("orrery.model.fan")
local functions = require("orrery.model.functions")
local group = require("orrery.run.graph.group")
local keep = require("orrery.run.body.keep")
local loop = require("orrery.kernel.loop")
local make = require("orrery.model.step")
local nearest = require("orrery.kernel.nearest")
local pack = require("orrery.core.pack")
local place = require("orrery.model.place")
local policies = require("orrery.run.graph.policies")
local report = require("orrery.model.report")
local results = require("orrery.run.graph.results")
local shown = require("orrery.run.graph.shown")

local body = {}
local W = {}

-- Of each w its run, first scope and ctx, out of the way of its fields.
local inside = setmetatable({}, { __mode = "k" })

---------------------------------------------------------------------------
-- scopes

local function new_scope(prefix, node)
  return { prefix = prefix, node = node, used = {}, running = {} }
end

-- A name in a scope: the second use of "agent:judge" is "agent:judge#2".
local function unique(scope, id)
  local n = (scope.used[id] or 0) + 1
  scope.used[id] = n
  return scope.prefix .. (n == 1 and id or id .. "#" .. n)
end

-- Ends what a scope left running, and waits for it.
local function leave(scope, sched)
  for node in pairs(scope.running) do sched:cancel(node, "cancelled") end
  for node in pairs(scope.running) do loop.shielded(sched.wait, sched, node) end
end

-- A scope that waits for an approval does so for good: a body that catches the error makes no
-- further call, so that nothing happens which the answer might have forbidden.
local function wait_for(scope, id)
  scope.waits = scope.waits or id
  errors.raise("waiting", scope.waits .. " waits for an approval", { class = "waiting" })
end

-- Calls fn with the running task in this scope.
local function within(scope, sched, fn, ...)
  local task = loop.current("body")
  local before = task.scope
  task.scope = scope
  local _ <close> = setmetatable({}, { __close = function()
    leave(scope, sched)
    task.scope = before
  end })
  local value = fn(...)
  if scope.waits then wait_for(scope) end
  local digest, err = pack.digest(value, "its value")
  if not digest then errors.raise("result", errors.text(err)) end
  return value
end

---------------------------------------------------------------------------
-- calls

-- "file:line: " of the body's line that is being run.
local function here()
  local at = place.caller()
  return at.line and ("%s:%d: "):format(at.file, at.line) or ""
end

-- The run of w and the scope of the running task. A missing w means a dot for a colon.
local function enter(w, verb)
  local own = inside[w]
  if not own then errors.raise("usage", ("%suse a colon: w:%s(…)"):format(here(), verb)) end
  local task = loop.current("w:" .. verb)
  local scope = task.scope or own.scope
  if scope.waits then wait_for(scope) end
  return own, scope
end

local function new_step(own, id, given, fields, at)
  local r = report.new(own.run.workflow.box and own.run.workflow.box.sources)
  local why = make.bad_id(given)
  if why then r:error(at, why) end
  local into = own.into
  into.report = r
  local step = make.make(build.node("step", id, fields, at), into)
  if step and step.kind == "call" and type(step.action) == "function" and own.run.workflow.box then
    functions.check(step.action, step.kind, own.run.workflow.box, r)
  end
  if r.failed then errors.invalid(r:sorted()) end
  step.node = nil
  if step.with then step.verbatim = true end
  if step.kind == "call" then step.in_body = true end
  return step
end

local function announce(own, scope, node)
  own.run.journal:emit({ ev = "step_added", id = node.id, kind = node.unit.kind,
    fan = node.kind == "fan" or nil, needs = { scope.last } })
end

-- Was there anything in a scope that really ran? A group says it by its members.
local function note_work(scope, result)
  if not result.results then
    scope.ran, scope.served = scope.ran or not result.cached, true
    return
  end
  for _, r in ipairs(result.results) do note_work(scope, r) end
end

-- Waits for a unit this scope started.
local function await(own, scope, node)
  scope.running[node] = true
  local result = own.sched:wait(node)
  scope.running[node] = nil
  scope.last = node.id
  note_work(scope, result)
  return result
end

local function raise(scope, node, result)
  if result.waiting then wait_for(scope, node.id) end
  local e = result.error or { class = result.status, message = result.status }
  errors.raise(e.class or "failed", ("%s: %s"):format(node.id, e.message or "failed"),
    { class = e.class, step = node.id, result = result, place = node.unit.place })
end

local function call(own, scope, id, fields)
  local at = place.caller(own.at) -- the calls of a loop are all made in one line
  own.at = at
  local step = new_step(own, type(id) == "string" and unique(scope, id) or "?", id, fields, at)
  step.held = step.kind == "service" or nil
  step.lent = #own.held == 0 and own.lent or body_service.lent(own.held, own.lent)
  local node = own.sched:add(step, scope.node)
  announce(own, scope, node)
  own.sched:begin(node)
  local result = await(own, scope, node)
  local by_condition = result.status == "skipped" and not result.waiting
    and result.why ~= "failed"
  if not result.ok and not result.allowed and not by_condition then raise(scope, node, result) end
  return shown.record(result)
end

-- A short id from a command: its first word.
local function first_word(cmd)
  local word = type(cmd) == "table" and cmd[1] or cmd
  word = tostring(word):match("^%s*(%S+)") or "command"
  return (word:match("[^/]+$") or word):gsub("[%[%]%c]", "_")
end

local DEFAULT_ID = {
  run = function(v) return "run:" .. first_word(v) end,
  agent = function(v) return "agent:" .. v end,
  skill = function(v) return "skill:" .. v end,
  workflow = function(v) return "workflow:" .. v end,
  call = function(v) return type(v) == "string" and "call:" .. v:gsub(".*:", "") or "call" end,
  approve = function() return "approve" end,
}

local NEEDED = { run = "a command", agent = "a role", skill = "a name", workflow = "a name",
  call = "a function", approve = "a question" }

local function starter(kind)
  return function(w, value, t)
    local own, scope = enter(w, kind)
    if value == nil then
      errors.raise("usage", ("%sw:%s needs %s first"):format(here(), kind, NEEDED[kind]))
    end
    local fields = {}
    for k, v in pairs(t or {}) do fields[k] = v end
    local id = fields.id or DEFAULT_ID[kind](value)
    fields.id, fields[kind] = nil, value
    return call(own, scope, id, fields)
  end
end

for kind in pairs(DEFAULT_ID) do W[kind] = starter(kind) end

--- Runs a step with the fields of o.step; returns its result record.
---@param id string
---@param fields table
---@return orrery.Result
function W:step(id, fields)
  local own, scope = enter(self, "step")
  return call(own, scope, id, fields)
end

--- Holds a service: it is up while calls made before it is closed really run.
--- local db <close> = w:service("db", { service = "./server {{port}}" })
---@param first string|table the id, when t has service; else the command
---@param t? table the fields of the step
---@return table service { id, port }
function W:service(first, t)
  local own, scope = enter(self, "service")
  if type(first) ~= "string" and type(first) ~= "table" then
    errors.raise("usage", here() .. "w:service needs an id or a command first")
  end
  local id, fields = body_service.fields(first, t, first_word)
  require("orrery.run.services").prepare(own.run, own.sched)
  local result = call(own, scope, id, fields)
  return body_service.hold(own.run, own.held, result.id)
end

---------------------------------------------------------------------------
-- parallel

-- One item of w:parallel, as an executor of its unit. In the item's task.
local function perform_item(own, node)
  local item = node.unit
  local scope = new_scope(item.id .. "/", node)
  local t0 = own.run.loop:now()
  own.run.journal:emit({ ev = "step_started", id = item.id, attempt = 1, kind = "body" })
  local ok, value = loop.try(within, scope, own.sched, item.fn, item.item, item.position)
  local result
  if not ok and approval.is_waiting(value) then return approval.waits(own.run, item, value) end
  if ok then
    result = { ok = true, status = "ok", value = value, outputs = {}, attempts = 1,
      cached = scope.served and not scope.ran and "clean" or nil }
  else
    result = results.failure(value, errors.is(value) and value.class or nil)
  end
  result.seconds = own.run.loop:now() - t0
  own.run.journal:finished(item, result)
  return result
end

local PARALLEL = { limit = "integer", policy = "string|table|function",
  label = "string|function" }

local function labels(opts, items, own)
  local spec = { kind = "for_each", label = type(opts.label) == "string" and opts.label or nil }
  local entries = fan.entries(spec, items, own.ctx)
  if type(opts.label) == "function" then
    for _, e in ipairs(entries) do
      e.label = tostring(opts.label(e.item)):gsub("[%[%]%c%s]", "_")
    end
  end
  return entries
end

local function policy_of(opts)
  if opts.policy == nil then return policies.KEEP_GOING end
  return clauses.policy(opts.policy, function(text, hint)
    errors.raise("usage", "w:parallel: " .. text .. (hint and "; " .. hint or ""))
  end, function() return true end)
end

local function parallel_node(own, scope, name, opts)
  local unit = { id = unique(scope, name), members = {}, needs = {}, after = {}, finally = {},
    limit = opts.limit, policy = policy_of(opts), fan = {}, place = place.caller() }
  local node = own.sched:add_group(unit, scope.node)
  node.g = group.new(own.sched, node, own.run.scheduler.top.g)
  return node
end

local function add_items(own, node, entries, fn)
  for i, e in ipairs(entries) do
    local unit = { id = ("%s[%s]"):format(node.id, e.label), kind = "body", fn = fn,
      item = e.item, position = i, needs = {}, after = {}, place = node.unit.place }
    local m = own.sched:add_item(unit, node, function(_, item) return perform_item(own, item) end)
    own.run.journal:emit({ ev = "step_added", id = unit.id, kind = "body", group = node.id,
      needs = {} })
    node.members[i] = m
    node.g:add(m)
  end
end

--- Calls fn(item, position) for each item side by side; a group record in item order. An
--- error fails that item only; with a policy of one's own the group's failure raises.
--- w:parallel("review", files, function(f) return w:agent("reviewer", { … }).value end)
---@param name string
---@param items any[]|table<string, any>
---@param fn fun(item: any, position: integer): any
---@param opts? { limit?: integer, policy?: any, label?: string|fun(item: any): string }
---@return orrery.Result
function W:parallel(name, items, fn, opts)
  local own, scope = enter(self, "parallel")
  opts = check.options(opts, PARALLEL, "w:parallel")
  if type(items) ~= "table" or type(fn) ~= "function" then
    errors.raise("usage", ("%sw:parallel(name, items, fn): %s"):format(here(),
      type(items) ~= "table" and "items is a list or a map, not a " .. type(items)
      or "fn is a function, not a " .. type(fn)))
  end
  local node = parallel_node(own, scope, name, opts)
  add_items(own, node, labels(opts, items, own), fn)
  own.sched:begin(node, true)
  for _, m in ipairs(node.members) do own.sched:ready(m) end
  local result = await(own, scope, node)
  if not result.ok and (opts.policy or result.waiting or result.status == "cancelled") then
    raise(scope, node, result)
  end
  return shown.record(result)
end

--- Keeps a value as an artifact of the run: text as it is, anything else as JSON.
---@param name string
---@param value any
---@return string path
function W:artifact(name, value)
  local own, scope = enter(self, "artifact")
  return keep.artifact(own.run, scope.node and scope.node.id or own.id, name, value)
end

---------------------------------------------------------------------------

local function no_such(name)
  local known = { budget = true }
  for _, names in ipairs({ W, context.names }) do
    for k in pairs(names) do known[k] = true end
  end
  local hint = type(name) == "string" and nearest.hint(name, known)
  errors.raise("ctx", ("%sw has no '%s'%s"):format(here(), tostring(name),
    hint and "; " .. hint or ""))
end

local w_mt = { __index = function(w, name)
  local own = inside[w]
  if W[name] then return W[name] end
  if name == "budget" then return own.run.budget end
  if not context.names[name] then no_such(name) end
  return own.ctx[name]
end, __newindex = function()
  errors.raise("ctx", here() .. "w is read-only; use a local")
end }

--- Runs a body to its end and returns its value. In a task; what it raises is raised.
---@param run orrery.Run
---@param fn fun(w: table): any
---@param opts? { ctx?: table, prefix?: string, lent?: orrery.Service[] }
---@return any
function body.run(run, fn, opts)
  opts = opts or {}
  local w = setmetatable({}, w_mt)
  local node = loop.current("body").node
  local scope = new_scope(opts.prefix or "", nil)
  inside[w] = { run = run, sched = run.scheduler, scope = scope, id = node and node.id or "",
    held = {}, lent = opts.lent, into = { env = run.workflow.env or { set = {}, take = {},
      pass = {} }, group = run.workflow.top, has = function() return true end },
    ctx = opts.ctx or context.new(run, { id = "" }) }
  return within(scope, run.scheduler, fn, w)
end

-- A message that begins with its place, in two.
local function located(text)
  local file, line, rest = text:match("^([^\n:]+):(%d+): (.*)$")
  if not file then return nil, text end
  return { file = file, line = math.tointeger(tonumber(line)) }, (rest:gsub("^error: ", ""))
end

--- The policy of a workflow that is a body: it runs the body and is its outcome.
---@param run orrery.Run
---@return fun(g: orrery.G)
function body.policy(run)
  return function(g)
    local task = run.loop:task("body", body.run, run, run.workflow.body)
    g.on_close = function(why) task:cancel(errors.new("cancelled", why)) end
    while not task.done do task:wait() end
    if task.ok then
      run.body_done = { value = task.value }
      return g:finish(task.value)
    end
    local e = task.value
    if e.code == "waiting" then
      g.approval = true
      return g:settle()
    end
    local at, text = located(errors.text(e))
    g:fail(text)
    g.outcome.place, g.outcome.class, g.outcome.traceback = at, e.class or e.code, e.traceback
    g.outcome.step = e.step or false
    return g.outcome
  end
end

return body
