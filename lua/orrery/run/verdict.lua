-- The gate of an agent step: schemas of its outputs, a minimum score, and the verdict as a
-- file. Nothing is filled in; what cannot be checked is called unchecked.
local fs = require("orrery.core.fs")
local gate = require("orrery.run.gate")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")

local verdict = {}

-- Where agents write the total of a rating.
local score_names = { "overall_score", "score", "total_score", "average_score" }

local function score_in(v)
  if type(v) ~= "table" then return nil end
  for _, name in ipairs(score_names) do
    if type(v[name]) == "number" then return v[name] end
  end
end

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

local function check_score(run, agent_io, list, here, value)
  local g = agent_io.gate
  if not g.minimum then return end
  local score = score_in(primary_value(run, agent_io, here)) or score_in(value)
  local name = ("score of at least %s"):format(g.minimum)
  if not score and not g.rubric and #g.unchecked > 0 then return end
  if not score then
    local why = "there is no score: write overall_score into the rating"
    return add(list, name, false, why, { why })
  end
  local why = score < g.minimum
    and ("the score is %s, below the minimum of %s"):format(score, g.minimum) or nil
  add(list, name, why == nil, why, why and { why })
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
  for _, name in ipairs(g.checks or {}) do
    warnings[#warnings + 1] = "left to the agent: " .. name
  end
  for i, v in ipairs(list) do
    validations[i] = { name = v.name, passed = v.passed, message = v.message }
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
