-- `iteration`: the steps from loop_back_step on, once per round, at most max_iterations
-- times. The rounds are steps of their own ("1#2": step 1, round 2), each with a condition,
-- so that every one is planned, journaled and keyed like any other.
local source = require("orrery.model.agents.source")
local templates = require("orrery.model.agents.templates")

local rounds = {}

--- More rounds than this are refused.
rounds.MAX = 50
-- Loops of decisions may stand in each other.
rounds.MOST_OF_LOOPS = 8

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
  local raw = v
  if type(v) == "string" then v = templates.render(v, values) end
  return { op = op, { op = "path", path = path }, { op = "value", value = v,
    raw = raw ~= v and raw or nil } }
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

local function copy_inputs(e, suffix, inside)
  local out = {}
  for i, input in ipairs(e.inputs) do
    local one = {}
    for k, v in pairs(input) do one[k] = v end
    if input.from and inside[input.from] then one.from = input.from .. suffix end
    out[i] = one
  end
  return out
end

local function mapped(ids, suffix, inside)
  local out = {}
  for i, id in ipairs(ids) do out[i] = inside[id] and id .. suffix or id end
  return out
end

-- What a round follows on: the ids of the round before, and the condition at its end.
local function copy_follows(e, suffix, inside, own)
  local out = {}
  for i, f in ipairs(e.follows or {}) do
    out[i] = { ids = mapped(f.ids, suffix, inside), tree = f.tree, count = f.count }
  end
  out[#out + 1] = own
  return out
end

-- Round r of a step; `own` is what it follows on.
local function copy(e, r, inside, loop, own)
  local one = {}
  for k, v in pairs(e) do one[k] = v end
  local suffix = "#" .. loop.label .. r
  one.id, one.origin, one.copied = e.id .. suffix, e.origin or e.id, true
  one.first = e.first or e.id
  one.tag = (e.tag and e.tag .. "-" or "") .. (loop.label == "" and "round-" or loop.label) .. r
  one.vars = setmetatable({ [loop.counter] = r }, { __index = e.vars })
  one.inputs = copy_inputs(e, suffix, inside)
  one.waits = e.waits and mapped(e.waits, suffix, inside)
  one.follows = copy_follows(e, suffix, inside, own)
  one.member = e.member and e.member .. suffix
  return one
end

local function ids_of(list)
  local out = {}
  for i, e in ipairs(list) do out[i] = e.id end
  return out
end

-- All rounds but the first of a body, in order.
local function later(body, n, loop)
  local inside, out = {}, {}
  for _, e in ipairs(body) do inside[e.id] = true end
  local before = ids_of(body)
  for r = 2, n do
    local list, own = {}, { ids = before, tree = loop.tree, count = r - 1 }
    for i, e in ipairs(body) do list[i] = copy(e, r, inside, loop, own) end
    table.move(list, 1, #list, #out + 1, out)
    before = ids_of(list)
  end
  return out
end

-- Puts the later rounds behind the last step of the body. What comes after waits for all.
local function insert(entries, body, more, phase)
  local last, out, behind = body[#body], {}, false
  local ids = ids_of(more)
  for _, e in ipairs(entries) do
    out[#out + 1] = e
    if behind and phase and e.phase == phase then
      e.waits = e.waits or {}
      table.move(ids, 1, #ids, #e.waits + 1, e.waits)
    end
    if e == last then
      table.move(more, 1, #more, #out + 1, out)
      behind = true
    end
  end
  return out
end

local function of_iteration(src, value, entries, values, written)
  local spec = src:map(value, "iteration")
  if not spec or src:get(spec, "enabled") == false then return entries end
  local n, tree = count_of(src, spec, values), condition_of(src, spec, values)
  local body = body_of(src, spec, entries)
  if not tree or #body == 0 then return entries end
  written[1] = { from = body[1].id, to = body[#body].id, tree = tree, counter = "iteration_count",
    max = src:get(spec, "max_iterations") or 1 }
  if n == 1 then return entries end
  return insert(entries, body, later(body, n, { tree = tree, label = "",
    counter = "iteration_count" }))
end

-- From the step that is gone back to, to the decision; with the rounds of inner loops.
local function between(entries, loop)
  local body = {}
  for _, e in ipairs(entries) do
    if e.id == loop.back or #body > 0 then body[#body + 1] = e end
    if e == loop.last then
      local at = #body
      for _, other in ipairs(entries) do
        if at > 0 and other.copied and other.behind == e then body[#body + 1] = other end
      end
      return body
    end
  end
  return {}
end

local labels = { story_id = "story-", epic_id = "epic-", iteration_count = "" }

-- Loops in each other must name their rounds apart: "3#2" and "3#story-2".
local function name_loops(loops)
  local seen = {}
  for _, loop in ipairs(loops) do
    local label = labels[loop.counter]
    seen[label] = (seen[label] or 0) + 1
    if seen[label] > 1 then label = label .. "loop" .. seen[label] .. "-" end
    loop.label = label
  end
end

-- The steps that come after a loop in its phase.
local function behind(entries, loop)
  local out, after = {}, false
  for _, e in ipairs(entries) do
    if after and not e.copied and e.phase == loop.last.phase then out[#out + 1] = e.id end
    after = after or e == loop.last
  end
  return out
end

local function of_decisions(src, entries, loops, n, written)
  name_loops(loops)
  for _, loop in ipairs(loops) do
    local body = between(entries, loop)
    written[#written + 1] = { from = loop.back, to = loop.last.id, tree = loop.tree,
      counter = loop.counter, max = "{{max_iterations}}", before = behind(entries, loop) }
    if #body == 0 then
      src:error(loop.t, loop.key, ("loop_back names no step before it: '%s'"):format(loop.back))
    elseif n == 1 then
      src:warning(loop.t, loop.key, ("the loop back to step %s has no bound; it is one round")
        :format(loop.back), "-p max_iterations=N allows N rounds")
    else
      local more = later(body, n, loop)
      for _, e in ipairs(more) do e.behind = loop.last end
      entries = insert(entries, body, more, loop.last.phase)
    end
  end
  return entries
end

--- Adds the later rounds of loops whose bounds, conditions and ends are known.
---@param entries orrery.agents.Entry[]
---@param loops table[] { back, last, tree, counter, count, waiting: table<string, true> }
---@return orrery.agents.Entry[]
function rounds.written(entries, loops)
  name_loops(loops)
  for _, loop in ipairs(loops) do
    local body = between(entries, loop)
    local more = later(body, loop.count, loop)
    for _, e in ipairs(more) do e.behind = loop.last end
    entries = insert(entries, body, more)
    for _, e in ipairs(entries) do
      if loop.waiting[e.id] then
        e.waits = table.move(ids_of(more), 1, #more, 1 + #(e.waits or {}), e.waits or {})
      end
    end
  end
  return entries
end

--- Adds the later rounds to the entries, each after the one before.
---@param src orrery.agents.Source
---@param value table the workflow
---@param entries orrery.agents.Entry[]
---@param values table<string, any>
---@param loops table[] of phases: { back, last, tree, counter, t, key }
---@return orrery.agents.Entry[]
---@return table[] written the loops as the native forms write them: { from, to, max, tree, … }
function rounds.unroll(src, value, entries, values, loops)
  local written = {}
  entries = of_iteration(src, value, entries, values, written)
  local n = math.tointeger(tonumber(values.max_iterations)) or 1
  if #loops == 0 then return entries, written end
  if n < 1 or n > rounds.MOST_OF_LOOPS then
    src:error(loops[1].t, loops[1].key, ("max_iterations must be a whole number from 1 to %d here")
      :format(rounds.MOST_OF_LOOPS))
    return entries, written
  end
  return of_decisions(src, entries, loops, n, written), written
end

return rounds
