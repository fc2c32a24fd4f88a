-- The gate of an agent step: schemas of its outputs, a minimum score by a rubric, checks by
-- name, and the verdict as a file. Nothing is filled in; what cannot be checked is called
-- unchecked.
local checks = require("orrery.run.gates.checks")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local gate = require("orrery.run.gates.gate")
local json = require("orrery.core.json")
local loop = require("orrery.kernel.loop")
local pack = require("orrery.core.pack")
local rubric = require("orrery.knowledge.rubric")

local verdict = {}

local function add(list, name, passed, message, feedback)
  list[#list + 1] = { name = name, passed = passed, message = message, feedback = feedback }
end

local function check_schemas(run, g, list, here)
  for _, s in ipairs(g.schemas) do
    local path = here(s.path)
    if not (s.optional and not fs.stat(run.root .. "/" .. path)) then
      local bad = gate.file(run, path, s.schema, s.name)
      add(list, ("%s fits %s"):format(s.name, s.schema), bad == nil, bad and bad.message,
        bad and (bad.feedback or { bad.message }))
    end
  end
end

local function primary_value(run, agent_io, here)
  for _, o in ipairs(agent_io.outputs) do
    if o.primary then
      local text = fs.read(run.root .. "/" .. here(o.path))
      return text and json.decode(text) or nil
    end
  end
end

-- The number in a rating, by the rubric if there is one.
local function score_of(run, agent_io, here, value)
  local g, given = agent_io.gate, nil
  if g.rubric then
    local why
    given, why = rubric.read(run.root .. "/" .. g.rubric)
    if not given then return nil, ("the rubric cannot be used: %s"):format(why) end
  end
  local minimum = g.minimum or given and given.minimum
  if not minimum then return nil end
  local score, how = rubric.score(primary_value(run, agent_io, here), given)
  if not score and type(value) == "table" then
    local told, as = rubric.score(value, given)
    if told then score, how = told, as end
  end
  return score, how, minimum
end

local function check_score(run, agent_io, list, here, value)
  local g = agent_io.gate
  if not g.minimum and not g.rubric then return end
  local score, how, minimum = score_of(run, agent_io, here, value)
  if not how or not score and not g.rubric and #g.unchecked > 0 then return end
  local name = ("score of at least %s"):format(minimum or g.minimum)
  if not score then return add(list, name, false, how, { how }) end
  local passed = score >= minimum
  local text = passed and ("%s, %s"):format(score, how)
    or ("the score is %s, below the minimum of %s (%s)"):format(score, minimum, how)
  add(list, name, passed, text, not passed and { text } or nil)
  list[#list].score = score
end

-- Each check that somebody can do, on what the step made.
local function check_named(run, step, role, list, here)
  local g, it = step.agent_io.gate, nil
  for _, name in ipairs(g.checks or {}) do
    local ok, fn = loop.try(checks.find, run, name)
    if not ok or not fn and not (g.unknown and g.unknown[name]) then
      local why = ok and ("there is no check %s"):format(name) or errors.text(fn)
      add(list, name, false, why, { why })
    elseif fn then
      it = it or checks.input(run, step, role, here)
      local said = checks.judge(fn, it)
      add(list, name, #said == 0, #said > 0 and ("%s: %s"):format(name, gate.summary(said)) or nil,
        said)
    end
  end
end

local function status_of(g, blockers)
  if #blockers > 0 then return "failed" end
  return #g.unchecked > 0 and "unchecked" or "passed"
end

local function write(run, step, agent_io, role, list, blockers, here)
  local g = agent_io.gate
  if not g.path then return nil end
  local warnings, validations = pack.array({}), pack.array({})
  for i, u in ipairs(g.unchecked) do warnings[i] = "unchecked: " .. u.text end
  for i, v in ipairs(list) do
    validations[i] = { name = v.name, passed = v.passed, message = v.message, score = v.score }
  end
  local ok, why = fs.write_atomic(run.root .. "/" .. here(g.path), json.encode({
    workflow = run.workflow.name, step = step.id, agent = role, status = status_of(g, blockers),
    allowed = #blockers == 0, validations = validations, blockers = blockers,
    warnings = warnings }, { indent = 2 }) .. "\n")
  if not ok then
    return { class = "gate", message = ("the verdict cannot be written: %s"):format(why.message) }
  end
end

--- Judges what an agent made, and writes the verdict where the step's gate says.
---@param run orrery.Run
---@param step orrery.Step
---@param role string who made it
---@param value any of the answer
---@param here fun(path: string): string
---@return table? err class "schema" or "gate", with feedback
function verdict.of(run, step, role, value, here)
  local agent_io = step.agent_io
  local g = agent_io and agent_io.gate
  if not g then return nil end
  local list, blockers, feedback = {}, pack.array({}), {}
  check_schemas(run, g, list, here)
  local of_schemas = #list
  check_score(run, agent_io, list, here, value)
  check_named(run, step, role, list, here)
  local class
  for i, v in ipairs(list) do
    if not v.passed then
      class = class or (i <= of_schemas and "schema" or "gate")
      blockers[#blockers + 1] = v.message
      table.move(v.feedback, 1, #v.feedback, #feedback + 1, feedback)
    end
  end
  local trouble = write(run, step, agent_io, role, list, blockers, here)
  if class then
    return { class = class, message = table.concat(blockers, "; "), feedback = feedback }
  end
  return trouble
end

return verdict
