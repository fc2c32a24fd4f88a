-- Keywords for objects. Keys that are no strings, as tables from Lua may have, count by
-- their text.
local context = require("orrery.knowledge.schema_context")
local shapes = require("orrery.knowledge.schema_shapes")
local sorted = require("orrery.kernel.sorted")
local words = require("orrery.knowledge.schema_words")

local objects = {}

local fail, inside = context.fail, context.inside

local function count(v)
  local n = 0
  for _ in next, v do n = n + 1 end
  return n
end

function objects.max_properties(_, schema)
  local limit = schema.maxProperties
  return function(v, ctx)
    local n = count(v)
    return n <= limit or fail(ctx, schema, "maxProperties", words.maxProperties, n, limit)
  end
end

function objects.min_properties(_, schema)
  local limit = schema.minProperties
  return function(v, ctx)
    local n = count(v)
    return n >= limit or fail(ctx, schema, "minProperties", words.minProperties, n, limit)
  end
end

function objects.required(_, schema)
  local names = schema.required
  return function(v, ctx)
    local ok = true
    for i = 1, #names do
      if v[names[i]] == nil then
        ok = fail(ctx, schema, "required", words.required, names[i], v)
        if not ctx.errors then return false end
      end
    end
    return ok
  end
end

local function dependents(ctx, schema, keyword, v, because, names)
  local ok = true
  for i = 1, #names do
    if v[names[i]] == nil then
      ok = fail(ctx, schema, keyword, words.dependent, names[i], because)
    end
  end
  return ok
end

-- dependentRequired, dependentSchemas, and dependencies, which was both.
local function dependent(keyword)
  return function(set, schema)
    local checks, map = set.checks, schema[keyword]
    local names = sorted.keys(map)
    return function(v, ctx)
      local ok = true
      for i = 1, #names do
        local name = names[i]
        local wants = map[name]
        if v[name] ~= nil then
          if shapes.is_list(wants) and not set.home[wants] then
            ok = dependents(ctx, schema, keyword, v, name, wants) and ok
          else
            ok = checks[wants](v, ctx) and ok
          end
          if not ok and not ctx.errors then return false end
        end
      end
      return ok
    end
  end
end

objects.dependencies = dependent("dependencies")
objects.dependent_required = dependent("dependentRequired")
objects.dependent_schemas = dependent("dependentSchemas")

function objects.property_names(set, schema)
  local check = set.checks
  return function(v, ctx)
    local ok = true
    for k in context.pairs(ctx, v) do
      if not inside(ctx, k, check[schema.propertyNames], tostring(k)) then
        if not ctx.errors then return false end
        ok = false
      end
    end
    return ok
  end
end

-- properties alone: only the keys it names are looked at.
local function named(set, schema)
  local checks, properties = set.checks, schema.properties
  local names = sorted.keys(properties)
  return function(v, ctx)
    local ok = true
    for i = 1, #names do
      local name = names[i]
      local part = v[name]
      if part ~= nil then
        if ctx.marks then ctx.marks.keys[name] = true end
        if not inside(ctx, name, checks[properties[name]], part) then
          if not ctx.errors then return false end
          ok = false
        end
      end
    end
    return ok
  end
end

local function compiled(set, patterns)
  local out = {}
  for i, pattern in ipairs(sorted.keys(patterns or {})) do
    out[i] = { regex = set.patterns[pattern], schema = patterns[pattern] }
  end
  return out
end

local function extra(ctx, set, schema, key, part)
  local rest = schema.additionalProperties
  if rest == nil then return true end
  if ctx.marks then ctx.marks.keys[key] = true end
  if set.never[rest] then
    return ctx.errors ~= nil and inside(ctx, key, function()
      return fail(ctx, schema, "additionalProperties", words.extra, tostring(key),
        schema.properties)
    end, part)
  end
  return inside(ctx, key, set.checks[rest], part)
end

-- With patternProperties or additionalProperties every key counts.
local function every(set, schema)
  local checks, properties = set.checks, schema.properties or {}
  local patterns = compiled(set, schema.patternProperties)
  return function(v, ctx)
    local ok = true
    for key, part in context.pairs(ctx, v) do
      local known, fits = properties[key], true
      if known ~= nil then fits = inside(ctx, key, checks[known], part) end
      for i = 1, #patterns do
        if patterns[i].regex:match(tostring(key)) then
          known = true
          fits = inside(ctx, key, checks[patterns[i].schema], part) and fits
        end
      end
      if known == nil then
        fits = extra(ctx, set, schema, key, part)
      elseif ctx.marks then
        ctx.marks.keys[key] = true
      end
      if not fits then
        if not ctx.errors then return false end
        ok = false
      end
    end
    return ok
  end
end

function objects.properties(set, schema)
  if schema.patternProperties == nil and schema.additionalProperties == nil then
    return named(set, schema)
  end
  return every(set, schema)
end

function objects.unevaluated(set, schema)
  local checks, rest = set.checks, schema.unevaluatedProperties
  return function(v, ctx)
    local is_object = context.shape(ctx, v)
    local marks = ctx.marks
    if not is_object or marks.all_keys then return true end
    local ok = true
    for key, part in context.pairs(ctx, v) do
      if not marks.keys[key] then
        local fits
        if set.never[rest] then
          fits = ctx.errors ~= nil and inside(ctx, key, function()
            return fail(ctx, schema, "unevaluatedProperties", words.extra, tostring(key))
          end, part)
        else
          fits = inside(ctx, key, checks[rest], part)
        end
        if not fits then
          if not ctx.errors then return false end
          ok = false
        end
      end
    end
    marks.all_keys = true
    return ok
  end
end

return objects
