-- One validation under way. It first runs without collecting anything; only a value that
-- does not fit is gone through again, with `errors`, for messages.
--   keys[1..depth]  the way into the value       marks  what unevaluated… need to know, or nil
--   scope[1..n]     resources on the way here    over   the error of going too deep: all fails
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")
local uri = require("orrery.knowledge.schema_uri")
local words = require("orrery.knowledge.schema_words")

local context = {}

local MAX_ERRORS = 100
local MAX_REFS = 3000

---@param set orrery.SchemaSet
---@param decoded boolean every empty table that is not marked is an object
---@param errors? table[] where they go
function context.new(set, decoded, errors)
  return { set = set, decoded = decoded, errors = errors, keys = {}, depth = 0, refs = 0,
    scope = {}, entered = 0 }
end

--- The way to the part being checked, as a JSON pointer.
---@return string
function context.pointer(ctx)
  local out = { "" }
  for i = 1, ctx.depth do out[i + 1] = uri.escape(ctx.keys[i]) end
  return table.concat(out, "/")
end

local function entry(ctx, schema, keyword, message)
  local place = ctx.set:place(schema)
  return { path = context.pointer(ctx), keyword = keyword, message = message,
    schema_path = ctx.set.never[schema] and place or place .. "/" .. uri.escape(keyword) }
end

--- Says that a keyword of a schema refuses; words.say(...) is called only when collecting.
---@return false
function context.fail(ctx, schema, keyword, say, ...)
  local errors = ctx.errors
  if errors and #errors < MAX_ERRORS then
    errors[#errors + 1] = entry(ctx, schema, keyword, say(...))
  end
  return false
end

--- Checks a part of the value.
---@param key string|integer of the part, as a pointer counts
---@param check fun(v: any, ctx: table): boolean
---@param v any
---@return boolean
function context.inside(ctx, key, check, v)
  local depth, marks = ctx.depth, ctx.marks
  ctx.depth, ctx.marks = depth + 1, nil
  ctx.keys[depth + 1] = key
  local ok = check(v, ctx)
  ctx.depth, ctx.marks = depth, marks
  return ok
end

--- Checks without a word.
function context.quietly(ctx, check, v)
  local errors = ctx.errors
  ctx.errors = nil
  local ok = check(v, ctx)
  ctx.errors = errors
  return ok
end

--- Follows a reference; too deep is the end of it all.
function context.follow(ctx, schema, keyword, check, v)
  local n = ctx.refs
  if n >= MAX_REFS then
    if not ctx.over then
      ctx.over = entry(ctx, schema, keyword, words.depth(MAX_REFS))
      ctx.over.path = "" -- the way there has thousands of steps
    end
    return false
  end
  ctx.refs = n + 1
  local ok = check(v, ctx)
  ctx.refs = n
  return ok
end

--- Is the table an object, is it an array? An empty one that nobody marked may be both.
---@return boolean object
---@return boolean array
function context.shape(ctx, v)
  if pack.is_array(v) then return false, true end
  return true, not ctx.decoded and next(v) == nil
end

--- Iterates over the keys of an object, in order where it is seen.
function context.pairs(ctx, v)
  if ctx.errors then return sorted.pairs(v) end
  return next, v
end

return context
