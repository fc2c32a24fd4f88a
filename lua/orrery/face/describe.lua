-- Workflows, steps and groups as plain data and as rows, for show.
local cacheable = require("orrery.run.keys.cacheable")
local executors = require("orrery.run.agents.executors")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local proc = require("orrery.core.proc")
local sorted = require("orrery.kernel.sorted")
local words = require("orrery.face.words")

local describe = {}

local function place_text(p)
  if not p or not p.file then return "" end
  return p.line and ("%s:%d"):format(p.file, p.line) or p.file
end

local function value_text(v)
  if type(v) == "string" then return v end
  if type(v) == "function" then
    local info = debug.getinfo(v, "S")
    return ("function (%s:%d)"):format(info.short_src, info.linedefined)
  end
  return json.encode(v, { lossy = true }) or tostring(v)
end

-- A command as a person would type it.
local function command(action)
  if type(action) ~= "table" then return value_text(action) end
  local list = {}
  local function add(v)
    if type(v) == "table" then
      for _, one in ipairs(v) do add(one) end
    else
      list[#list + 1] = proc.quote(tostring(v))
    end
  end
  add(action)
  return table.concat(list, " ")
end

local function paths(specs)
  local out = pack.array({})
  for i, spec in ipairs(specs or {}) do
    out[i] = (spec.exclude and "!" or "") .. (spec.name and spec.name .. " = " or "") .. spec.path
      .. (spec.dir and not spec.glob and "/" or "")
  end
  return out
end

-- As a run with this orrery.lua would see it.
local function remembered(wf, step, config)
  local run = { workflow = wf, opts = {}, config = config, executor = executors.find }
  local ok, pure, why = pcall(cacheable.pure, run, step)
  if not ok then return "depends on its executor" end
  return pure and "yes" or "no: " .. why
end

local function env_of(step)
  local out = pack.array({})
  for name, v in sorted.pairs(step.env and step.env.set or {}) do
    out[#out + 1] = name .. "=" .. tostring(v)
  end
  for _, name in ipairs(step.env and step.env.take or {}) do out[#out + 1] = name end
  for _, name in ipairs(step.env and step.env.pass or {}) do
    out[#out + 1] = name .. " (passed on, not in the key)"
  end
  return out
end

-- How a service becomes ready.
local function ready_of(step)
  local r = step.ready
  if not r then return nil end
  for _, how in ipairs({ "run", "tcp", "http", "log" }) do
    if r[how] ~= nil then
      local text = type(r[how]) == "table" and command(r[how]) or tostring(r[how])
      return ("%s %s, within %s"):format(how, text, require("orrery.time").format(r.timeout))
    end
  end
end

local function stop_of(step)
  local s = step.stop
  return s and ("%s, killed after %s"):format(s.signal, require("orrery.time").format(s.grace))
end

local function needs_of(item)
  local out = pack.array({})
  for i, id in ipairs(item.needs or {}) do
    local why = item.implied and item.implied[id]
    out[i] = why and ("%s (reads %s)"):format(id, why) or id
  end
  return out
end

local function some(list) return #list > 0 and list or nil end

--- A step or group as plain data.
---@param item orrery.Step|orrery.Group
---@param wf orrery.Workflow
---@param config? orrery.Config what executes its agents
---@return table
function describe.fields(item, wf, config)
  local out = { id = item.id, doc = item.doc, place = place_text(item.place),
    needs = some(needs_of(item)), after = some(item.after or {}),
    when = item.when and value_text(item.when), workflow = wf.name,
    group = (item.group or item.parent) and (item.group or item.parent).id or nil }
  if item.members then
    out.kind = "group"
    out.members = pack.array({})
    for i, m in ipairs(item.members) do out.members[i] = m.id end
    out.policy = item.policy and item.policy.module or nil
    out.limit = item.limit
    return out
  end
  out.kind = item.kind
  out[item.kind] = command(item.action)
  out.cwd, out.prompt = item.cwd, item.prompt
  out.inputs = item.inputs and paths(item.inputs) or nil
  out.outputs = some(paths(item.outputs))
  out.env = some(env_of(item))
  out.timeout = item.timeout
  out.ready, out.stop = ready_of(item), stop_of(item)
  out.retry = item.retry and value_text(item.retry)
  out.resources = item.resources and value_text(item.resources)
  out.remembered = remembered(wf, item, config)
  out.allow_failure = item.allow_failure or nil
  return out
end

local order = { "kind", "doc", "place", "group", "run", "call", "skill", "agent", "workflow",
  "body", "approve", "service", "prompt", "cwd", "members", "policy", "limit", "needs", "after",
  "when", "inputs", "outputs", "env", "ready", "stop", "timeout", "retry", "resources",
  "allow_failure", "remembered" }

--- The same as rows for columns.
---@param item orrery.Step|orrery.Group
---@param wf orrery.Workflow
---@param config? orrery.Config
---@return string[][]
function describe.rows(item, wf, config)
  local fields, rows = describe.fields(item, wf, config), {}
  if fields.kind ~= "workflow" then fields.workflow = nil end
  if fields.group == "" then fields.group = nil end
  for _, name in ipairs(order) do
    local v = fields[name]
    if type(v) == "table" then
      for i, one in ipairs(v) do rows[#rows + 1] = { i == 1 and name or "", one } end
      if #v == 0 then rows[#rows + 1] = { name, "none" } end
    elseif v ~= nil then
      for l in (tostring(v) .. "\n"):gmatch("(.-)\n") do
        rows[#rows + 1] = { rows[#rows] and rows[#rows].of == name and "" or name, l, of = name }
      end
    end
  end
  return rows
end

--- A workflow as plain data.
---@param wf orrery.Workflow
---@return table
function describe.workflow(wf)
  local params, steps = pack.array({}), pack.array({})
  for name, p in sorted.pairs(wf.params) do
    params[#params + 1] = { name = name, type = p.type, required = p.required or nil,
      default = p.default ~= nil and value_text(p.default) or nil, help = p.help,
      choices = p.choices }
  end
  for i, s in ipairs(wf.steps) do
    steps[i] = { id = s.id, kind = s.kind, doc = s.doc, needs = pack.array(s.needs),
      after = pack.array(s.after), group = s.group and s.group.id ~= "" and s.group.id or nil }
  end
  local groups = pack.array({})
  for _, g in ipairs(wf.groups or {}) do
    if g.id ~= "" and not g.fan then
      local members = pack.array({})
      for i, m in ipairs(g.members) do members[i] = m.id end
      groups[#groups + 1] = { id = g.id, doc = g.doc, members = members,
        needs = pack.array(g.needs), policy = g.policy and g.policy.module or nil,
        limit = g.limit }
    end
  end
  return { name = wf.name, doc = wf.doc, groups = groups,
    file = wf.file, place = place_text(wf.place),
    form = wf.form, params = params, steps = steps, body = wf.body ~= nil or nil,
    count = words.count(#wf.steps, "step") }
end

return describe
