-- The YAML form: a map with name, params and steps. It becomes the same nodes that the Lua
-- constructors make, with the place of every field; the rest is shared.
--
--    steps:
--      - { id: build, run: make dist, outputs: [dist] }
--      - group: checks
--        policy: settled
--        steps: [ … ]
local build = require("orrery.model.build")
local core = require("orrery.core.yaml")
local fields = require("orrery.model.fields")
local nearest = require("orrery.kernel.nearest")
local null = require("orrery.core.pack").null
local workflow = require("orrery.model.workflow")

local yaml = {}

---@class orrery.YamlReader
---@field file string
---@field info orrery.YamlInfo
---@field report orrery.Messages
local Reader = {}
Reader.__index = Reader

-- The place of the value under a key of a map or list; key 0 is the table itself.
function Reader:place(t, key)
  local packed = self.info.lines[t] and self.info.lines[t][key]
  if not packed then return { file = self.file } end
  return { file = self.file, line = packed >> 16, column = packed & 0xffff }
end

function Reader:error(at, text, hint) self.report:error(at, text, hint) end

-- The exact text of a scalar that YAML read as a number, boolean or null.
function Reader:text(t, key)
  local texts = self.info.texts[t]
  local v = t[key]
  if type(v) == "number" or type(v) == "boolean" then
    return texts and texts[key] or tostring(v)
  end
  return v
end

-- Words of an argv, names, paths: scalars in lists and maps become their text.
function Reader:texts(t, key)
  local v = t[key]
  if type(v) ~= "table" then return self:text(t, key) end
  local out = setmetatable({}, getmetatable(v))
  for k in pairs(v) do out[k] = self:texts(v, k) end
  return out
end

local deep_text = { needs = true, after = true, run = true, service = true, inputs = true,
  outputs = true, env = true, pass_env = true, tools = true, show = true, shell = true,
  dotenv = true }

local keeps_type = { with = true, returns = true, for_each = true, matrix = true, cache = true,
  allow_failure = true, keep = true, temp = true, tty = true, limit = true, max = true,
  retry = true, resources = true, budget = true, params = true, timeout = true, sample = true,
  gate = true, secrets = true, policy = true, ready = true, stop = true }

function Reader:field(t, key)
  if deep_text[key] then return self:texts(t, key) end
  if keeps_type[key] then return t[key] end
  return self:text(t, key)
end

-- Fields and their places, without the keys in `except`; null counts as absent.
function Reader:fields(t, except)
  local out, places = {}, {}
  for k, v in pairs(t) do
    if not except[k] and v ~= null then
      out[k] = self:field(t, k)
      places[k] = self:place(t, k)
    end
  end
  return out, places
end

-- As fields, but every value keeps the type YAML gave it.
function Reader:typed(t)
  local out, places = {}, {}
  for k, v in pairs(t) do
    if v ~= null then out[k], places[k] = v, self:place(t, k) end
  end
  return out, nil, places
end

local function is_map(v)
  return type(v) == "table" and not (getmetatable(v) ~= nil or v[1] ~= nil)
end

function Reader:refuse_body(out, places)
  if out.body == nil then return end
  self:error(places.body, "a body is Lua", "write the workflow as a .lua file, or nest one: "
    .. "workflow: name")
  out.body = nil
  places.body = nil
end

-- An item of steps: a step with an id, or a group with its own steps.
function Reader:item(list, i)
  local t = list[i]
  local at = self:place(list, i)
  if not is_map(t) then
    return self:error(at, ("a step is a map with an id, not %s"):format(fields.kind_of(t)),
      type(t) == "string" and ("write - { id: name, run: %q }"):format(t) or nil)
  end
  if t.group ~= nil then return self:group(t, at) end
  if t.id == nil then
    local near = nearest.find("id", t)
    local only = next(t)
    self:error(at, "the step has no id", near and ("did you mean 'id' for '%s'?"):format(near)
      or next(t, only) == nil and type(only) == "string" and is_map(t[only])
      and ("write - id: %s"):format(only) or "write id: name")
    return nil
  end
  local out, places = self:fields(t, { id = true })
  self:refuse_body(out, places)
  places.id = self:place(t, "id")
  return build.node("step", self:text(t, "id"), out, at, places)
end

function Reader:items(t, key)
  local list = t[key]
  if list == nil or list == null then return nil end
  if type(list) ~= "table" or is_map(list) and next(list) ~= nil then
    self:error(self:place(t, key), ("%s must be a list of steps"):format(key),
      is_map(list) and "write each with a dash: - id: name" or nil)
    return {}
  end
  local out = {}
  for i = 1, #list do out[#out + 1] = self:item(list, i) end
  return out
end

function Reader:group(t, at)
  local out, places = self:fields(t, { group = true, steps = true, finally = true })
  out.steps, out.finally = self:items(t, "steps"), self:items(t, "finally")
  return build.node("group", self:text(t, "group"), out, at, places)
end

-- A map of nothing but the words of o.param is one; any other value is a default.
function Reader:params(t)
  local list = t.params
  if list == nil or list == null then return nil, {} end
  local out, places = {}, {}
  if not is_map(list) then
    self:error(self:place(t, "params"), "params is a map of names and defaults")
    return nil, {}
  end
  for name, v in pairs(list) do
    local at = self:place(list, name)
    places[name] = at
    local spec = is_map(v) and next(v) ~= nil
    for k in pairs(spec and v or {}) do spec = spec and fields.param[k] ~= nil end
    if spec then
      out[name] = build.node("param", nil, self:typed(v))
      out[name].place = at
    elseif v == null then
      out[name] = build.node("param", nil, {}, at, {})
    else
      out[name] = v
    end
  end
  return out, places
end

-- Steps of the dialect say step:, or tell by their other words that they are of it.
local function of_dialect(item)
  return item.step ~= nil or item.agent ~= nil and item.description ~= nil
    and (item.validation ~= nil or item.tasks ~= nil or item.next_agents ~= nil)
end

local function is_dialect(value)
  if value.phases ~= nil then return true end
  for _, item in ipairs(type(value.steps) == "table" and value.steps or {}) do
    if type(item) == "table" and of_dialect(item) then return true end
  end
  return false
end

function Reader:workflow(value)
  local out, places = self:fields(value, { name = true, steps = true, finally = true,
    params = true })
  self:refuse_body(out, places)
  out.steps, out.finally = self:items(value, "steps"), self:items(value, "finally")
  local params, param_places = self:params(value)
  out.params = params
  for name, at in pairs(param_places) do places[name] = places[name] or at end
  local id = value.name ~= nil and value.name ~= null and self:text(value, "name") or nil
  return build.node("workflow", id, out, { file = self.file, line = 1 }, places)
end

-- What the C side said about a text that is no YAML, as a message.
local function refuse(r, name, err)
  local text = err.message
  local prefix = ("%s:%d:%d: "):format(name, err.line or 0, err.column or 0)
  if text:sub(1, #prefix) == prefix then text = text:sub(#prefix + 1) end
  text = text:gsub("^error: ", "")
  r:error({ file = name, line = err.line, column = err.column }, text)
  r:settle()
end

--- Loads a YAML text: the native form, or hands the agent dialect to its own module.
---@param text string
---@param name string of the file, for places
---@param info table as for workflow.make
---@param opts table
---@param box orrery.Box
---@param r orrery.Messages
---@return orrery.Workflow
function yaml.load(text, name, info, opts, box, r)
  local value, facts = core.decode(text, { name = name })
  if value == nil then refuse(r, name, facts) end
  if not is_map(value) then
    r:error({ file = name, line = 1 }, value == null and "the file is empty"
      or "a workflow is a map", "write name:, params: and steps:")
    r:settle()
  end
  if is_dialect(value) then
    info.form = "agents"
    return require("orrery.model.agents").load(value, facts, { name = name, info = info,
      opts = opts, box = box, report = r })
  end
  info.form = "yaml"
  local reader = setmetatable({ file = name, info = facts, report = r }, Reader)
  return workflow.make(reader:workflow(value), info, opts, box, r)
end

return yaml
