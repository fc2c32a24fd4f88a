-- `iteration`: the steps from loop_back_step on, once per round, at most max_iterations
-- times. The rounds are steps of their own ("1#2": step 1, round 2), each with a condition,
-- so that every one is planned, journaled and keyed like any other.
local source = require("orrery.model.agents.source")
local templates = require("orrery.model.agents.templates")

local rounds = {}

--- More rounds than this are refused.
rounds.MAX = 50

local operators = { ["=="] = "==", ["="] = "==", ["!="] = "!=", ["<"] = "<", ["<="] = "<=",
  [">"] = ">", [">="] = ">=" }

local function check(src, list, i, values)
  local item = list[i]
  if not source.is_map(item) then
    return src:error(list, i, "a check has field, operator and value")
  end
  local field, op = src:text(item, "field"), operators[src:text(item, "operator") or ""]
  if not field or not op then
    return src:error(list, i, "a check needs a field and one of the operators < <= > >= == !=")
  end
  local path = {}
  for word in field:gmatch("[^%.]+") do path[#path + 1] = word end
  local v = src:get(item, "value")
  if type(v) == "string" then v = templates.render(v, values) end
  return { op = op, { op = "path", path = path }, { op = "value", value = v } }
end

-- The condition under which another round follows.
local function condition_of(src, spec, values)
  local c = src:map(spec, "condition")
  if not c then return nil end
  local word = (src:text(c, "type") or "and"):lower()
  if word ~= "and" and word ~= "or" then
    src:error(c, "type", ("'%s' is neither and nor or"):format(word))
  end
  local list, tree = src:list(c, "checks"), nil
  for i = 1, #list do
    local one = check(src, list, i, values)
    tree = tree and one and { op = word, tree, one } or tree or one
  end
  return tree
end

local function count_of(src, spec, values)
  local raw = src:get(spec, "max_iterations")
  if type(raw) == "string" then raw = templates.render(raw, values) end
  local n = math.tointeger(tonumber(raw))
  if raw == nil or n and n >= 1 and n <= rounds.MAX then return n or 1 end
  src:error(spec, "max_iterations", ("max_iterations must be a whole number from 1 to %d, not %s")
    :format(rounds.MAX, tostring(raw)))
  return 1
end

local function body_of(src, spec, entries)
  local back = src:text(spec, "loop_back_step")
  local body = {}
  for _, e in ipairs(entries) do
    if (#body > 0 or e.id == back or back == nil) and not e.publish then body[#body + 1] = e end
  end
  if #body == 0 then
    src:error(spec, "loop_back_step", ("loop_back_step names no step: '%s'"):format(back))
  end
  return body
end

local function copy_inputs(e, r, inside)
  local out = {}
  for i, input in ipairs(e.inputs) do
    local one = {}
    for k, v in pairs(input) do one[k] = v end
    if input.from and inside[input.from] then one.from = input.from .. "#" .. r end
    out[i] = one
  end
  return out
end

local function copy(e, r, inside, tree)
  local one = {}
  for k, v in pairs(e) do one[k] = v end
  one.id, one.round, one.origin = e.id .. "#" .. r, r, e.id
  one.inputs = copy_inputs(e, r, inside)
  one.when = table.move(e.when, 1, #e.when, 2, { tree })
  one.group = e.group and e.group .. "#" .. r
  return one
end

--- Adds the later rounds to the entries, after the first.
---@param src orrery.agents.Source
---@param value table the workflow
---@param entries orrery.agents.Entry[]
---@param values table<string, any>
---@return orrery.agents.Entry[]
function rounds.unroll(src, value, entries, values)
  local spec = src:map(value, "iteration")
  if not spec or src:get(spec, "enabled") == false then return entries end
  local n, tree = count_of(src, spec, values), condition_of(src, spec, values)
  local body = body_of(src, spec, entries)
  if n == 1 or not tree or #body == 0 then return entries end
  local inside, last = {}, nil
  for _, e in ipairs(body) do
    inside[e.id] = true
    e.round, e.origin, last = 1, e.id, e
  end
  local out = {}
  for _, e in ipairs(entries) do
    out[#out + 1] = e
    for r = 2, e == last and n or 1 do
      for _, b in ipairs(body) do out[#out + 1] = copy(b, r, inside, tree) end
    end
  end
  return out
end

return rounds
