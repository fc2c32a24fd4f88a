-- A schema as one function(value, ctx) → boolean, made of its keywords' functions the first
-- time a value comes by. set.checks is where they are kept: schema → function.
local context = require("orrery.knowledge.schema_context")
local words = require("orrery.knowledge.schema_words")

local node = {}

local function always() return true end

local function never(schema)
  return function(_, ctx) return context.fail(ctx, schema, "false", words.never) end
end

-- Runs a list of checks; all of them when errors are collected, else to the first failure.
local function run(list, v, ctx, ok)
  for i = 1, #list do
    if ctx.over then return false end
    if not list[i](v, ctx) then
      if not ctx.errors then return false end
      ok = false
    end
  end
  return ok
end

-- Which of its tables a schema with this `type` means when {} may be an object or an array.
local function meant(type_word, name)
  if type_word == nil or type_word == name then return true end
  if type(type_word) == "table" then
    for _, t in ipairs(type_word) do
      if t == name then return true end
    end
  end
  return false
end

local function tables(by, type_word)
  local object, array, late = by.object, by.array, by.late
  if not object and not array and not late then return nil end
  object, array, late = object or {}, array or {}, late or {}
  local as_object, as_array = meant(type_word, "object"), meant(type_word, "array")
  local either = not as_object and not as_array
  return function(v, ctx, ok)
    local is_object, is_array = context.shape(ctx, v)
    local both = is_object and is_array
    if is_object and (not both or as_object or either) then ok = run(object, v, ctx, ok) end
    if is_array and (not both or as_array or either) then ok = run(array, v, ctx, ok) end
    return ok and run(late, v, ctx, ok)
  end
end

local function body(by, type_word)
  local any, number, text = by.any or {}, by.number, by.string
  local of_table = tables(by, type_word)
  if not number and not text and not of_table then
    if #any == 0 then return always end
    if #any == 1 then return any[1] end
  end
  return function(v, ctx)
    local ok = run(any, v, ctx, true)
    if not ok and not ctx.errors then return false end
    local t = type(v)
    if t == "table" then
      if of_table then return of_table(v, ctx, ok) end
    elseif t == "string" then
      if text then return run(text, v, ctx, ok) end
    elseif t == "number" then
      if number then return run(number, v, ctx, ok) end
    end
    return ok
  end
end

local function merge(outer, mine)
  outer.all_keys = outer.all_keys or mine.all_keys
  outer.all_items = outer.all_items or mine.all_items
  if mine.first > outer.first then outer.first = mine.first end
  for k in next, mine.keys do outer.keys[k] = true end
  for i in next, mine.items do outer.items[i] = true end
end

-- Each schema notes what it evaluated by itself, and hands it on only if the value fits.
local function tracked(check, asks)
  return function(v, ctx)
    local outer = ctx.marks
    if type(v) ~= "table" or not (asks or outer) then return check(v, ctx) end
    local mine = { keys = {}, items = {}, first = 0 }
    ctx.marks = mine
    local ok = check(v, ctx)
    ctx.marks = outer
    if ok and outer then merge(outer, mine) end
    return ok
  end
end

local function scoped(check, resource)
  return function(v, ctx)
    local n = ctx.entered
    if ctx.scope[n] == resource then return check(v, ctx) end
    ctx.scope[n + 1], ctx.entered = resource, n + 1
    local ok = check(v, ctx)
    ctx.scope[n + 1], ctx.entered = nil, n
    return ok
  end
end

-- Has the schema one of the words a keyword's function is made of, and knows its draft it?
local function present(k, schema, draft)
  for _, name in ipairs(k) do
    if schema[name] ~= nil and draft.keywords[name] then return true end
  end
  return false
end

local function applies(k, schema, draft, alone)
  if alone then return k[1] == "$ref" end
  return (draft.asserts or not k.asserts) and present(k, schema, draft)
end

local function build(set, keywords, schema)
  if set.never[schema] then return never(schema) end
  local draft = set.home[schema].draft
  local alone = draft.ref_alone and schema["$ref"] ~= nil
  local by = {}
  for _, k in ipairs(keywords) do
    if applies(k, schema, draft, alone) then
      by[k.kind] = by[k.kind] or {}
      table.insert(by[k.kind], k.make(set, schema, draft))
    end
  end
  local check = body(by, not alone and draft.asserts and schema.type or nil)
  if set.tracks then
    check = tracked(check, schema.unevaluatedProperties ~= nil or schema.unevaluatedItems ~= nil)
  end
  return set.dynamic and scoped(check, set.home[schema]) or check
end

--- The functions of a set's schemas, each made when it is first asked for.
---@param set orrery.SchemaSet
---@param keywords { kind: string, make: function, asserts?: boolean, [integer]: string }[]
---@return table<any, fun(v: any, ctx: table): boolean>
function node.checks(set, keywords)
  return setmetatable({ [true] = always }, {
    __index = function(checks, schema)
      local check = build(set, keywords, schema)
      checks[schema] = check
      return check
    end,
  })
end

return node
