-- One step of an agent workflow, read: what is used has a field of its own, all else is
-- metadata.
local condition = require("orrery.model.agents.condition")
local errors = require("orrery.kernel.errors")
local inputs = require("orrery.model.agents.inputs")
local sorted = require("orrery.kernel.sorted")
local source = require("orrery.model.agents.source")

local entry = {}

-- How many steps that nobody does are named one by one.
local FEW = 3

local used = { step = true, id = true, tasks = true, artifacts = true, failure_action = true,
  max_retries = true, agent = true, name = true, task = true, inputs = true,
  outputs = true, validation = true, description = true, condition = true, skill = true,
  tool = true, type = true, retry = true, parallel = true, parallel_group = true,
  optional = true, policy = true, model = true, notes = true, secondary_outputs = true }

-- What a step may say that is another workflow.
local SUB = { workflow = true, sub_workflow = true, with = true }

local function metadata(t, is_sub)
  local out = {}
  for k, v in sorted.pairs(t) do
    if not used[k] and not (is_sub and SUB[k]) then out[k] = v end
  end
  return out
end

-- "name: path" is the path, named; "name: {{name}}" is the name itself.
local function named_input(src, item)
  local label = source.is_map(item) and next(item)
  if not label or next(item, label) ~= nil then return nil end
  local text = src:text(item, label)
  return text and text:find("^%s*{{[^{}]*}}%s*$") and label or text
end

local function read_inputs(src, t)
  local out, list = {}, src:list(t, "inputs")
  for i = 1, #list do
    local text = src:text(list, i) or named_input(src, list[i])
    if text then
      for _, one in ipairs(inputs.read(text)) do
        one.place = src:place(list, i)
        out[#out + 1] = one
      end
    else
      src:error(list, i, "an input is text: - plan.json (from step 0)")
    end
  end
  return out
end

local function read_outputs(src, t, key, out)
  local list = src:list(t, key)
  for i = 1, #list do
    local item, text, label = list[i], src:text(list, i), nil
    if source.is_map(item) and next(item) ~= nil and next(item, (next(item))) == nil then
      label = next(item)
      text = src:text(item, label)
    end
    if text and text ~= "" then
      local one = inputs.output(text, label)
      one.place = src:place(list, i)
      out[#out + 1] = one
    else
      src:error(list, i, "an output is a path, or reasoning: path")
    end
  end
  return out
end

local function secondary(src, t, into)
  local list = src:list(t, "secondary_outputs")
  for i = 1, #list do
    local item = list[i]
    local name = source.is_map(item) and src:text(item, "artifact")
    if name then
      into[#into + 1] = { artifact = name, schema = src:text(item, "schema"),
        place = src:place(list, i) }
    end
  end
end

-- Sentences that say what is to be true: left to the agent, as custom checks are.
local function read_checks(src, v, key, out)
  local list = src:list(v, key)
  for i = 1, #list do
    local name = src:text(list, i)
    out.checks, out.checks_at = out.checks or {}, out.checks_at or {}
    if name then
      out.checks[#out.checks + 1] = name
      out.checks_at[#out.checks] = src:place(list, i)
    else
      src:error(list, i, "a check is a name: - no_hardcoded_secrets")
    end
  end
end

local function read_validation(src, t)
  local out = { secondary = {}, meta = {} }
  secondary(src, t, out.secondary)
  local given = src:get(t, "validation")
  if type(given) == "table" and given[1] ~= nil then
    out.place = src:place(t, "validation")
    read_checks(src, t, "validation", out)
    return out
  end
  local v = src:map(t, "validation")
  if not v then return out end
  out.place = src:place(t, "validation")
  out.schema, out.gate = src:text(v, "schema"), src:text(v, "gate")
  out.schema_place = src:place(v, "schema")
  out.rubric, out.rubric_place = src:text(v, "rubric_file"), src:place(v, "rubric_file")
  local minimum = src:get(v, "minimum_score")
  if minimum ~= nil and type(minimum) ~= "number" then
    src:error(v, "minimum_score", "minimum_score must be a number")
  else
    out.minimum = minimum
  end
  secondary(src, v, out.secondary)
  for _, key in ipairs { "custom_checks", "security_checks" } do read_checks(src, v, key, out) end
  local known = { custom_checks = true, security_checks = true, schema = true, gate = true,
    rubric_file = true, minimum_score = true, secondary_outputs = true }
  for k, item in sorted.pairs(v) do
    if not known[k] then out.meta[k] = item end
  end
  return out
end

local function flag(src, t, key)
  local v = src:get(t, key)
  if v == nil or type(v) == "boolean" then return v or false end
  src:error(t, key, ("%s must be true or false"):format(key))
  return false
end

local function read_condition(src, t)
  local text = src:get(t, "condition")
  if text == nil then return nil end
  text = src:text(t, "condition")
  if not text then return src:error(t, "condition", "a condition is text") end
  local ok, tree = pcall(condition.parse, text)
  if ok then return tree end
  src:error(t, "condition", errors.text(tree), tree.hint)
end

local function read_retry(src, t)
  local r = src:map(t, "retry")
  local more = math.tointeger(src:get(t, "max_retries"))
  if not r and more and more >= 0 then return { attempts = more + 1 } end
  if not r then return nil end
  local n = math.tointeger(src:get(r, "max_attempts"))
  if src:get(r, "max_attempts") ~= nil and (not n or n < 1) then
    src:error(r, "max_attempts", "max_attempts must be a whole number of at least 1")
  end
  return { attempts = n, on_failure = src:text(r, "on_failure") }
end

-- A list of what is to be done belongs to the description.
local function read_description(src, t)
  local out = { src:text(t, "description") }
  local list = src:list(t, "tasks")
  for i = 1, #list do
    local text = src:text(list, i)
    if text then out[#out + 1] = (i > 1 and "" or #out > 0 and "\n" or "") .. "- " .. text end
  end
  return #out > 0 and table.concat(out, "\n") or nil
end

--- Reads the rest of an entry, in place.
---@param src orrery.agents.Source
---@param e orrery.agents.Entry
---@param role? string who does what names nobody
function entry.read(src, e, role)
  local t = e.t
  e.role, e.skill, e.tool = src:text(t, "agent"), src:text(t, "skill"), src:text(t, "tool")
  e.name = src:text(t, "name") or src:text(t, "task")
  -- Where somebody does it, a workflow named besides is their affair.
  if not e.role and not e.skill then
    e.workflow = src:text(t, "workflow") or src:text(t, "sub_workflow")
    e.with = e.workflow and src:map(t, "with") or nil
  end
  e.role = e.role or not e.skill and not e.workflow and role or nil
  e.description, e.notes = read_description(src, t), src:text(t, "notes")
  e.inputs = read_inputs(src, t)
  e.outputs = read_outputs(src, t, "artifacts", read_outputs(src, t, "outputs", {}))
  e.validation, e.retry = read_validation(src, t), read_retry(src, t)
  e.condition = read_condition(src, t)
  e.model = src:text(t, "model")
  e.optional = e.optional or flag(src, t, "optional")
  e.group = src:text(t, "parallel_group")
  e.parallel = flag(src, t, "parallel")
  e.rating = src:text(t, "type") == "validation"
  e.publish = src:text(t, "policy") == "auto-on-pass" or e.skill == "artifact-publisher"
  e.meta = metadata(t, e.workflow ~= nil)
  for k, v in pairs(e.validation.meta) do e.meta["validation." .. k] = v end
end

--- Says which steps nobody does: each, or the first of many.
---@param src orrery.agents.Source
---@param entries orrery.agents.Entry[]
function entry.manned(src, entries)
  local idle = {}
  for _, e in ipairs(entries) do
    if not e.role and not e.skill and not e.workflow then idle[#idle + 1] = e end
  end
  for i, e in ipairs(idle) do
    if i > FEW then break end
    local handler = src:text(e.t, "handler") or src:text(e.t, "action")
    local text = ("step '%s' has neither an agent nor a skill"):format(e.id)
    if i == FEW and #idle > FEW then
      text = ("%s, nor have %d more"):format(text, #idle - FEW)
    end
    src.report:error(e.place, text, handler and ("'%s' is a function of another engine; write "
      .. "agent: ROLE or skill: NAME"):format(handler)
      or "write agent: ROLE, skill: NAME or workflow: NAME")
  end
end

--- "from step 2" means the step "step-2" when there is no step "2".
---@param entries orrery.agents.Entry[]
function entry.link(entries)
  local ids = {}
  for _, e in ipairs(entries) do ids[e.id] = true end
  for _, e in ipairs(entries) do
    for _, input in ipairs(e.inputs) do
      local from = input.from
      for _, other in ipairs(from and not ids[from] and { "step-" .. from, "step_" .. from,
        from:match("^step[%-_](.+)$") } or {}) do
        if ids[other] then input.from = other end
      end
    end
  end
end

return entry
