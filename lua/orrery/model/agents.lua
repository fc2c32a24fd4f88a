-- The agent-workflow dialect: from decoded YAML to the model. What the authors wrote becomes
-- the same nodes that other forms make; their order, inputs and gates are added to these.
local build = require("orrery.model.build")
local condition = require("orrery.model.agents.condition")
local conditions = require("orrery.model.agents.conditions")
local edges = require("orrery.model.agents.edges")
local entry = require("orrery.model.agents.entry")
local io = require("orrery.model.agents.io")
local params = require("orrery.model.agents.params")
local phases = require("orrery.model.agents.phases")
local reading = require("orrery.model.reading")
local rounds = require("orrery.model.agents.rounds")
local sorted = require("orrery.kernel.sorted")
local source = require("orrery.model.agents.source")
local templates = require("orrery.model.agents.templates")
local truth = require("orrery.model.agents.truth")
local workflow = require("orrery.model.workflow")

local agents = {}

---@class orrery.agents.Load
---@field value table
---@field src orrery.agents.Source
---@field entries orrery.agents.Entry[]
---@field values table<string, any>
local Load = {}
Load.__index = Load

local used = { name = true, description = true, steps = true, phases = true, inputs = true,
  workflow_inputs = true, retry_config = true, fallback_agents = true,
  parallel_execution = true, iteration = true, primary_agent = true }

local function metadata(value)
  local out = {}
  for k, v in sorted.pairs(value) do
    if not used[k] then out[k] = v end
  end
  return out
end

-- "workflows/Quick Flow.yaml" → "quick-flow": the id of the workflow in names of artifacts.
local function slug_of(name)
  local slug = name:match("([^/]*)$"):lower():gsub("[^%w]+", "-"):gsub("^%-+", ""):gsub("%-+$", "")
  return slug ~= "" and slug or "workflow"
end

---------------------------------------------------------------------------
-- retry, fallback, time

local words = { timeout = "timeout", network_error = "network", rate_limit = "rate_limit" }

-- A gate that refused, and an output that is missing, are always worth another try.
local function retry_on(self, list)
  local on = { "schema", "gate", "outputs" }
  for i = 1, #list do
    local word = self.src:text(list, i)
    on[#on + 1] = word and (words[word] or word)
  end
  return on
end

local backoffs = { exponential = 2, linear = "linear", constant = 1, fixed = 1 }

local function retry_of(self, e)
  local src = self.src
  local common = src:map(self.value, "retry_config")
  if not common and not e.retry then return nil end
  local out = { attempts = 1, delay = 0, backoff = 1, max_delay = 60, jitter = false }
  if common then
    out.attempts = math.tointeger(src:get(common, "max_attempts")) or 1
    local ms = tonumber(src:get(common, "initial_delay_ms")) or 0
    if ms < 0 or ms == math.huge then
      src:error(common, "initial_delay_ms", "initial_delay_ms is a time, 0 or more")
    end
    out.delay = ms / 1000
    out.backoff = backoffs[src:text(common, "backoff_strategy") or "constant"] or 1
    out.on = retry_on(self, src:list(common, "retryable_errors"))
  end
  if e.retry and e.retry.attempts then out.attempts = e.retry.attempts end
  return out
end

-- The roles that take over, in order, none twice.
local function fallback_of(self, role)
  local map = self.src:map(self.value, "fallback_agents")
  if not map or not role or map[role] == nil then return nil end
  local out, seen, list = {}, { [role] = true }, self.src:list(map, role)
  for i = 1, #list do
    local other = self.src:text(list, i)
    if other and not seen[other] then
      seen[other] = true
      out[#out + 1] = other
    end
  end
  return #out > 0 and out or nil
end

local function timeout_of(self)
  local p = self.src:map(self.value, "parallel_execution")
  local ms = p and tonumber(self.src:get(p, "timeout_per_step"))
  return ms and ms / 1000
end

---------------------------------------------------------------------------
-- nodes

-- Authors name a workflow, or its file, wherever that lay when they wrote it.
local function workflow_name(self, text)
  local name = text:match("([^/]+)%.ya?ml$")
  return name and not reading.fs(self.box).stat(text) and name or text
end

local function step_fields(self, e)
  local values = templates.over(self.values, e.vars)
  local role = e.role and templates.text(e.role, values)
  e.role = role
  e.fallback = fallback_of(self, role)
  local prompt = {}
  for _, text in ipairs { e.name or false, e.description or false, e.notes or false } do
    if text then prompt[#prompt + 1] = templates.text(text, values) end
  end
  local fields = { doc = e.name, timeout = timeout_of(self),
    allow_failure = (e.optional or e.retry and e.retry.on_failure == "log_and_continue") or nil }
  if role then
    fields.agent, fields.model = role, e.model
    fields.prompt = table.concat(prompt, "\n\n")
  elseif e.skill then
    fields.skill = e.skill
  else
    e.workflow = workflow_name(self, templates.text(e.workflow, values))
    fields.workflow, fields.with = e.workflow, e.with and templates.deep(e.with, values) or nil
  end
  return fields
end

local function step_node(self, e)
  local places = {}
  for _, k in ipairs { "agent", "skill", "workflow", "with", "inputs", "outputs", "condition",
    "retry" } do
    if e.t[k] ~= nil then places[k] = self.src:place(e.t, k) end
  end
  places.prompt = e.t.description ~= nil and self.src:place(e.t, "description") or nil
  return build.node("step", e.id, step_fields(self, e), e.place, places)
end

-- Which steps stand side by side: one parallel_group, or neighbours with parallel: true.
local function mark_members(entries)
  local run, last = 0, nil
  for _, e in ipairs(entries) do
    if e.group then
      e.member = e.group
    elseif e.parallel then
      if not (last and last.parallel and not last.group) then run = run + 1 end
      e.member = "beside-" .. run
    end
    last = e
  end
end

local function group_node(self, e, policy)
  local list = {}
  for _, other in ipairs(self.entries) do
    if other.member == e.member then list[#list + 1] = step_node(self, other) end
  end
  return build.node("group", "parallel:" .. e.member, { policy = policy, steps = list },
    e.place, {})
end

local function nodes(self)
  local out, done = {}, {}
  for _, e in ipairs(self.entries) do
    if not e.member or self.in_order then
      out[#out + 1] = step_node(self, e)
    elseif not done[e.member] then
      done[e.member] = true
      out[#out + 1] = group_node(self, e, self.policy)
    end
  end
  return out
end

---------------------------------------------------------------------------
-- the rest

local function parallel(self)
  local p = self.src:map(self.value, "parallel_execution")
  self.in_order = p ~= nil and self.src:get(p, "enabled") == false
  self.policy = p and self.src:get(p, "fail_fast") == true and "fail_fast" or "settled"
end

local function artifact_names(entries)
  local out = {}
  for _, e in ipairs(entries) do
    for _, o in ipairs(e.outputs) do
      local key = truth.fold(o.name)
      out[key] = true
      out[key:gsub("%-", "_")] = true
    end
  end
  return out
end

local function complete(self, wf, report)
  wf.dialect = { entries = self.listed, loops = self.written, in_order = self.in_order }
  edges.add(wf, self.entries, report, { in_order = self.in_order,
    sequential = self.opts.sequential_fallback or self.in_order })
  io.attach(wf, self.entries, self.src, self.values, { inspect = self.opts.inspect,
    stat = reading.fs(self.box).stat })
  for _, e in ipairs(self.entries) do
    local s = wf.by_id[e.id]
    if s and s.kind then s.retry = retry_of(self, e) end
  end
  conditions.attach(wf, self.entries, report, { strict = self.strict,
    inspect = self.opts.inspect })
  io.report_unchecked(wf, report, self.strict)
end

local function trees_of(e)
  e.trees = table.move(e.when, 1, #e.when, 1, {})
  e.trees[#e.trees + 1] = e.condition
end

local function steps_of(self)
  return function(p)
    self.values = {}
    for k, v in pairs(p) do self.values[k] = v end
    mark_members(self.entries)
    self.listed = self.entries
    self.entries, self.written = rounds.unroll(self.src, self.value, self.entries, self.values,
      self.loops)
    for _, e in ipairs(self.entries) do trees_of(e) end
    return nodes(self)
  end
end

--- Loads a workflow of the agent dialect.
---@param value table what core.yaml decoded
---@param facts orrery.YamlInfo
---@param more { name: string, info: table, opts: table, box: orrery.Box, report: orrery.Messages }
---@return orrery.Workflow
function agents.load(value, facts, more)
  local src = source.new(more.name, facts, more.report)
  local self = setmetatable({ value = value, src = src, opts = more.opts, box = more.box,
    strict = more.opts.strict, values = {} }, Load)
  local loops
  self.entries, loops = phases.flatten(src, value)
  local anyone = src:text(value, "primary_agent")
  for _, e in ipairs(self.entries) do entry.read(src, e, anyone) end
  entry.manned(src, self.entries)
  if #self.entries == 0 then
    src:error(value, value.phases ~= nil and "phases" or "steps", "the workflow has no steps",
      "write - step: 1 and agent: role")
  end
  entry.link(self.entries)
  self.loops = loops
  parallel(self)
  local nodes_of_params = params.of(src, value, self.entries, slug_of(more.info.name),
    artifact_names(self.entries), #loops > 0)
  local places = {}
  for k in pairs(value) do places[k] = src:place(value, k) end
  local node = build.node("workflow", src:text(value, "name"), { doc = src:text(value,
    "description"), params = nodes_of_params, policy = self.policy, steps = steps_of(self) },
    { file = more.name, line = 1 }, places)
  node.meta = metadata(value)
  more.info.complete = function(wf, report) complete(self, wf, report) end
  return workflow.make(node, more.info, more.opts, more.box, more.report)
end

agents.condition = condition

return agents
