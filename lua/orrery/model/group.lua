-- Groups, and the workflow's top: walks the members in file order, makes their steps, fans
-- out what is known now, and notes every id once.
local build = require("orrery.model.build")
local lazy = require("orrery.kernel.lazy")
local clauses = lazy("orrery.model.clauses")
local errors = require("orrery.kernel.errors")
local fan = lazy("orrery.model.fan")
local fields = require("orrery.model.fields")
local step = require("orrery.model.step")

local group = {}

local function claim_id(into, item)
  local first = into.by_id[item.id]
  if first then
    into.report:error(item.place, ("duplicate id '%s'"):format(item.id),
      ("the first is at %s"):format(group.where(first.place)))
    return false
  end
  into.by_id[item.id] = item
  return true
end

--- A place as text: "site.lua:4".
---@param at orrery.Place
---@return string
function group.where(at)
  return (at.file or "?") .. (at.line and ":" .. at.line or "")
end

local function check_id(into, node)
  local why = step.bad_id(node.id)
  if why then into.report:error(node.place, why) end
  return not why
end

local function add(into, parent, s, final)
  if s.group ~= parent then s.group = parent end
  if final then s.final = true end
  s.index = #into.steps + 1
  into.steps[s.index] = s
end

-- The members of a fanned step whose items are known; nil leaves it to the run.
local function entries_of(into, s)
  local ok, entries = pcall(function()
    local items = fan.static(s.fan, into.values)
    return items ~= nil and fan.entries(s.fan, items, { params = into.values }) or nil
  end)
  if ok then return entries end
  into.report:error(into.report:at(s.node, s.fan.kind), errors.text(entries))
end

local function add_fan(into, parent, s, final)
  local entries = entries_of(into, s)
  if not entries or final then -- a finally step is one unit, which the run spreads
    into.declared[#into.declared + 1] = s
    return add(into, parent, s, final)
  end
  local g, members = fan.expand(s, entries)
  into.by_id[s.id] = g
  into.groups[#into.groups + 1] = g
  into.declared[#into.declared + 1] = members[1]
  for _, member in ipairs(members) do
    claim_id(into, member)
    add(into, g, member, final)
  end
  return g
end

local function add_step(into, parent, node, final)
  if not check_id(into, node) then return nil end
  into.group = parent
  local s = step.make(node, into)
  if not s then
    if not into.by_id[node.id] then into.by_id[node.id] = { id = node.id, place = node.place,
      needs = {}, after = {}, members = {}, broken = true } end
    return nil
  end
  if not claim_id(into, s) then return nil end
  if s.fan then return add_fan(into, parent, s, final) or s end
  into.declared[#into.declared + 1] = s
  add(into, parent, s, final)
  return s
end

local function misplaced(into, parent_node, v)
  local at = parent_node.place
  if build.is(v) and v.what ~= "param" then
    return into.report:error(v.place, "a workflow cannot stand inside another",
      'nest it as a step: o.step "id" { workflow = "name" }')
  elseif type(v) == "table" then
    local name = v.id or v.name
    return into.report:error(at, "a table stands where a step or group belongs",
      ('write o.step "%s" { … }'):format(type(name) == "string" and name or "id"))
  end
  into.report:error(at, ("%s stands where a step or group belongs"):format(fields.kind_of(v)))
end

local function add_member(into, parent, parent_node, v, final)
  if not build.is(v, "step") and not build.is(v, "group") then
    return misplaced(into, parent_node, v)
  end
  if not v.fields then
    return into.report:error(v.place, ('o.%s "%s" is not followed by its { … }'):format(v.what,
      v.id))
  end
  if v.what == "step" then return add_step(into, parent, v, final) end
  if final then
    return into.report:error(v.place, "finally lists steps, which run in order; not groups")
  end
  return group.make(v, into, parent)
end

-- Positional entries of a table with named fields, too.
local function positional(f)
  local out
  for k, v in next, f do
    if math.type(k) == "integer" then
      out = out or {}
      out[k] = v
    end
  end
  return out
end

--- Adds the members that a list of nodes makes, in order.
---@param into table
---@param g orrery.Group
---@param node orrery.Node
---@param list table?
---@param final? boolean
function group.fill(into, g, node, list, final)
  if type(list) ~= "table" then return end
  local members = final and g.finally or g.members
  build.flatten(build.is(list) and { list } or list, function(v)
    members[#members + 1] = add_member(into, g, node, v, final)
  end)
end

--- Fills in what groups and workflows share.
---@param into table
---@param g orrery.Group
---@param node orrery.Node
function group.common(into, g, node)
  local f = node.fields
  local function say(name)
    return function(text, hint) into.report:error(into.report:at(node, name), text, hint) end
  end
  g.needs = step.ids(f.needs, say("needs"))
  g.after = step.ids(f.after, say("after"))
  g.when = type(f.when) == "boolean" and tostring(f.when) or f.when
  if f.policy ~= nil then g.policy = clauses.policy(f.policy, say("policy"), into.has) end
  if f.limit ~= nil then
    g.limit = math.tointeger(f.limit)
    if not g.limit or g.limit < 1 then
      say("limit")(("limit must be a whole number of at least 1, not %s"):format(
        tostring(f.limit)))
    end
  end
end

-- As o.group's fields are checked, but numbers stand for members.
local function check_named(node, what, into)
  local named = {}
  for k, v in next, node.fields do
    if math.type(k) ~= "integer" then named[k] = v end
  end
  step.check_fields(setmetatable({ fields = named }, { __index = node }), what, into)
end

--- Makes a group and all in it.
---@param node orrery.Node
---@param into table
---@param parent orrery.Group
---@return orrery.Group?
function group.make(node, into, parent)
  if not check_id(into, node) then return nil end
  check_named(node, "group", into)
  local f = node.fields
  local g = { id = node.id, place = node.place, doc = f.doc, parent = parent, members = {},
    finally = {}, node = node }
  if not claim_id(into, g) then return nil end
  into.groups[#into.groups + 1] = g
  group.common(into, g, node)
  group.fill(into, g, node, positional(f))
  group.fill(into, g, node, f.steps)
  group.fill(into, g, node, f.finally, true)
  return g
end

--- The workflow as a group, and all in it.
---@param node orrery.Node
---@param into table
---@param steps any the field `steps`, called already when it was a function
---@return orrery.Group
function group.top(node, into, steps)
  check_named(node, "workflow", into)
  local g = { id = "", place = node.place, members = {}, finally = {}, node = node }
  into.groups[#into.groups + 1] = g
  group.common(into, g, node)
  group.fill(into, g, node, positional(node.fields))
  group.fill(into, g, node, steps)
  group.fill(into, g, node, node.fields.finally, true)
  return g
end

return group
