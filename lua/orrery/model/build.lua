-- The constructors of the language: o.step, o.group, o.workflow, o.param, o.merge. They
-- only note what was written and where; what it means is decided by the modules beside.
local errors = require("orrery.kernel.errors")
local place = require("orrery.model.place")

local build = {}

--- The empty list and map of all steps that have nothing there. Nobody adds to it.
build.none = {}

--- A list or map of a step, to add to: from now on its own.
---@param s orrery.Step
---@param name string
---@return table
function build.own(s, name)
  if s[name] == build.none then s[name] = {} end
  return s[name]
end

---@class orrery.Node
---@field what "step"|"group"|"workflow"|"param"|"condition"
---@field id? string
---@field fields? table           nil: o.step "x" without its { … }
---@field place orrery.Place
---@field places? table<string, orrery.Place>  of the fields, when the form knows them
local Node = { __name = "orrery.node" }

local function node(what, id, fields, last)
  return setmetatable({ what = what, id = id, fields = fields, place = place.caller(last) }, Node)
end

Node.__call = function(self, fields)
  if self.fields then
    error(("%s '%s' is followed by another value; is a comma missing between them?")
      :format(self.what, self.id), 2)
  end
  if type(fields) ~= "table" or build.is(fields) then
    error(('o.%s "%s" needs a table of fields: o.%s "%s" { … }')
      :format(self.what, self.id, self.what, self.id), 2)
  end
  -- Its place stays that of o.step "x", where `return o.workflow "x" { … }` is no tail call yet.
  self.fields = fields
  return self
end

Node.__tostring = function(self) return ("%s '%s'"):format(self.what, tostring(self.id)) end

Node.__concat = function(a, b)
  local self = build.is(a) and a or b
  error(("%s is a value of the workflow, not text; its result is {{results.%s.value}}")
    :format(tostring(self), tostring(self.id)), 2)
end

--- Is it a node: what a constructor returned?
---@param v any
---@param what? string of that sort
---@return boolean
function build.is(v, what)
  return getmetatable(v) == Node and (what == nil or v.what == what)
end

--- Makes a node of another form (YAML) alike.
---@param what string
---@param id string?
---@param fields table
---@param at orrery.Place
---@param places? table<string, orrery.Place>
---@return orrery.Node
function build.node(what, id, fields, at, places)
  return setmetatable({ what = what, id = id, fields = fields, place = at,
    places = places or {} }, Node)
end

local function constructor(what)
  local last -- the steps of a loop are all made in one line
  return function(id, fields)
    if type(id) == "number" then
      error(('an id is text: o.%s "%s" { … }'):format(what, tostring(id)), 2)
    elseif type(id) ~= "string" then
      error(('o.%s needs an id first: o.%s "name" { … }'):format(what, what), 2)
    elseif fields ~= nil and type(fields) ~= "table" then
      error(('o.%s "%s" needs a table of fields, not a %s'):format(what, id, type(fields)), 2)
    end
    local made = node(what, id, fields, last)
    last = made.place
    return made
  end
end

local function workflow(id, fields)
  if type(id) == "table" and fields == nil then return node("workflow", nil, id) end
  if type(id) ~= "string" then
    error('o.workflow needs a name or a table: o.workflow "name" { … }', 2)
  end
  return node("workflow", id, fields)
end

local function param(fields)
  if type(fields) ~= "table" then
    error("o.param needs a table: o.param { required = true, help = … }", 2)
  end
  return node("param", nil, fields)
end

--- A condition in the words of agent workflows: what `when` takes where names are those of
--- params and artifacts.
---@param text string
---@usage when = o.condition "plan.complexity >= moderate"
local function condition(text)
  if type(text) ~= "string" then
    error('o.condition needs its text: when = o.condition "plan.risk == high"', 2)
  end
  return setmetatable({ what = "condition", id = text, fields = {}, place = place.caller() }, Node)
end

local function is_map(v)
  return type(v) == "table" and getmetatable(v) == nil and next(v) ~= nil and v[1] == nil
end

local function merge_into(out, t)
  for k, v in pairs(t) do
    if is_map(v) and is_map(out[k]) then
      out[k] = merge_into(merge_into({}, out[k]), v)
    else
      out[k] = v
    end
  end
  return out
end

--- A new table with the fields of all; later ones win, maps are merged at every depth,
--- lists are replaced. nil and false are skipped.
---@param ... table|false|nil
---@return table
---@usage o.merge({ env = { A = "1" } }, { env = { B = "2" } }) --> { env = { A = "1", B = "2" } }
local function merge(...)
  local out = {}
  for i = 1, select("#", ...) do
    local t = select(i, ...)
    if t then
      if type(t) ~= "table" or build.is(t) then
        error(("o.merge takes tables of fields; argument %d is %s"):format(i,
          build.is(t) and "a finished " .. t.what or "a " .. type(t)), 2)
      end
      merge_into(out, t)
    end
  end
  return out
end

--- A fresh set of the constructors.
---@return table<string, function> workflow, step, group, param, condition, merge
function build.new()
  return { step = constructor("step"), group = constructor("group"), workflow = workflow,
    param = param, condition = condition, merge = merge }
end

local function is_list(t)
  for k in next, t do
    if math.type(k) ~= "integer" then return false end
  end
  return true
end

--- Is it a list of texts, without holes or anything else?
---@param t table
---@return boolean
function build.is_plain(t)
  local n = #t
  for k, v in next, t do
    if math.type(k) ~= "integer" or k > n or type(v) ~= "string" then return false end
  end
  return true
end

local function length(t)
  local n, count = 0, 0
  for k in next, t do
    count = count + 1
    if k > n then n = k end
  end
  if n > 4 * count + 1000 then
    errors.raise("list", ("a list has an entry at %d and only %d entries"):format(n, count))
  end
  return n
end

-- As many entries as lists within lists may come to, what is shared counted each time.
local MOST = 1000000

local function walk(list, visit, depth, left)
  if depth > 100 then errors.raise("list", "a list contains itself, or lists are 100 deep") end
  for i = 1, length(list) do
    local v = list[i]
    left = left - 1
    if left < 0 then
      errors.raise("list", "a list comes to more than a million entries, what is shared counted "
        .. "each time")
    end
    if type(v) == "table" and getmetatable(v) ~= Node and is_list(v) then
      left = walk(v, visit, depth + 1, left)
    elseif v then
      visit(v)
    end
  end
  return left
end

--- Walks a list that may nest, with holes: visit(value) for each entry but false and nil.
--- A table with other than integer keys counts as a value.
---@param list table
---@param visit fun(v: any)
function build.flatten(list, visit)
  walk(list, visit, 1, MOST)
end

return build
