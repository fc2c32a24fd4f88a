-- Keywords for arrays. Pointers count from 0.
local context = require("orrery.knowledge.schema_context")
local shapes = require("orrery.knowledge.schema_shapes")
local values = require("orrery.knowledge.schema_values")
local words = require("orrery.knowledge.schema_words")

local arrays = {}

local fail, inside = context.fail, context.inside

function arrays.max_items(_, schema)
  local limit = schema.maxItems
  return function(v, ctx)
    return #v <= limit or fail(ctx, schema, "maxItems", words.maxItems, #v, limit)
  end
end

function arrays.min_items(_, schema)
  local limit = schema.minItems
  return function(v, ctx)
    return #v >= limit or fail(ctx, schema, "minItems", words.minItems, #v, limit)
  end
end

function arrays.unique_items(_, schema)
  local wanted = schema.uniqueItems
  return function(v, ctx)
    local seen, tables = {}, {}
    for i = 1, wanted and #v or 0 do
      local item, among = v[i], seen
      if type(item) == "table" then
        item, among = values.fingerprint(item), tables
      end
      if item == item then -- NaN is never the same
        if among[item] then
          return fail(ctx, schema, "uniqueItems", words.unique, among[item] - 1, i - 1)
        end
        among[item] = i
      end
    end
    return true
  end
end

-- The first items each have a schema, the rest another: prefixItems and items, or in old
-- drafts items and additionalItems.
local function parts(schema, draft)
  if draft.keywords.prefixItems and schema.prefixItems ~= nil then
    return schema.prefixItems, schema.items, "items"
  end
  local items = schema.items
  if items ~= nil and items ~= true and not shapes.is_map(items) then
    return items, schema.additionalItems, "additionalItems"
  end
  return {}, items, "items"
end

local function refuse_rest(ctx, schema, keyword, from, v)
  return inside(ctx, from, function()
    return fail(ctx, schema, keyword, words.extra_item, from)
  end, v[from + 1])
end

local function check_rest(ctx, check, v, from)
  local ok = true
  for i = from + 1, #v do
    if not inside(ctx, i - 1, check, v[i]) then
      if not ctx.errors then return false end
      ok = false
    end
  end
  return ok
end

function arrays.items(set, schema, draft)
  local checks = set.checks
  local first, rest, keyword = parts(schema, draft)
  return function(v, ctx)
    local ok, n = true, math.min(#first, #v)
    for i = 1, n do
      if not inside(ctx, i - 1, checks[first[i]], v[i]) then
        if not ctx.errors then return false end
        ok = false
      end
    end
    local marks = ctx.marks
    if marks then
      if n > marks.first then marks.first = n end
      marks.all_items = marks.all_items or rest ~= nil
    end
    if rest == nil or #v <= #first then return ok end
    if set.never[rest] then return refuse_rest(ctx, schema, keyword, #first, v) end
    return check_rest(ctx, checks[rest], v, #first) and ok
  end
end

local function find(ctx, check, v, marks)
  local found, errors = 0, ctx.errors
  ctx.errors = nil
  for i = 1, #v do
    if inside(ctx, i - 1, check, v[i]) then
      found = found + 1
      if marks then marks.items[i] = true end
    end
  end
  ctx.errors = errors
  return found
end

function arrays.contains(set, schema, draft)
  local checks, contains = set.checks, schema.contains
  local least = draft.keywords.minContains and schema.minContains or 1
  local most = draft.keywords.maxContains and schema.maxContains or math.huge
  return function(v, ctx)
    local found = find(ctx, checks[contains], v, draft.number >= 2020 and ctx.marks)
    if found < least then
      return fail(ctx, schema, least == 1 and "contains" or "minContains", words.contains, found,
        least)
    end
    return found <= most or fail(ctx, schema, "maxContains", words.too_many, found, most)
  end
end

function arrays.unevaluated(set, schema)
  local checks, rest = set.checks, schema.unevaluatedItems
  return function(v, ctx)
    local _, is_array = context.shape(ctx, v)
    local marks = ctx.marks
    if not is_array or marks.all_items then return true end
    local ok = true
    for i = marks.first + 1, #v do
      if not marks.items[i] then
        if set.never[rest] then
          ok = refuse_rest(ctx, schema, "unevaluatedItems", i - 1, v)
        elseif not inside(ctx, i - 1, checks[rest], v[i]) then
          ok = false
        end
        if not ok and not ctx.errors then return false end
      end
    end
    marks.all_items = true
    return ok
  end
end

return arrays
