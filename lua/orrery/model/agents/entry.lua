-- One step of an agent workflow, read: what is used has a field of its own, all else is
-- metadata.
local condition = require("orrery.model.agents.condition")
local errors = require("orrery.kernel.errors")
local inputs = require("orrery.model.agents.inputs")
local sorted = require("orrery.kernel.sorted")
local source = require("orrery.model.agents.source")

local entry = {}

local used = { step = true, agent = true, name = true, task = true, inputs = true,
  outputs = true, validation = true, description = true, condition = true, skill = true,
  tool = true, type = true, retry = true, parallel = true, parallel_group = true,
  optional = true, policy = true, model = true, notes = true, secondary_outputs = true }

local function metadata(t)
  local out = {}
  for k, v in sorted.pairs(t) do
    if not used[k] then out[k] = v end
  end
  return out
end

local function read_inputs(src, t)
  local out, list = {}, src:list(t, "inputs")
  for i = 1, #list do
    local text = src:text(list, i)
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

local function read_outputs(src, t)
  local out, list = {}, src:list(t, "outputs")
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

local function read_validation(src, t)
  local v = src:map(t, "validation")
  local out = { secondary = {}, meta = {} }
  secondary(src, t, out.secondary)
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
  for _, key in ipairs { "custom_checks", "security_checks" } do
    local list = src:list(v, key)
    for i = 1, #list do
      out.checks = out.checks or {}
      out.checks[#out.checks + 1] = src:text(list, i)
    end
  end
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
  if ok then return tree, text end
  src:error(t, "condition", errors.text(tree))
end

local function read_retry(src, t)
  local r = src:map(t, "retry")
  if not r then return nil end
  local n = math.tointeger(src:get(r, "max_attempts"))
  if src:get(r, "max_attempts") ~= nil and (not n or n < 1) then
    src:error(r, "max_attempts", "max_attempts must be a whole number of at least 1")
  end
  return { attempts = n, on_failure = src:text(r, "on_failure") }
end

--- Reads the rest of an entry, in place.
---@param src orrery.agents.Source
---@param e orrery.agents.Entry
function entry.read(src, e)
  local t = e.t
  e.role, e.skill, e.tool = src:text(t, "agent"), src:text(t, "skill"), src:text(t, "tool")
  e.name = src:text(t, "name") or src:text(t, "task")
  e.description, e.notes = src:text(t, "description"), src:text(t, "notes")
  e.inputs, e.outputs = read_inputs(src, t), read_outputs(src, t)
  e.validation, e.retry = read_validation(src, t), read_retry(src, t)
  e.condition, e.condition_text = read_condition(src, t)
  e.model = src:text(t, "model")
  e.optional = e.optional or flag(src, t, "optional")
  e.group = src:text(t, "parallel_group")
  e.parallel = flag(src, t, "parallel")
  e.rating = src:text(t, "type") == "validation"
  e.publish = src:text(t, "policy") == "auto-on-pass" or e.skill == "artifact-publisher"
  e.meta = metadata(t)
  for k, v in pairs(e.validation.meta) do e.meta["validation." .. k] = v end
  if not e.role and not e.skill then
    src.report:error(e.place, ("step '%s' has neither an agent nor a skill"):format(e.id),
      "write agent: role")
  end
end

return entry
