-- Keywords for numbers and strings. A comparison with NaN fails, whatever the bound.
local context = require("orrery.knowledge.schema_context")
local values = require("orrery.knowledge.schema_values")
local words = require("orrery.knowledge.schema_words")

local scalars = {}

local fail = context.fail

function scalars.multiple_of(_, schema)
  local m = schema.multipleOf
  return function(v, ctx)
    return values.is_multiple(v, m) or fail(ctx, schema, "multipleOf", words.multipleOf, v, m)
  end
end

-- In draft 4 exclusiveMaximum is a flag beside maximum.
local function bound(keyword, exclusive, fits, fits_exclusively)
  return function(_, schema, draft)
    local limit = schema[keyword]
    local strict = draft.number == 4 and schema[exclusive] == true
    local test = strict and fits_exclusively or fits
    local say = strict and words[exclusive] or words[keyword]
    return function(v, ctx)
      return test(v, limit) or fail(ctx, schema, keyword, say, v, limit)
    end
  end
end

local function at_most(v, limit) return v <= limit end
local function at_least(v, limit) return v >= limit end
local function below(v, limit) return v < limit end
local function above(v, limit) return v > limit end

scalars.maximum = bound("maximum", "exclusiveMaximum", at_most, below)
scalars.minimum = bound("minimum", "exclusiveMinimum", at_least, above)

local function exclusive(keyword, fits)
  return function(_, schema, draft)
    local limit = schema[keyword]
    return function(v, ctx)
      return draft.number == 4 or fits(v, limit) or fail(ctx, schema, keyword, words[keyword], v,
        limit)
    end
  end
end

scalars.exclusive_maximum = exclusive("exclusiveMaximum", below)
scalars.exclusive_minimum = exclusive("exclusiveMinimum", above)

function scalars.max_length(_, schema)
  local limit = schema.maxLength
  return function(v, ctx)
    if #v <= limit then return true end
    local n = values.length(v)
    return n <= limit or fail(ctx, schema, "maxLength", words.maxLength, n, limit)
  end
end

function scalars.min_length(_, schema)
  local limit = schema.minLength
  return function(v, ctx)
    local n = values.length(v)
    return n >= limit or fail(ctx, schema, "minLength", words.minLength, n, limit)
  end
end

function scalars.pattern(set, schema)
  local pattern = schema.pattern
  local compiled = set.patterns[pattern]
  return function(v, ctx)
    local matches, err = compiled:match(v)
    if matches then return true end
    return fail(ctx, schema, "pattern", err and err.code == "ELIMIT" and words.endless
      or words.pattern, v, pattern)
  end
end

function scalars.format(set, schema, draft)
  local name = schema.format
  local test = (set.formats or draft.formats)
    and require("orrery.knowledge.schema_formats")[name]
  return function(v, ctx)
    return not test or test(v) or fail(ctx, schema, "format", words.format, v, name)
  end
end

return scalars
