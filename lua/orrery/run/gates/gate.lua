-- Gates: a result is ok only after `returns` and `gate` passed. Nothing is filled in.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local template = require("orrery.model.template")

local gate = {}

local MAX_SHOWN = 5

local function feedback_of(list)
  local out = {}
  for i, e in ipairs(list) do
    out[i] = ("%s: %s"):format(e.path == "" and "value" or e.path, e.message)
  end
  return out
end

--- Some of many complaints, as one line.
---@param texts string[]
---@return string
function gate.summary(texts)
  if #texts <= MAX_SHOWN then return table.concat(texts, "; ") end
  return ("%s; and %d more"):format(table.concat(texts, "; ", 1, MAX_SHOWN), #texts - MAX_SHOWN)
end

-- Validators stay as long as the run. decoded: {} is an object, as JSON means it.
local function against(run, schema, value, what, decoded)
  local schemas = require("orrery.knowledge.schema")
  run.schemas = run.schemas or {}
  local validator, why = schemas.get(schema, { root = run.root, cache = run.schemas })
  if not validator then
    return { class = "schema", message = ("%s: %s"):format(what, why.message), unusable = true }
  end
  local ok, list = validator:validate(value, { decoded = decoded })
  if ok then return nil end
  local texts = feedback_of(list)
  return { class = "schema", feedback = texts,
    message = ("%s does not fit its schema: %s"):format(what, gate.summary(texts)) }
end

--- Checks a JSON file against a schema.
---@param run orrery.Run
---@param path string relative to the root
---@param schema string|table
---@param what? string its name for people
---@return table? err class "schema"; nil: it fits
function gate.file(run, path, schema, what)
  what = what or path
  local text = fs.read(run.root .. "/" .. path)
  if not text then return { class = "schema", message = what .. " is missing" } end
  local value, why = json.decode(text, { name = path })
  if value == nil and why then
    return { class = "schema", message = ("%s is not JSON: %s"):format(what, why.message),
      feedback = { why.message } }
  end
  return against(run, schema, value, what, true)
end

local function custom(run, check, ctx)
  if type(check) == "string" then
    local mod, field = check:match("^([%w_%.]+):([%w_]+)$")
    if not mod then
      errors.raise("gate", ("gate.check '%s': write \"module:function\""):format(check))
    end
    check = run.require(mod)[field]
  end
  local ok, verdict, more = pcall(check, ctx)
  if not ok then return { class = "gate", message = "gate check: " .. errors.text(verdict) } end
  if verdict == true or verdict == nil then return nil end
  local texts = type(verdict) == "table" and verdict or { more or verdict or "refused" }
  for i, t in ipairs(texts) do texts[i] = tostring(t) end
  return { class = "gate", message = "gate refused: " .. table.concat(texts, "; "),
    feedback = texts }
end

--- Checks what a step produced.
---@param run orrery.Run
---@param step orrery.Step
---@param outcome table value, outputs
---@param ctx table
---@return table? err class "schema" or "gate", message, feedback; nil: it is good enough
function gate.check(run, step, outcome, ctx)
  if step.returns then
    local bad = against(run, step.returns, outcome.value, "the value")
    if bad then return bad end
  end
  local g = step.gate
  if not g then return nil end
  local sorted = require("orrery.kernel.sorted")
  for path, schema in sorted.pairs(g.schema or {}) do
    local bad = gate.file(run, template.render(path, ctx, "text"), schema)
    if bad then return bad end
  end
  return g.check and custom(run, g.check, setmetatable({ value = outcome.value,
    outputs = outcome.outputs, stdout = outcome.stdout }, { __index = ctx })) or nil
end

return gate
