-- Keywords that look at any value: references, type, enum and const, and those that combine
-- schemas. Each maker gives a function(value, ctx) → boolean.
local context = require("orrery.knowledge.schema_context")
local pack = require("orrery.core.pack")
local values = require("orrery.knowledge.schema_values")
local words = require("orrery.knowledge.schema_words")

local generic = {}

local fail, quietly, follow = context.fail, context.quietly, context.follow

local function reference(keyword)
  return function(set, schema)
    local checks, target = set.checks, set.targets[keyword][schema]
    return function(v, ctx) return follow(ctx, schema, keyword, checks[target], v) end
  end
end

generic.ref = reference("$ref")

-- The outermost resource on the way here that has the anchor decides where it leads.
local function dynamic(keyword)
  local static = reference(keyword)
  return function(set, schema, draft)
    local name = set.bookends[schema]
    if not name then return static(set, schema, draft) end
    local checks, default = set.checks, set.targets[keyword][schema]
    return function(v, ctx)
      local target = default
      for i = 1, ctx.entered do
        local there = ctx.scope[i].dynamic[name]
        if there then
          target = there
          break
        end
      end
      return follow(ctx, schema, keyword, checks[target], v)
    end
  end
end

generic.dynamic_ref, generic.recursive_ref = dynamic("$dynamicRef"), dynamic("$recursiveRef")

local is_type = {
  null = function(v) return v == pack.null end,
  boolean = function(v) return type(v) == "boolean" end,
  string = function(v) return type(v) == "string" end,
  number = function(v) return type(v) == "number" end,
  object = function(v, ctx) return type(v) == "table" and (context.shape(ctx, v)) end,
  array = function(v, ctx) return type(v) == "table" and (select(2, context.shape(ctx, v))) end,
}

function is_type.integer(v)
  return math.type(v) == "integer" or (math.type(v) == "float" and v % 1 == 0)
end

-- Draft 4: 1.0 is none; a whole number too big for an integer still is one.
local function written_integer(v)
  return math.type(v) == "integer"
    or (math.type(v) == "float" and v % 1 == 0 and math.abs(v) >= 2.0 ^ 63)
end

function generic.type(_, schema, draft)
  local expected = schema.type
  local names = type(expected) == "table" and expected or { expected }
  local tests = {}
  for i, name in ipairs(names) do
    tests[i] = name == "integer" and draft.number == 4 and written_integer or is_type[name]
  end
  local first, n = tests[1], #tests
  return function(v, ctx)
    if first(v, ctx) then return true end
    for i = 2, n do
      if tests[i](v, ctx) then return true end
    end
    return fail(ctx, schema, "type", words.type, v, expected)
  end
end

function generic.enum(_, schema)
  local scalars, tables = {}, {}
  for _, choice in ipairs(schema.enum) do
    if type(choice) == "table" then
      tables[#tables + 1] = choice
    else
      scalars[choice] = true
    end
  end
  return function(v, ctx)
    if scalars[v] then return true end
    if type(v) == "table" then
      for i = 1, #tables do
        if values.equal(v, tables[i], ctx.decoded) then return true end
      end
    end
    return fail(ctx, schema, "enum", words.enum, v, schema.enum)
  end
end

function generic.const(_, schema)
  local const = schema.const
  return function(v, ctx)
    return values.equal(v, const, ctx.decoded)
      or fail(ctx, schema, "const", words.const, v, const)
  end
end

function generic.all_of(set, schema)
  local checks, list = set.checks, schema.allOf
  return function(v, ctx)
    local ok = true
    for i = 1, #list do
      if not checks[list[i]](v, ctx) then
        if not ctx.errors then return false end
        ok = false
      end
    end
    return ok
  end
end

-- Was this branch meant, going by its errors? Not if the value is of another type, or a
-- constant that tells the branches apart is another one.
local function is_meant(errors, depth)
  for _, e in ipairs(errors) do
    local _, below = e.path:gsub("/", "")
    if e.keyword == "type" and below == depth then return false end
    if (e.keyword == "const" or e.keyword == "enum") and below <= depth + 1 then return false end
    if e.keyword == "false" and below == depth then return false end
  end
  return true
end

local function collect(ctx, check, v)
  local outer, mine = ctx.errors, {}
  ctx.errors = mine
  check(v, ctx)
  ctx.errors = outer
  return mine
end

local function brief(errors, path)
  local e = errors[1]
  if not e then return "does not fit" end
  local deeper = e.path:sub(#path + 1)
  return (deeper ~= "" and deeper .. ": " or "") .. e.message
end

-- None fits. The errors of the branch that was meant say more than a list of all of them.
local function explain(ctx, set, schema, keyword, v)
  local list, all, only, meant = schema[keyword], {}, nil, 0
  for i = 1, #list do
    all[i] = collect(ctx, set.checks[list[i]], v)
    if is_meant(all[i], ctx.depth) then
      only, meant = all[i], meant + 1
    end
  end
  if #list == 1 then only, meant = all[1], 1 end
  if meant == 1 and #only > 0 then
    table.move(only, 1, #only, #ctx.errors + 1, ctx.errors)
    return false
  end
  local path = context.pointer(ctx)
  for i = 1, #all do all[i] = brief(all[i], path) end
  return fail(ctx, schema, keyword, words.no_branch, all)
end

function generic.any_of(set, schema)
  local checks, list = set.checks, schema.anyOf
  return function(v, ctx)
    local fits = false
    for i = 1, #list do
      if quietly(ctx, checks[list[i]], v) then
        fits = true
        if not ctx.marks then return true end
      end
    end
    return fits or (ctx.errors ~= nil and explain(ctx, set, schema, "anyOf", v))
  end
end

function generic.one_of(set, schema)
  local checks, list = set.checks, schema.oneOf
  return function(v, ctx)
    local first
    for i = 1, #list do
      if quietly(ctx, checks[list[i]], v) then
        if first then return fail(ctx, schema, "oneOf", words.branches, first, i) end
        first = i
      end
    end
    return first ~= nil or (ctx.errors ~= nil and explain(ctx, set, schema, "oneOf", v))
  end
end

generic["not"] = function(set, schema)
  local checks = set.checks
  return function(v, ctx)
    local marks = ctx.marks
    ctx.marks = nil
    local fits = quietly(ctx, checks[schema["not"]], v)
    ctx.marks = marks
    return not fits or fail(ctx, schema, "not", words["not"])
  end
end

generic["if"] = function(set, schema)
  local checks = set.checks
  return function(v, ctx)
    local branch = schema["else"]
    if quietly(ctx, checks[schema["if"]], v) then branch = schema["then"] end
    return branch == nil or checks[branch](v, ctx)
  end
end

return generic
