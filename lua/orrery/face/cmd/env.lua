-- orrery env [WORKFLOW] STEP: the environment of a step, and where it is from.
local args = require("orrery.face.args")
local cacheable = require("orrery.run.keys.cacheable")
local environ = require("orrery.run.keys.environ")
local errors = require("orrery.kernel.errors")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local secrets = require("orrery.run.secrets")
local sorted = require("orrery.kernel.sorted")
local target = require("orrery.face.target")
local template = require("orrery.model.template")
local words = require("orrery.face.words")

local env = {}

env.usage = "orrery env [WORKFLOW] STEP"
env.about = [[
Shows each variable a step gets, where it comes from, and whether it is part of the step's
key. Secrets are named, never shown. A step that always runs gets the whole environment;
-v lists it all.]]
env.flags = { "param", "json", "verbose" }
env.examples = { { "orrery env build", "of a step of the default workflow" },
  { "orrery env web deploy -p env=prod", "with a param" } }

-- Templates that only a run can fill stay as they are.
local function render(text, ctx)
  local ok, v = pcall(template.render, tostring(text), ctx, "text")
  return ok and v or tostring(text)
end

local function context(wf, step)
  local hidden = setmetatable({}, { __index = function(_, name)
    return "(secret " .. name .. ")"
  end })
  return { params = wf.values, secrets = hidden, step = { id = step.id }, env = {},
    with = step.with or {}, args = {} }
end

local function dotenv_of(wf)
  local files = {}
  for i, text in ipairs(wf.dotenv or {}) do files[i] = render(text, { params = wf.values }) end
  return environ.dotenv(wf.root, files)
end

local function own(step, wf, name)
  local fields = type(step.fields.env) == "table" and step.fields.env or {}
  return fields[name] ~= nil and "step" or wf.env.set[name] ~= nil and "workflow" or "step"
end

-- Where the secrets of a text come from, and who says so.
local function secret_of(wf, conf, text)
  local out = {}
  for name in tostring(text):gmatch("{{%s*secrets%.([%w_]+)%s*}}") do
    local spec = wf.secrets[name] or conf.secrets[name]
    if spec then out[#out + 1] = secrets.source(spec) end
  end
  return #out > 0 and table.concat(out, ", ") or nil
end

-- { name, value, from, key } of all that is declared or always there.
local function declared(wf, step, pure, conf)
  local process, out = environ.process(), {}
  local dotenv, from_file = dotenv_of(wf)
  local function outside(name)
    if process[name] ~= nil then return process[name], "process" end
    if dotenv[name] ~= nil then return dotenv[name], from_file[name] end
    return nil, "not set"
  end
  if pure then
    for _, name in ipairs({ "PATH", "HOME", "USER", "TMPDIR" }) do
      local v, from = outside(name)
      if v then out[name] = { value = v, from = from } end
    end
    out.LANG = { value = "C.UTF-8", from = "fixed" }
    out.TZ = { value = "UTC", from = "fixed" }
  end
  for i, list in ipairs({ step.env.pass or {}, step.env.take or {} }) do
    for _, name in ipairs(list) do
      local v, from = outside(name)
      out[name] = { value = v, from = from, key = i == 2 }
    end
  end
  local ctx = context(wf, step)
  for name, text in pairs(step.env.set or {}) do
    out[name] = { value = render(text, ctx), key = true, from = own(step, wf, name),
      secret = secret_of(wf, conf, text) }
  end
  return out, process
end

local function find(c)
  local wf, steps, conf = target.need(c.words, args.pairs(c.opts.param, "-p"), { inspect = true })
  if #steps ~= 1 then
    errors.raise("usage", #steps == 0 and "env needs a step: orrery env [WORKFLOW] STEP"
      or "env shows one step at a time")
  end
  local step = target.item(wf, steps[1])
  if step.members then errors.raise("usage", ("'%s' is a group"):format(step.id)) end
  return wf, step, conf
end

local function entries(wf, step, all, conf)
  local ok, pure = pcall(cacheable.pure, { workflow = wf }, step)
  pure = ok and pure
  local vars, process = declared(wf, step, pure, conf)
  local more, list = 0, pack.array({})
  if not pure then
    for name, v in pairs(process) do
      if not vars[name] then
        more = more + 1
        if all then vars[name] = { value = v, from = "process" } end
      end
    end
  end
  for name, v in sorted.pairs(vars) do
    list[#list + 1] = { name = name, value = v.value, from = v.from, key = v.key or false,
      secret = v.secret }
  end
  return list, all and 0 or more
end

--- Prints the environment.
---@param c table the invocation
---@return integer
function env.main(c)
  local wf, step, conf = find(c)
  local list, more = entries(wf, step, c.opts.verbose or c.opts.json, conf)
  if c.opts.json then
    c.out(json.encode(list, { lossy = true, indent = 2 }) .. "\n")
    return 0
  end
  local rows = {}
  for i, v in ipairs(list) do
    rows[i] = { v.name, v.from, v.key and "in the key" or "", v.value and words.brief(v.value, 80)
      .. (v.secret and "  from " .. v.secret or "") or "" }
  end
  for _, line in ipairs(words.columns(rows)) do c.out(line .. "\n") end
  if more > 0 then
    c.out(("and %d more of the process, for it always runs (-v lists them)\n"):format(more))
  end
  return 0
end

return env
