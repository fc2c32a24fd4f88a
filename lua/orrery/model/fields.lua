-- Every field of the language: on what it stands, of which type, for which kinds of step.
-- Words of other tools are recognised before spelling is guessed.
local lazy = require("orrery.kernel.lazy")
local nearest = lazy("orrery.kernel.nearest")

local fields = {}

--- The kinds of a step; exactly one of these fields is there.
fields.kinds = { "run", "call", "skill", "agent", "workflow", "body", "approve", "service" }

local function kinds(text)
  local set = {}
  for word in text:gmatch("%a+") do set[word] = true end
  return set
end

--- The kinds that come to a result: all but services.
fields.work = kinds "run call skill agent workflow body approve"

--- Fields of a step: type, kind = it says what the step does, only = kinds it goes with,
--- fan = only with for_each or matrix.
fields.step = {
  run = { type = "string|table", kind = true },
  call = { type = "function|string", kind = true },
  skill = { type = "string", kind = true },
  agent = { type = "string", kind = true },
  workflow = { type = "string", kind = true },
  body = { type = "function", kind = true },
  approve = { type = "string", kind = true },
  service = { type = "string|table", kind = true },
  doc = { type = "string" },
  needs = { type = "string|table" },
  after = { type = "string|table" },
  behind = { type = "string|table" },
  when = { type = "string|function|boolean|table" },
  cwd = { type = "string" },
  inputs = { type = "string|table" },
  outputs = { type = "string|table", only = fields.work },
  depfile = { type = "string", only = kinds "run" },
  tools = { type = "table", only = kinds "run service" },
  shell = { type = "string|table", only = kinds "run service" },
  parse = { type = "string", only = kinds "run" },
  tty = { type = "boolean", only = kinds "run" },
  keep = { type = "boolean", only = fields.work },
  temp = { type = "boolean", only = fields.work },
  env = { type = "table" },
  pass_env = { type = "string|table" },
  with = { type = "table", only = fields.work },
  prompt = { type = "string", only = kinds "agent" },
  model = { type = "string", only = kinds "agent" },
  reads = { type = "table", only = kinds "agent skill workflow" },
  artifacts = { type = "table", only = kinds "agent skill workflow" },
  uses = { type = "table", only = kinds "agent skill" },
  fallback = { type = "string|table", only = kinds "agent" },
  on_failure = { type = "string", only = kinds "agent skill" },
  returns = { type = "string|table", only = fields.work },
  gate = { type = "table", only = fields.work },
  normalize = { type = "function|string", only = fields.work },
  timeout = { type = "string|number" },
  retry = { type = "table|number", only = fields.work },
  allow_failure = { type = "boolean" },
  cache = { type = "boolean|table", only = fields.work },
  resources = { type = "table|function" },
  for_each = { type = "table|string|function" },
  matrix = { type = "table" },
  label = { type = "string", fan = true },
  limit = { type = "number", fan = true },
  max = { type = "number", fan = true },
  policy = { type = "string|table|function", fan = true },
  show = { type = "string|table", only = kinds "approve" },
  ready = { type = "table", only = kinds "service" },
  stop = { type = "table", only = kinds "service" },
  sample = { type = "number|string" },
}

fields.group = {
  doc = { type = "string" },
  steps = { type = "table" },
  policy = { type = "string|table|function" },
  limit = { type = "number" },
  needs = { type = "string|table" },
  after = { type = "string|table" },
  when = { type = "string|function|boolean" },
  finally = { type = "table" },
}

fields.workflow = {
  doc = { type = "string" },
  params = { type = "table" },
  steps = { type = "table|function" },
  body = { type = "function" },
  policy = { type = "string|table|function" },
  limit = { type = "number" },
  env = { type = "table" },
  pass_env = { type = "string|table" },
  dotenv = { type = "string|table" },
  secrets = { type = "string|table" },
  budget = { type = "table" },
  cache = { type = "boolean|table" },
  result = { type = "string|function" },
  loops = { type = "table" },
  finally = { type = "table" },
}

fields.param = {
  required = { type = "boolean" },
  choices = { type = "table" },
  pattern = { type = "string" },
  type = { type = "string" },
  help = { type = "string" },
  default = { type = "string|number|boolean|table" },
}

-- The types as sets: asked for each field of each step.
for _, what in ipairs { "step", "group", "workflow", "param" } do
  for _, spec in pairs(fields[what]) do spec.is = kinds(spec.type) end
end

--- Words other tools use, and ours.
fields.foreign = {
  depends_on = "needs", dependsOn = "needs", deps = "needs", dependencies = "needs",
  cmd = "run", command = "run", commands = "run", cmds = "run", script = "run", sh = "run",
  sources = "inputs", srcs = "inputs", generates = "outputs", artifacts = "outputs",
  ["if"] = "when", condition = "when", desc = "doc", description = "doc",
  dir = "cwd", ["working-directory"] = "cwd", working_directory = "cwd", workdir = "cwd",
  retries = "retry", ["continue-on-error"] = "allow_failure", ignore_error = "allow_failure",
  ignore_errors = "allow_failure", task = "prompt", environment = "env", vars = "env",
  foreach = "for_each", passenv = "pass_env", ["timeout-minutes"] = "timeout",
  timeout_minutes = "timeout", strategy = "matrix", always = "finally",
  parameters = "params", jobs = "steps", tasks = "steps", args = "with",
}

local advice = {
  ttl = "write cache = { ttl = … }", scope = "write cache = { scope = … }",
  attempts = "write retry = { attempts = … }", delay = "write retry = { delay = … }",
  name = "a step has an id, and doc for more words", id = "the id stands before the fields",
  parallel = "steps run side by side unless one needs the other",
  fail_fast = 'write policy = "fail_fast"', max_parallel = "write limit = …",
}

local function article(what) return what == "param" and "o.param" or "a " .. what end

local elsewhere = { "step", "group", "workflow" }

--- What to say about a field that `what` does not have: text and hint.
---@param what "step"|"group"|"workflow"|"param"
---@param name string
---@return string text, string? hint
function fields.unknown(what, name)
  local text = ("unknown field '%s'"):format(name)
  local known = fields[what]
  local ours = fields.foreign[name]
  if ours and known[ours] then return text, ("here it is called '%s'"):format(ours) end
  if advice[name] then return text, advice[name] end
  for _, other in ipairs(elsewhere) do
    if other ~= what and fields[other][name] then
      return ("'%s' is a field of a %s, not of %s"):format(name, other, article(what))
    end
  end
  return text, nearest.hint(name, known)
end

local words = { ["function"] = "a function", table = "a table", string = "text",
  number = "a number", boolean = "true or false" }

--- Is the value of a type the field takes?
---@param v any
---@param spec table an entry of fields.step, fields.group …
---@return boolean
function fields.fits(v, spec)
  return spec.is[type(v)] == true
end

-- What a field may come to: values, and tables within tables.
local MOST, DEEPEST = 4000000, 100

local function count(v, left, depth)
  if depth > DEEPEST then return -1 end
  for _, one in next, v do
    left = left - 1
    if type(one) == "table" then left = count(one, left, depth + 1) end
    if left < 0 then return -1 end
  end
  return left
end

--- What is wrong with a value that can never be handled: tables that share parts double with
--- each level as soon as they are written out, and one that contains itself has no end. nil
--- when nothing is.
---@param v any
---@return string? text
function fields.endless(v)
  if type(v) ~= "table" or count(v, MOST, 1) >= 0 then return nil end
  return ("is too much: over %d million values, what is shared counted each time, or tables "
    .. "%d deep"):format(MOST // 1000000, DEEPEST)
end

--- The types in words: "text or a table".
---@param types string
---@return string
function fields.describe(types)
  return (types:gsub("|", " or "):gsub("%a+", function(w) return words[w] end))
end

--- A value's type in words.
---@param v any
---@return string
function fields.kind_of(v)
  return v == nil and "nothing" or words[type(v)] or "a " .. type(v)
end

return fields
