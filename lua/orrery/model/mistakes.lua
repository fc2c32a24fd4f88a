-- The first mistakes of somebody new to the language, recognised, and what to write.
local lazy = require("orrery.kernel.lazy")
local fields = require("orrery.model.fields")
local lexer = lazy("orrery.model.lexer")
local nearest = lazy("orrery.kernel.nearest")
local place = require("orrery.model.place")

local mistakes = {}

--- Globals of other Lua versions that portable code asks for by name.
mistakes.optional_globals = { unpack = true, loadstring = true, setfenv = true, getfenv = true,
  jit = true, bit = true, bit32 = true, table_unpack = true, newproxy = true }

local modules = { fs = true, git = true, json = true, yaml = true, hash = true, schema = true,
  time = true, proc = true, cache = true, pool = true, log = true, registry = true }

local refused = {
  dofile = 'write: require("name")', loadfile = 'write: require("name")',
  collectgarbage = "the memory of a load is no concern of a workflow",
  warn = "use print, which goes to stderr",
}

local ctx_roots = { params = true, results = true, item = true, matrix = true, inputs = true,
  outputs = true, secrets = true, services = true, with = true, ctx = true }

-- "git tag v" .. params.version → "git tag v{{params.version}}"; else the bare template.
local function as_template(name, line)
  local before, path, after = line:match('"([^"]*)"%s*%.%.%s*(' .. name .. '[%w_%.]+)(.*)')
  if not before then
    before, path, after = line:match("'([^']*)'%s*%.%.%s*(" .. name .. "[%w_%.]+)(.*)")
  end
  if not before then
    path = line:match("%f[%w_](" .. name .. "%.[%w_%.]+)") or name .. ".NAME"
    return ('"{{%s}}"'):format(path)
  end
  local tail = after:match('^%s*%.%.%s*"([^"]*)"') or ""
  return ('"%s{{%s}}%s"'):format(before, path, tail)
end

--- What to say when a file reads a name that is no global.
---@param name any
---@param text? string the file
---@param line? integer
---@param near? string a global of a similar name
---@return string
function mistakes.unknown_global(name, text, line, near)
  name = tostring(name)
  if ctx_roots[name] then
    return ("%s are not known while the file loads; write %s, or %s"):format(name,
      as_template(name, place.line(text, line)), name == "params"
      and "build the steps in steps = function(p) … end"
      or "read ctx." .. name .. " in a function(ctx)")
  end
  if name == "o" or name == "orrery" then
    return ("'%s' is not defined; write: local %s = require(\"orrery\")"):format(name, name)
  end
  if modules[name] then
    return ("'%s' is not defined; write: local %s = require(\"orrery.%s\")"):format(name, name,
      name)
  end
  if refused[name] then return ("%s is not there: %s"):format(name, refused[name]) end
  return ("'%s' is not defined%s"):format(name,
    near and ("; did you mean '%s'?"):format(near) or "")
end

--- What to say when a file would make a global.
---@param name any
---@param value any
---@return string
function mistakes.new_global(name, value)
  return ("'%s' would be a global, which steps on other threads cannot see; write: local %s%s")
    :format(tostring(name), type(value) == "function" and "function " or "", tostring(name))
end

-- Words for the entry that ends with token i: "the step" when it is o.step "x" { … }.
local function entry_before(tokens, i)
  local depth, at = 0, i
  if tokens[i].text ~= "}" then return nil end
  repeat
    if tokens[at].text == "}" then depth = depth + 1 end
    if tokens[at].text == "{" then depth = depth - 1 end
    at = at - 1
  until depth == 0 or at == 0
  for j = at, math.max(1, at - 6), -1 do
    local word = tokens[j].text
    if word == "step" or word == "group" or word == "workflow" then return word end
    if word == "," or word == "{" then return nil end
  end
end

local starts_entry = { name = true, string = true, number = true }
local ends_entry = { name = true, string = true, number = true, ["}"] = true, [")"] = true,
  ["]"] = true, ["end"] = true, ["true"] = true, ["false"] = true, ["nil"] = true }

-- Two entries side by side where a table was to go on or end.
local function missing_comma(tokens, i)
  local here, before = tokens[i], tokens[i - 1]
  if not before then return nil end
  if not (starts_entry[here.kind] or here.text == "{" or here.text == "[") then return nil end
  if not (ends_entry[before.kind] or ends_entry[before.text]) then return nil end
  local what = entry_before(tokens, i - 1)
  return what and ("a comma is missing after the %s that ends on line %d"):format(what, before.last)
    or ("a comma is missing after '%s' on line %d"):format(before.text:sub(1, 40), before.last)
end

local foreign = {
  [":"] = function(before)
    return ("a field is written with '=', not ':'; write: %s = …"):format(before)
  end,
  ["!"] = function() return "'!' is not Lua; write 'not x', or 'a ~= b'" end,
  ["&"] = function() return "'&&' is not Lua; write 'and'" end,
  ["|"] = function() return "'||' is not Lua; write 'or'" end,
}

local function cure(message, tokens, i)
  local here, before = tokens[i], tokens[i - 1]
  if message:find("'}' expected", 1, true) or message:find("')' expected", 1, true) then
    local text = missing_comma(tokens, i)
    if text then return text end
  end
  if message:find("<name> expected", 1, true) and before and before.text == ":"
    and tokens[i - 2] then
    return foreign[":"](tokens[i - 2].text)
  end
  local say = here and foreign[here.text]
  if say and before then return say(before.text) end
end

--- The message for a syntax error of load().
---@param why string as load gives it: "file:line: text near 'x'"
---@param text string the source
---@param name string the file
---@return orrery.Message
function mistakes.syntax(why, text, name)
  local line, message = why:match(":(%d+): (.*)$")
  if not line then
    return { place = { file = name }, level = "error", text = why }
  end
  line = tonumber(line)
  local at = { file = name, line = line }
  local near = message:match("near '?(.-)'?$")
  local tokens = lexer.tokens(text)
  for i, t in ipairs(tokens) do
    if t.last == line and (t.text == near or t.text:sub(1, 1) == near) then
      local said = cure(message, tokens, i)
      if said then return { place = at, level = "error", text = said } end
    end
  end
  return { place = at, level = "error", text = message }
end

--- What to say when evaluating a file raised a text: Lua's own, and where it called what the
--- language has as a field, or under another name, how that is written.
---@param text any what was raised
---@param language table<string, any> what require("orrery") gives
---@return any
function mistakes.raised(text, language)
  if type(text) ~= "string" then return text end
  local where, name = text:match("^([^\n]-:%d+: )attempt to call a nil value %(%a+ '([%w_]+)'%)")
  if not name or language[name] then return text end
  if fields.step[name] then
    return ("%sthere is no function '%s'; it is a field: o.step \"NAME\" { %s = … }"):format(where,
      name, name)
  end
  local hint = nearest.hint(name, language)
  return hint and ("%sthere is no function '%s'; %s"):format(where, name, hint) or text
end

local after = "its last statement should be: return o.workflow { … }"

--- What to say when a file returned something that is no workflow; nil when it is one.
---@param value any
---@param is fun(v: any, what?: string): boolean
---@return string?
function mistakes.not_a_workflow(value, is)
  if is(value, "workflow") then
    if value.fields then return nil end
    return ('o.workflow "%s" is not followed by its { … }'):format(value.id)
  end
  if value == nil then return "the file returned nothing; " .. after end
  if is(value) then
    return ("the file returned a %s, not a workflow; %s"):format(value.what, after)
  end
  return ("the file returned a %s, not a workflow; %s"):format(type(value), after)
end

return mistakes
