-- The language of `when`: one Lua expression over the names of a ctx, plus success(),
-- failure(), always(), changed(glob) and exists(path). JSON null reads as absent.
local errors = require("orrery.kernel.errors")
local nearest = require("orrery.kernel.nearest")
local null = require("orrery.core.pack").null

local expr = {}

--- What an expression may call.
expr.functions = {
  success = true, failure = true, always = true, changed = true, exists = true,
  tostring = true, tonumber = true, math = true, string = true, type = true,
}

--- The ctx names an expression may read.
expr.roots = {
  params = true, results = true, env = true, with = true, item = true, matrix = true,
  inputs = true, outputs = true, attempt = true, run = true, step = true, args = true,
}

local keywords = { ["and"] = true, ["or"] = true, ["not"] = true, ["nil"] = true,
  ["true"] = true, ["false"] = true, ["function"] = true, ["end"] = true, ["return"] = true,
  ["if"] = true, ["then"] = true, ["else"] = true, ["elseif"] = true, ["local"] = true }

local function skip_string(text, i, quote)
  local j = i + 1
  while j <= #text and text:sub(j, j) ~= quote do
    j = j + (text:sub(j, j) == "\\" and 2 or 1)
  end
  return j
end

-- Lua tokens, coarsely: enough to find names and the chains that follow them.
local function tokens(text)
  local list, i = {}, 1
  local function add(kind, value, next_i)
    list[#list + 1] = { kind = kind, value = value }
    i = next_i
  end
  while i <= #text do
    local word, e = text:match("^([%a_][%w_]*)()", i)
    local quote = text:match("^['\"]", i)
    local long = text:match("^%[(=*)%[", i)
    if word then
      add(keywords[word] and "keyword" or "name", word, e)
    elseif quote then
      local j = skip_string(text, i, quote)
      add("string", text:sub(i + 1, j - 1), j + 1)
    elseif long then
      local j = text:find("]" .. long .. "]", i, true) or #text
      add("string", text:sub(i + #long + 2, j - 1), j + #long + 2)
    elseif text:find("^%d", i) then
      local n, j = text:match("^([%w%.]+)()", i)
      add("number", n, j)
    elseif text:find("^%s", i) then
      i = i + 1
    else
      local op = text:match("^[=~<>]=", i) or text:match("^%.%.", i) or text:sub(i, i)
      add("op", op, i + #op)
    end
  end
  return list
end

-- Extends 'path' with the accessors that follow token i; returns the last token used.
local function chain(list, i, path)
  while true do
    local dot, key, close = list[i + 1], list[i + 2], list[i + 3]
    if dot and dot.value == "." and key and key.kind == "name" then
      path[#path + 1] = key.value
      i = i + 2
    elseif dot and dot.kind == "op" and dot.value == "[" and key and close
      and (key.kind == "string" or key.kind == "number") and close.value == "]" then
      path[#path + 1] = key.kind == "number" and math.tointeger(tonumber(key.value)) or key.value
      i = i + 3
    else
      return i
    end
  end
end

--- The paths an expression reads: { {"params","env"}, {"results","build","ok"}, … };
--- a path that is called has call = true.
---@param text string
---@return any[][]
function expr.names(text)
  local list, out, i = tokens(text), {}, 1
  while i <= #list do
    local t, prev = list[i], list[i - 1]
    local member = prev and prev.kind == "op" and (prev.value == "." or prev.value == ":")
    if t.kind == "name" and not member then
      local path = { t.value }
      i = chain(list, i, path)
      path.call = list[i + 1] ~= nil and list[i + 1].value == "("
      out[#out + 1] = path
    end
    i = i + 1
  end
  return out
end

--- Does the expression use success(), failure() or always()?
---@param text string
---@return boolean
function expr.has_status_word(text)
  for _, path in ipairs(expr.names(text)) do
    local w = path[1]
    if path.call and #path == 1 and (w == "success" or w == "failure" or w == "always") then
      return true
    end
  end
  return false
end

--- The literal globs an expression asks changed() about.
--- expr.changed_globs("changed('src/**') or always()") --> { "src/**" }
---@param text string
---@return string[]
function expr.changed_globs(text)
  local list, out = tokens(text), {}
  for i, t in ipairs(list) do
    local open, arg = list[i + 1], list[i + 2]
    if t.kind == "name" and t.value == "changed" and open and open.value == "("
      and arg and arg.kind == "string" then out[#out + 1] = arg.value end
  end
  return out
end

-- A view of a value in which null is absent, at every depth.
local KEY = {}
local view
local view_mt = {
  __index = function(self, k) return view(rawget(self, KEY)[k]) end,
  __len = function(self) return #rawget(self, KEY) end,
  __newindex = function() errors.raise("expr", "a condition cannot assign") end,
}

function view(v)
  if v == null then return nil end
  if type(v) ~= "table" then return v end
  return setmetatable({ [KEY] = v }, view_mt)
end

local all_names = {}
for name in pairs(expr.functions) do all_names[#all_names + 1] = name end
for name in pairs(expr.roots) do all_names[#all_names + 1] = name end
table.sort(all_names)

local libs = { tostring = tostring, tonumber = tonumber, type = type, math = math, string = string }

-- The environment of one expression; ctx() gives the values of the moment.
local function environment(ctx)
  return setmetatable({}, {
    __index = function(_, name)
      if libs[name] then return libs[name] end
      local v = ctx()[name]
      if v ~= nil then return type(v) == "function" and v or view(v) end
      if expr.functions[name] or expr.roots[name] then return nil end
      local guess = nearest.find(name, all_names)
      errors.raise("expr", ("when: unknown name '%s'%s"):format(name,
        guess and ("; did you mean '%s'?"):format(guess) or ""))
    end,
    __newindex = function() errors.raise("expr", "a condition cannot assign") end,
  })
end

--- Compiles an expression once. The function takes a ctx (which may hold functions success,
--- failure, always, changed, exists) and returns the value; it raises code "expr" for
--- unknown names and bad operations, and compile does for a text that is no expression.
---@param text string
---@return fun(ctx: table): any
---@usage expr.compile("params.env == 'prod'")({ params = { env = "prod" } }) --> true
function expr.compile(text)
  local current
  local env = environment(function() return current end)
  local fn, why = load("return (" .. text .. "\n)", "=when", "t", env)
  if not fn then
    errors.raise("expr", ("when: '%s' is not a Lua expression: %s"):format(text,
      (why:gsub("^when:%d+: ", ""))))
  end
  return function(ctx)
    current = ctx
    local ok, v = pcall(fn)
    current = nil
    if ok then return v end
    if errors.is(v) then error(v, 0) end
    errors.raise("expr", ("when '%s': %s"):format(text, (tostring(v):gsub("^when:%d+: ", ""))))
  end
end

return expr
