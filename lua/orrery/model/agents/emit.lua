-- A loaded workflow of the agent dialect as Lua source: the same steps, in the fields that the
-- language has for them. What the dialect implies by its words is written out.
local inputs = require("orrery.model.agents.inputs")
local sorted = require("orrery.kernel.sorted")
local spell = require("orrery.model.agents.spell")
local templates = require("orrery.model.agents.templates")

local emit = {}

---@class orrery.agents.Emit
---@field wf orrery.Workflow
---@field retry? string  the common retry as source
local Emit = {}
Emit.__index = Emit

local function pair(key, value) return { key = key, value = value } end

-- Adds a field that is there.
local function put(out, key, value)
  if value ~= nil then out[#out + 1] = pair(key, value) end
end

-- {{name}} is {{params.name}} in the language.
function Emit:text(v)
  if type(v) ~= "string" then return v end
  return (v:gsub("{{%s*([%a_][%w_%-]*)%s*}}", function(name)
    if self.wf.params[name] then return "{{params." .. name .. "}}" end
  end))
end

local function condition(trees)
  local all
  for _, tree in ipairs(trees) do all = all and { op = "and", all, tree } or tree end
  return all and spell.code("o.condition " .. spell.quoted(spell.condition(all)))
end

---------------------------------------------------------------------------
-- params

local function param(spec)
  local plain = spec.default ~= nil and not spec.help and not spec.choices and not spec.pattern
  local kind = type(spec.default)
  if plain and (kind == "string" and spec.type == "string" or kind == "boolean"
    or math.type(spec.default) == "integer" and spec.type == "integer") then
    return spec.default
  end
  local f = {}
  put(f, "type", spec.type ~= "string" and spec.type or nil)
  put(f, "required", spec.required or nil)
  put(f, "default", emit.plain(spec.default))
  put(f, "help", spec.help)
  if #f == 0 then return spell.code("o.param {}") end
  return spell.code("o.param " .. spell.value(f, "    "))
end

--- A plain value as spell takes it.
function emit.plain(v)
  if type(v) ~= "table" then return v end
  local out = {}
  for i, item in ipairs(v) do out[i] = emit.plain(item) end
  for k, item in sorted.pairs(v) do
    if math.type(k) ~= "integer" then out[#out + 1] = pair(k, emit.plain(item)) end
  end
  return out
end

-- The ids that templates of the dialect may name; the YAML itself gives none of them.
local function about_ids(self)
  local spec = self.wf.params.run_id
  if not spec or type(spec.default) ~= "string" or not spec.default:find(templates.RUN, 1, true)
    then return "" end
  return ("  -- epic_id, plan_id, run_id, story_id and workflow_id are params of the YAML dialect\n"
    .. "  -- itself, for its templates; %s becomes the id of the run\n"):format(templates.RUN)
end

local function params(self)
  local out = {}
  for name, spec in sorted.pairs(self.wf.params) do out[#out + 1] = pair(name, param(spec)) end
  return out
end

---------------------------------------------------------------------------
-- fields of a step

local function read(self, input)
  local out = { self:text(input.name) }
  put(out, "from", input.from)
  put(out, "optional", input.optional or nil)
  put(out, "beside", input.beside or nil)
  put(out, "instead_of", input.instead_of and self:text(input.instead_of))
  put(out, "note", input.note)
  return #out == 1 and out[1] or out
end

local function made(self, o)
  local out, guess = { self:text(o.name) }, inputs.output(o.name)
  put(out, "kind", guess.kind ~= o.kind and o.kind or nil)
  put(out, "optional", o.optional and not guess.optional or nil)
  put(out, "note", o.note)
  return #out == 1 and out[1] or out
end

local function each(self, list, one)
  local out = {}
  for i, item in ipairs(list) do out[i] = one(self, item) end
  return #out > 0 and out or nil
end

local function gate(self, e)
  local v, out, schemas = e.validation, {}, {}
  if v.schema then schemas[1] = self:text(v.schema) end
  for _, s in ipairs(v.secondary) do
    if s.schema then schemas[#schemas + 1] = pair(self:text(s.artifact), self:text(s.schema)) end
  end
  put(out, "schema", #schemas == 1 and v.schema and schemas[1] or #schemas > 0 and schemas or nil)
  put(out, "score", v.minimum)
  put(out, "rubric", self:text(v.rubric))
  put(out, "checks", v.checks)
  put(out, "verdict", self:text(v.gate))
  put(out, "improve", e.rating or nil)
  return #out > 0 and out or nil
end

local function prompt(self, e)
  local parts = {}
  for _, text in ipairs { e.name or false, e.description or false, e.notes or false } do
    if text then parts[#parts + 1] = self:text(text) end
  end
  return #parts > 0 and table.concat(parts, "\n\n") or nil
end

-- Params of a workflow within: their templates as they are written here.
local function with(self, map)
  local out = {}
  for k, v in sorted.pairs(map) do
    put(out, k, type(v) == "string" and self:text(v) or emit.plain(v))
  end
  return out
end

-- What the order needs beside data and conditions, which say it themselves.
local function behind(self, s)
  local out = {}
  for _, id in ipairs(s.needs) do
    if s.control and s.control[id] and self.own[id] then out[#out + 1] = id end
  end
  if #out == 0 then return nil end
  local name = self.shared and self.shared[table.concat(out, "\0")]
  return name and spell.code(name) or #out == 1 and out[1] or out
end

local function after(self, e, s)
  if not self.wf.dialect.in_order then return nil end
  local said, out = {}, {}
  for _, input in ipairs(e.inputs) do
    if input.from then said[input.from] = true end
  end
  for _, id in ipairs(s.after) do
    if not said[id] and self.own[id] then out[#out + 1] = id end
  end
  return #out > 0 and (#out == 1 and out[1] or out) or nil
end

local function uses(e)
  local out = {}
  put(out, "skill", e.role and e.skill or nil)
  put(out, "tool", e.tool)
  return #out > 0 and out or nil
end

local function seconds(n)
  if not n then return nil end
  return n % 60 == 0 and ("%dm"):format(n // 60) or n
end

-- What a retry is when it does not say.
local usual = { max_delay = 60, jitter = false }

local function retry_text(r)
  local out = { pair("attempts", r.attempts) }
  for _, key in ipairs { "delay", "backoff", "grow", "max_delay", "jitter" } do
    if r[key] ~= usual[key] then put(out, key, r[key]) end
  end
  put(out, "on", r.on and emit.plain(r.on))
  return spell.value(out)
end

local function retry(self, s)
  local r = s.retry
  if not r or r.attempts == 1 and not r.on then return nil end
  local text = retry_text(r)
  if text == self.retry then return spell.code("retry") end
  local common = {}
  for k, v in pairs(self.retry_of or {}) do common[k] = v end
  common.attempts = r.attempts
  if self.retry and text == retry_text(common) then
    return spell.code(("o.merge(retry, { attempts = %d })"):format(r.attempts))
  end
  return spell.code(text)
end

local function fields(self, e)
  local s, f = self.wf.by_id[e.id], {}
  put(f, "agent", e.role and self:text(s.fields.agent))
  put(f, "skill", not e.role and e.skill or nil)
  put(f, "workflow", e.workflow and self:text(e.workflow))
  put(f, "with", e.with and with(self, e.with))
  put(f, "model", e.model)
  put(f, "doc", e.name)
  put(f, "when", condition(e.trees))
  put(f, "needs", e.publish and "*" or nil)
  put(f, "behind", not e.publish and behind(self, s) or nil)
  put(f, "after", after(self, e, s))
  put(f, "reads", each(self, e.inputs, read))
  put(f, "artifacts", each(self, e.outputs, made) or #e.inputs == 0 and {} or nil)
  put(f, "gate", gate(self, e))
  put(f, "uses", uses(e))
  put(f, "fallback", e.fallback)
  put(f, "timeout", self.wf.dialect.timeout == nil and seconds(s.timeout) or nil)
  put(f, "retry", retry(self, s))
  put(f, "on_failure", e.retry and e.retry.on_failure)
  put(f, "allow_failure", s.allow_failure or nil)
  put(f, "prompt", e.role and prompt(self, e) or nil)
  return f
end

local function unused(meta, indent)
  local names = sorted.keys(meta or {})
  if #names == 0 then return "" end
  return ("%s-- not used: %s\n"):format(indent, table.concat(names, ", "))
end

local function step(self, e, indent)
  return ("%so.step %s {\n%s%s%s},\n"):format(indent, spell.quoted(e.id),
    unused(e.meta, indent .. "  "), spell.fields(fields(self, e), indent .. "  "), indent)
end

local function members(self)
  local out, done = {}, {}
  for _, e in ipairs(self.wf.dialect.entries) do
    if not e.member or self.wf.dialect.in_order then
      out[#out + 1] = step(self, e, "  ")
    elseif not done[e.member] then
      done[e.member] = true
      local list = {}
      for _, other in ipairs(self.wf.dialect.entries) do
        if other.member == e.member then list[#list + 1] = step(self, other, "    ") end
      end
      out[#out + 1] = ('  o.group %s { policy = %s,\n%s  },\n'):format(
        spell.quoted("parallel:" .. e.member), spell.quoted(self.wf.top.policy.module),
        table.concat(list))
    end
  end
  return table.concat(out)
end

---------------------------------------------------------------------------
-- the whole

local function loops(self)
  local out = {}
  for i, loop in ipairs(self.wf.dialect.loops) do
    local f = { pair("from", loop.from), pair("to", loop.to), pair("max", self:text(loop.max)),
      pair("again", condition { loop.tree }) }
    put(f, "counter", loop.counter ~= "iteration_count" and loop.counter or nil)
    put(f, "before", loop.before and #loop.before > 0 and loop.before or nil)
    out[i] = f
  end
  return #out > 0 and out or nil
end

-- The retry that most steps have gets a name.
local function common_retry(self)
  local count, most, of = {}, nil, {}
  for _, e in ipairs(self.wf.dialect.entries) do
    local r = self.wf.by_id[e.id].retry
    local text = r and (r.attempts > 1 or r.on) and retry_text(r)
    if text then
      count[text], of[text] = (count[text] or 0) + 1, r
      if not most or count[text] > count[most] then most = text end
    end
  end
  if most and count[most] > 1 then self.retry, self.retry_of = most, of[most] end
end

-- Long lists of what comes before, asked by several steps, get names.
local function common_lists(self)
  local count, lists, shared, lines = {}, {}, {}, {}
  for _, e in ipairs(self.wf.dialect.entries) do
    local list = not e.publish and behind(self, self.wf.by_id[e.id])
    if type(list) == "table" and #list > 2 then
      local key = table.concat(list, "\0")
      if not count[key] then lists[#lists + 1] = { key = key, list = list } end
      count[key] = (count[key] or 0) + 1
    end
  end
  for _, one in ipairs(lists) do
    if count[one.key] > 1 then
      local name = "steps_to_" .. one.list[#one.list]:gsub("[^%w]", "_")
      shared[one.key] = name
      lines[#lines + 1] = ("local %s = %s\n"):format(name, spell.value(one.list))
    end
  end
  self.shared = shared
  return table.concat(lines)
end

--- The source of a workflow that was loaded from the agent dialect.
---@param wf orrery.Workflow
---@param file string what it was called
---@return string
function emit.source(wf, file)
  local self = setmetatable({ wf = wf, own = {} }, Emit)
  for _, e in ipairs(wf.dialect.entries) do self.own[e.id] = true end
  common_retry(self)
  local lists = common_lists(self)
  local f = {}
  put(f, "doc", wf.doc)
  put(f, "policy", wf.top.policy.module)
  put(f, "params", params(self))
  put(f, "loops", loops(self))
  return table.concat({ ("-- From %s, by orrery agents convert.\n"):format(file),
    'local o = require("orrery")\n', self.retry and "\nlocal retry = " .. self.retry .. "\n" or "",
    lists ~= "" and "\n" .. lists or "", ("\nreturn o.workflow %s {\n"):format(
      spell.quoted(wf.name)), unused(wf.meta, "  "), about_ids(self), spell.fields(f, "  "), "\n",
    members(self), "}\n" })
end

return emit
