-- What the templates and conditions of a step may read: known roots, params and steps that
-- exist, results of steps that come before.
local expr = require("orrery.model.expr")
local nearest = require("orrery.kernel.nearest")
local sorted = require("orrery.kernel.sorted")
local template = require("orrery.model.template")

local scope = {}

---@class orrery.Scope
---@field wf orrery.Workflow
---@field item? orrery.Step|orrery.Group  nil: the workflow itself, after all steps
---@field say fun(text: string, hint?: string)
---@field warn fun(text: string, hint?: string)
---@field field string                    the field the text stands in

local function spell(path)
  local words = {}
  for i, k in ipairs(path) do words[i] = tostring(k) end
  return table.concat(words, ".")
end

local function of_params(s, path)
  local name = path[2]
  if name == nil or s.wf.params[tostring(name)] then return end
  s.say(("there is no param '%s'"):format(tostring(name)),
    nearest.hint(tostring(name), s.wf.params) or (next(s.wf.params) and "the params are: "
      .. table.concat(sorted.keys(s.wf.params), ", ") or "add params = { " .. tostring(name)
      .. " = … }"))
end

-- An id with dots is read as results["a.b"].
local function dotted(s, path)
  local id = tostring(path[2])
  for i = 3, #path do
    id = id .. "." .. tostring(path[i])
    if s.wf.by_id[id] then return id end
  end
end

local function before(s, id)
  if not s.item or s.item.final then return true end
  return s.wf.graph:is_before(id, s.item.id)
end

local function of_results(s, path)
  local id = path[2] ~= nil and tostring(path[2])
  if not id then return end
  if not s.wf.by_id[id] then
    local longer = dotted(s, path)
    s.say(("there is no step '%s'"):format(longer or id), longer
      and ('write results["%s"]'):format(longer) or nearest.hint(id, s.wf.by_id))
  elseif s.item and (s.item.member_of or s.item.id) == id then
    s.say(("'%s' reads its own result"):format(id))
  elseif not before(s, id) then
    s.say(("the result of '%s' is read, which is not before '%s'"):format(id,
      s.item.member_of or s.item.id), ('add needs = "%s"'):format(id))
  end
end

local function of_secrets(s, path)
  local name = tostring(path[2])
  if s.field ~= "env" then
    return s.say(("{{%s}} stands in %s; secrets are used inside env only"):format(spell(path),
      s.field), ('write env = { %s = "{{%s}}" }'):format(name, spell(path)))
  end
  local known = s.known_secrets
  if path[2] ~= nil and not known[name] then
    s.say(("there is no secret '%s'"):format(name), nearest.hint(name, known)
      or ('add secrets = { "%s" } to the workflow'):format(name))
  end
end

-- A variable that holds a secret reaches a command as a variable, never as a word of it.
local function of_env(s, path)
  local set = s.item and s.item.env and s.item.env.set
  local text = set and path[2] ~= nil and set[path[2]]
  if s.field == "env" or type(text) ~= "string" then return end
  if text:find("{{%s*secrets%.") then
    s.say(("{{%s}} stands in %s, but it holds a secret"):format(spell(path), s.field),
      ("let the command read the variable: $%s"):format(path[2]))
  end
end

local function fan_of(item)
  if not item then return nil end
  if item.fan then return item.fan end
  local g = item.group
  return g and g.fan or nil
end

local function of_item(s, path)
  local f = fan_of(s.item)
  if path[1] == "item" and not (f and f.kind == "for_each") then
    s.say(("{{%s}} is read, but there is no for_each here"):format(spell(path)),
      f and "a matrix gives {{matrix.NAME}}" or nil)
  elseif path[1] == "matrix" and not (f and f.kind == "matrix") then
    s.say(("{{%s}} is read, but there is no matrix here"):format(spell(path)),
      f and "for_each gives {{item}}" or nil)
  elseif path[1] == "matrix" and path[2] ~= nil and f.matrix[path[2]] == nil then
    s.say(("the matrix has no '%s'"):format(tostring(path[2])),
      nearest.hint(tostring(path[2]), f.matrix))
  end
end

local function of_paths(s, path)
  local item, name = s.item, path[2]
  if not item or not item.kind then return end
  local names = path[1] == "inputs" and item.input_names or item.output_names
  local list = path[1] == "inputs" and item.inputs or item.outputs
  if name == nil then
    local said = path[1] == "inputs" and item.fields and item.fields.inputs ~= nil
    if not said and (not list or #list == 0) then -- inputs = {} is a list, of none
      s.say(("{{%s}} is read, but '%s' declares no %s"):format(spell(path), item.id, path[1]))
    end
  elseif math.type(name) ~= "integer" and not names[name] then
    s.say(("'%s' has no %s named '%s'"):format(item.id, path[1], tostring(name)),
      nearest.hint(tostring(name), names))
  end
end

local function of_services(s, path)
  local id = path[2] ~= nil and tostring(path[2])
  if not id then return end
  local item = s.wf.by_id[id]
  if not item or item.kind and item.kind ~= "service" then
    s.say(("there is no service '%s'"):format(id), not item and nearest.hint(id, s.wf.by_id) or nil)
  elseif not before(s, id) then
    s.say(("service '%s' is read, which is not before '%s'"):format(id,
      s.item.member_of or s.item.id), ('add needs = "%s"'):format(id))
  end
end

local function of_port(s)
  if not (s.item and s.item.kind == "service") then
    s.say("{{port}} is the port of a service; elsewhere write {{services.ID.port}}")
  end
end

local by_root = { params = of_params, results = of_results, secrets = of_secrets, env = of_env,
  item = of_item, matrix = of_item, inputs = of_paths, outputs = of_paths,
  services = of_services, port = of_port }

local function reads(s, path)
  local f = by_root[path[1]]
  if f then f(s, path) end
end

--- Checks the templates of one text.
---@param s orrery.Scope
---@param text string
function scope.text(s, text)
  local ok, parts = pcall(template.parse, text)
  if not ok then return s.say(parts.message or tostring(parts)) end
  if type(parts) == "string" then return end
  for _, part in ipairs(parts) do
    if type(part) == "table" then reads(s, part) end
  end
  for _, near in ipairs(parts.near or {}) do
    s.warn(("{{%s}} stays as text: '%s' is no root of a template"):format(near.source, near.word),
      ("did you mean '%s'?"):format(near.guess))
  end
end

--- Checks the templates in every string of a value.
---@param s orrery.Scope
---@param v any
---@param depth? integer
function scope.value(s, v, depth)
  depth = depth or 0
  if type(v) == "string" then
    if v:find("{{", 1, true) then scope.text(s, v) end
  elseif type(v) == "table" and depth < 50 then
    for _, item in sorted.pairs(v) do scope.value(s, item, depth + 1) end
  end
end

-- `params.env == "x"` where x is none of the choices can only come out one way.
local function check_choices(s, text)
  for name, op, _, v in text:gmatch("params%.([%a_][%w_]*)%s*([=~]=)%s*([\"'])(.-)%3") do
    local spec = s.wf.params[name]
    local found, list = false, {}
    for i, c in ipairs(spec and spec.choices or {}) do
      found = found or c == v
      list[i] = tostring(c)
    end
    if spec and spec.choices and not found then
      s.warn(("params.%s is never '%s', so this is always %s"):format(name, v,
        op == "==" and "false" or "true"), "its choices are: " .. table.concat(list, ", "))
    end
  end
end

local all_names
local function expr_names()
  if not all_names then
    all_names = {}
    for k in pairs(expr.roots) do all_names[k] = true end
    for k in pairs(expr.functions) do all_names[k] = true end
  end
  return all_names
end

--- Checks a condition.
---@param s orrery.Scope
---@param text string
function scope.condition(s, text)
  local ok, why = pcall(expr.compile, text)
  if not ok then return s.say(why.message or tostring(why)) end
  local bare = text:match("^%s*(.-)%s*$")
  if bare == "false" or bare == "nil" then
    return s.warn(("'%s' never runs: its when is %s"):format(s.item.id, bare))
  end
  for _, path in ipairs(expr.names(text)) do
    local root = path[1]
    if expr.roots[root] then
      reads(s, path)
    elseif not expr.functions[root] then
      s.say(("when: unknown name '%s'"):format(root), nearest.hint(root, expr_names()))
    end
  end
  check_choices(s, text)
end

return scope
