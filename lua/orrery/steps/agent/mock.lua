-- The agent of `--agent mock`: it writes what a step declares, made up from the schemas, so
-- that a workflow can be tried out and its order seen. It knows nothing.
local checks = require("orrery.knowledge.checks")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local request = require("orrery.steps.agent.request")
local rubric = require("orrery.knowledge.rubric")
local sample = require("orrery.knowledge.sample")

local mock = {}

local function raise_scores(v, minimum)
  for _, name in ipairs { "overall_score", "score" } do
    if type(v[name]) == "number" and v[name] < minimum then v[name] = minimum end
  end
  if v.overall_score == nil and v.score == nil then v.overall_score = minimum end
end

-- Fields of these names get what the agent was told.
local function known_to(doc)
  local out = {}
  for _, told in ipairs { doc.params, doc.with or {} } do
    for k, v in pairs(told) do out[k] = v end
  end
  return out
end

local function raise_criteria(v, minimum, path)
  local given = rubric.read(path)
  for _, c in ipairs(given and type(v.rubric_scores) == "table" and given.criteria or {}) do
    local score = v.rubric_scores[c.name]
    if type(score) ~= "number" or score < minimum then v.rubric_scores[c.name] = minimum end
  end
end

local function please(gate, v)
  if gate.minimum_score then
    raise_scores(v, gate.minimum_score)
    if gate.rubric then raise_criteria(v, gate.minimum_score, gate.rubric) end
  end
  if gate.checks then checks.complete(gate.checks, v) end
end

local function json_for(doc, o)
  local schema = request.schema(o.schema)
  local v = schema and sample.of(schema, known_to(doc))
    or { step = doc.step, role = doc.role, name = o.name }
  if doc.gate and o.primary and type(v) == "table" then please(doc.gate, v) end
  return json.encode(v, { indent = 2, lossy = true }) .. "\n"
end

--- The text a mock agent writes for one output.
---@param doc table the request
---@param o table one of its outputs
---@return string
function mock.text(doc, o)
  if o.path:find("%.json$") then return json_for(doc, o) end
  return ("# %s\n\nMade up by the mock agent for step %s (%s).\n"):format(o.name, doc.step,
    doc.role)
end

-- The value: what the schema asks for; a text where nothing else is asked for.
local function value_of(doc)
  local returns = request.schema(doc.returns)
  if returns then return sample.of(returns, known_to(doc)) end
  if #doc.outputs == 0 then return ("made up by the mock agent for %s"):format(doc.step) end
end

local function line_of(doc)
  local names = {}
  for i, o in ipairs(doc.outputs) do names[i] = o.name end
  return ("mock %s: %s\n"):format(doc.role, #names > 0 and "wrote " .. table.concat(names, ", ")
    or "answered, and knows nothing")
end

--- Plays a step.
---@param _ orrery.Run
---@param doc table the request
---@return table came
function mock.perform(_, doc)
  for _, o in ipairs(doc.outputs) do
    local path = o.kind == "directory" and o.path .. "/README.md" or o.path
    fs.mkdir(path:match("^(.*)/"))
    local ok, why = fs.write_atomic(path, mock.text(doc, o))
    if not ok then
      return { exit = 1, stdout = "", stderr = "", error = { class = "outputs",
        message = why.message } }
    end
  end
  return { exit = 0, value = value_of(doc), stderr = "", stdout = line_of(doc) }
end

return mock
