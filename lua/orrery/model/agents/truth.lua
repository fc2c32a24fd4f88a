-- Decides a condition of an agent workflow: what its names stand for, and what follows.
--
-- A name is looked up as a param, a field of an artifact (the latest first), an artifact,
-- a field of a result, a variable of the environment. What nothing defines is false, and
-- that is said: no step runs because something was missing.
local condition = require("orrery.model.agents.condition")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local null = require("orrery.core.pack").null
local sorted = require("orrery.kernel.sorted")
local templates = require("orrery.model.agents.templates")

local truth = {}

local MAX_ARTIFACT = 16 << 20

---@class orrery.agents.View
---@field root string
---@field run_id string
---@field params table<string, any>
---@field artifacts { key: string, path: string }[]  of steps before, the latest first
---@field results table<string, orrery.Result>
---@field before string[]       ids of the steps before
---@field environ table<string, string>
---@field warn fun(text: string)
---@field strict? boolean
local View = {}
View.__index = View

--- "final_score", "Final-Score" and "final-score-{{workflow_id}}.json" are one name.
---@param name string
---@return string
function truth.fold(name)
  name = name:match("([^/]*)$"):gsub("%.%w+$", ""):gsub("[%-_]*{{.-}}", "")
  return (name:lower():gsub("_", "-"))
end

local function read(self, artifact)
  local known = self.read[artifact]
  if known ~= nil then return known end
  local path = artifact.path:gsub(templates.RUN, (self.run_id:gsub("%%", "%%%%")))
  local text = fs.read(self.root .. "/" .. path, MAX_ARTIFACT)
  local value = text or false
  if text and path:find("%.json$") then value = json.decode(text, { name = path }) or false end
  self.read[artifact] = value
  return value
end

-- A field of a table by a name that may be spelt with "-" or "_".
local function field(t, name)
  if type(t) ~= "table" or t == null then return nil end
  if name == "length" and t.length == nil then return #t end
  local v = t[name]
  if v == nil and math.tointeger(tonumber(name)) then v = t[math.tointeger(tonumber(name)) + 1] end
  if v == nil then
    local folded = truth.fold(name)
    for k, item in sorted.pairs(t) do
      if type(k) == "string" and truth.fold(k) == folded then v = item break end
    end
  end
  if v == null then return nil end
  return v
end

local function descend(v, path, from)
  for i = from, #path do
    if path[i] == "length" and type(v) == "string" then v = #v else v = field(v, path[i]) end
    if v == nil then return nil end
  end
  return v
end

local function in_artifacts(self, path)
  for _, artifact in ipairs(self.artifacts) do
    if path[2] == nil or artifact.key ~= truth.fold(path[1]) then
      local v = descend(read(self, artifact), path, 1)
      if v ~= nil then return v end
    end
  end
end

local function artifact_named(self, path)
  local key = truth.fold(path[1])
  for _, artifact in ipairs(self.artifacts) do
    if artifact.key == key and artifact.path:find("%.json$") and read(self, artifact) then
      return descend(read(self, artifact), path, 2)
    end
  end
end

local function in_results(self, path)
  for i = #self.before, 1, -1 do
    local r = self.results[self.before[i]]
    local v = r and descend(r.value, path, 1)
    if v ~= nil then return v end
  end
end

-- pass: nothing before has failed.
local function status(self)
  for _, id in ipairs(self.before) do
    local r = self.results[id]
    if r and not r.ok and not r.allowed and not (r.status == "skipped" and r.why == nil)
      and r.why ~= "when" then
      return "fail"
    end
  end
  return "pass"
end

--- The value a name stands for; nil when nothing defines it.
---@param path string[]
---@return any
function View:lookup(path)
  local v = self.params[path[1]]
  if v == nil then v = self.params[(path[1]:gsub("%-", "_"))] end
  if v ~= nil then v = descend(v, path, 2) end
  if v == nil and #path == 1 and path[1] == "validation_status" then v = status(self) end
  if v == nil and #path > 1 then v = artifact_named(self, path) end
  if v == nil then v = in_artifacts(self, path) end
  if v == nil then v = artifact_named(self, path) end
  if v == nil then v = in_results(self, path) end
  if v == nil and #path == 1 then v = self.environ[path[1]] end
  return v
end

local falsy = { [""] = true, ["false"] = true, no = true, off = true, ["0"] = true }

local function truthy(v)
  if v == nil or v == false or v == null or v == 0 then return false end
  if type(v) == "string" then return not falsy[v:lower()] end
  if type(v) == "table" then return next(v) ~= nil end
  return true
end

local function undefined(self, node)
  local what = node.path and table.concat(node.path, ".") or "a value"
  local text = ("'%s' is defined by nothing; it counts as false"):format(what)
  if self.strict then errors.raise("condition", "condition: " .. text) end
  self.warn(text)
end

local function size_of(self, path)
  local v = path.literal and path[1] or self:lookup(path)
  if type(v) ~= "string" then return nil end
  local short = #v < 4096 and not v:find("[\n%z]")
  local st = short and fs.stat(fs.at(self.root, v))
  return st and st.size or #v, st ~= nil and st ~= false
end

local function value_of(self, node)
  if node.op == "value" then return node.value end
  if node.op == "path" then return self:lookup(node.path) end
  if node.op == "call" then
    if node.name == "changed" then return self.changed(table.concat(node.path, ".")) end
    local size, there = size_of(self, node.path)
    if node.name == "exists" then return there or false end
    return size
  end
  return truth.decide(node, self)
end

local function rank(v) return type(v) == "string" and condition.ranks[v:lower()] or nil end

local function plain(v)
  if type(v) == "boolean" then return tostring(v) end
  return v
end

-- Both as numbers, or both as ranks, or both as texts; nil when they do not compare.
local function alike(a, b, equality)
  local na, nb = tonumber(a), tonumber(b)
  if na and nb then return na, nb end
  if rank(a) and rank(b) then return rank(a), rank(b) end
  a, b = plain(a), plain(b)
  if type(a) ~= "string" or type(b) ~= "string" then return nil end
  if equality or not rank(a) and not rank(b) then return a, b end
end

local compare = {
  ["=="] = function(a, b) return a == b end, ["!="] = function(a, b) return a ~= b end,
  [">="] = function(a, b) return a >= b end, ["<="] = function(a, b) return a <= b end,
  [">"] = function(a, b) return a > b end, ["<"] = function(a, b) return a < b end,
}

local function comparison(self, node)
  local a, b = value_of(self, node[1]), value_of(self, node[2])
  if node[2].op == "value" and node[2].value == nil then
    return (a == nil) == (node.op == "==")
  end
  if a == nil or b == nil then
    undefined(self, a == nil and node[1] or node[2])
    return false
  end
  local x, y = alike(a, b, node.op == "==" or node.op == "!=")
  if x == nil then
    self.warn(("%s cannot be compared with %s; it counts as false"):format(
      node[1].path and table.concat(node[1].path, ".") or "a value", tostring(plain(b))))
    return false
  end
  return compare[node.op](x, y)
end

local function flatten(v, out)
  if type(v) == "table" and v ~= null then
    for k, item in sorted.pairs(v) do
      if type(k) == "string" then out[#out + 1] = k end
      flatten(item, out)
    end
  elseif type(v) == "string" then
    out[#out + 1] = v
  end
  return out
end

local function words_of(text) return (" " .. text:lower():gsub("[^%w]+", " ") .. " ") end

-- `begins`: "auth" is found in "authentication"; else whole words, one plural s aside.
local function found(text, word, begins)
  local needle = words_of(word):gsub(" $", "")
  if text:find(needle, 1, true) and begins then return true end
  if text:find(needle .. " ", 1, true) or text:find(needle .. "s ", 1, true) then return true end
  return needle:sub(-1) == "s" and text:find(needle:sub(1, -2) .. " ", 1, true) ~= nil
end

local function contains(self, node)
  local v
  local path = node[1].path
  if path then
    v = artifact_named(self, path)
    if v == nil then v = self:lookup(path) end
  else
    v = value_of(self, node[1])
  end
  if v == nil then
    undefined(self, node[1])
    return false
  end
  local text = words_of(table.concat(flatten(v, {}), " \1 "))
  for _, word in ipairs(node.words) do
    if found(text, word, node.op == "matches") then return true end
  end
  return false
end

--- Decides a condition.
---@param node table from condition.parse
---@param view orrery.agents.View
---@return boolean
function truth.decide(node, view)
  local op = node.op
  if op == "or" then return truth.decide(node[1], view) or truth.decide(node[2], view) end
  if op == "and" then return truth.decide(node[1], view) and truth.decide(node[2], view) end
  if op == "not" then return not truth.decide(node[1], view) end
  if compare[op] then return comparison(view, node) end
  if op == "includes" or op == "matches" then return contains(view, node) end
  local v = value_of(view, node)
  if v == nil then undefined(view, node) end
  return truthy(v)
end

--- A view for truth.decide.
---@param t table the fields of orrery.agents.View
---@return orrery.agents.View
function truth.view(t)
  t.read = {}
  return setmetatable(t, View)
end

return truth
