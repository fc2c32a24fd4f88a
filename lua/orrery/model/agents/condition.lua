-- The conditions of agent workflows, read by a real parser: what it cannot read is an
-- error, never ignored.
--
--   condition  := and { OR and }          OR AND NOT in any case, also || && !
--   and        := not { AND not }
--   not        := NOT not | comparison
--   comparison := operand [ op operand ] | operand INCLUDES words
--              |  operand MATCHES [words] "(" word { "," word } ")"
--   op         := == != >= <= > < =
--   operand    := "(" condition ")" | 'text' | number[KB|MB|GB] | true | false | null
--              |  name { "." name } [ ":" name { "." name } ] | "{{" name { "." name } "}}"
--              |  function "(" name ")"
--
-- Names may hold "-"; "report.json:field" is a field of the artifact. A lone word right of an
-- operator that is a rank (low … critical) is that rank.
local errors = require("orrery.kernel.errors")

local condition = {}

--- Words in order: plan.complexity >= moderate.
condition.ranks = { low = 1, simple = 2, moderate = 3, medium = 4, complex = 5, high = 6,
  critical = 7 }

--- What may be called.
condition.functions = { file_size = true, exists = true, changed = true }

local units = { b = 1, kb = 1 << 10, k = 1 << 10, mb = 1 << 20, m = 1 << 20, gb = 1 << 30,
  g = 1 << 30 }

local words = { ["or"] = "or", ["and"] = "and", ["not"] = "not", includes = "includes",
  contains = "includes", matches = "matches" }
local symbols = { ["||"] = "or", ["&&"] = "and", ["!"] = "not" }

local function refuse(text, what, hint)
  errors.raise("condition", ("condition '%s': %s"):format(text, what), { hint = hint })
end

-- For a sentence, which only a person can decide: the name it may have.
local function named(text)
  if not text:find("^[%a%s]+$") then return nil end
  local name = text:lower():gsub("^%s*if%s+", ""):gsub("^%s+", ""):gsub("%s+$", ""):gsub("%s+", "_")
  return ("a sentence is no condition; write a name, such as %s, and give it with -p"):format(name)
end

local function number_token(text, i)
  local digits, e = text:match("^(%-?%d+%.?%d*)()", i)
  if not digits then return nil end
  local unit, e2 = text:match("^%s?(%a+)()", e)
  if unit and units[unit:lower()] and not text:find("^[%w_]", e2) then
    return { kind = "number", value = tonumber(digits) * units[unit:lower()] }, e2
  end
  if text:find("^[%a_]", e) then
    refuse(text, ("'%s' is neither a number nor a size"):format(text:match("^[%w_%.%-]+", i)))
  end
  return { kind = "number", value = tonumber(digits) }, e
end

local function next_token(text, i)
  local quote = text:match("^['\"]", i)
  if quote then
    local close = text:find(quote, i + 1, true)
    if not close then refuse(text, "a quote is not closed") end
    return { kind = "text", value = text:sub(i + 1, close - 1) }, close + 1
  end
  local token, e = number_token(text, i)
  if token then return token, e end
  local name, e2 = text:match("^([%a_][%w_%-]*)()", i)
  if name then
    local word = words[name:lower()]
    return { kind = word or "name", value = name }, e2
  end
  local op = text:match("^[=!<>]=", i) or text:match("^[|&][|&]", i)
    or text:match("^[%(%)%.,:<>=!]", i)
  if not op then refuse(text, ("'%s' is not understood"):format(text:sub(i, i))) end
  return { kind = symbols[op] or op, value = op }, i + #op
end

-- The tokens of a text up to 'stop'. A name in braces, as a template has it, is that name.
local function tokens(text, from, stop, list)
  local i = from
  while true do
    i = text:match("^%s*()", i)
    if i > stop then return list end
    local name, close, past = text:match("^{{%s*()[%a_][%w_%-%.]*()%s*}}()", i)
    if name then
      tokens(text, name, close - 1, list)
      i = past
    else
      local at = i
      list[#list + 1], i = next_token(text, i)
      list[#list].from, list[#list].to = at, i - 1
    end
  end
end

---@class orrery.agents.Parser
local Parser = {}
Parser.__index = Parser

function Parser:peek() return self.list[self.at] end

function Parser:accept(kind)
  local t = self.list[self.at]
  if t and t.kind == kind then
    self.at = self.at + 1
    return t
  end
end

function Parser:expect(kind, what)
  local t = self:accept(kind)
  if t then return t end
  local seen = self:peek()
  refuse(self.text, seen and ("%s is expected before '%s'"):format(what, seen.value)
    or ("it ends where %s is expected"):format(what))
end

local constants = { ["true"] = true, ["false"] = false }

function Parser:name(first)
  if constants[first.value] ~= nil then return { op = "value", value = constants[first.value] } end
  if first.value == "null" then return { op = "value" } end
  if self:accept("(") then
    if not condition.functions[first.value] then
      refuse(self.text, ("there is no function '%s'; there are file_size, exists and changed")
        :format(first.value))
    end
    local arg = self:accept("text") or self:expect("name", "a name")
    local path = arg.kind == "name" and self:path(arg) or { arg.value, literal = true }
    self:expect(")", "')'")
    return { op = "call", name = first.value, path = path }
  end
  return { op = "path", path = self:path(first) }
end

function Parser:path(first)
  local path = { first.value }
  while self:accept(".") do
    local t = self:accept("number") or self:expect("name", "a name")
    path[#path + 1] = t.value
  end
  if #path > 1 and self:accept(":") then
    if path[#path] == "json" then path[#path] = nil end
    path = table.move(self:path(self:expect("name", "a field")), 1, 100, #path + 1, path)
  end
  return path
end

function Parser:operand()
  if self:accept("(") then
    local inner = self:either()
    self:expect(")", "')'")
    return inner
  end
  local t = self:accept("text") or self:accept("number")
  if t then return { op = "value", value = t.value } end
  return self:name(self:expect("name", "a name or a value"))
end

-- The words up to what ends a phrase, as they were written.
function Parser:phrase()
  local quoted = self:accept("text")
  if quoted then return quoted.value end
  local first, last
  while self:peek() and (self:peek().kind == "name" or self:peek().kind == "number") do
    first, last = first or self:peek(), self:peek()
    self.at = self.at + 1
  end
  return first and self.text:sub(first.from, last.to) or nil
end

function Parser:words_in_brackets()
  local list = {}
  self:expect("(", "'(' and the words to look for")
  repeat
    local phrase = self:phrase()
    if not phrase then refuse(self.text, "a word is expected in the brackets") end
    list[#list + 1] = phrase
  until not self:accept(",")
  self:expect(")", "')'")
  return list
end

local operators = { "==", "!=", ">=", "<=", ">", "<", "=" }

function Parser:right_side()
  local t, after = self:peek(), self.list[self.at + 1]
  if t and t.kind == "name" and condition.ranks[t.value:lower()]
    and not (after and (after.kind == "." or after.kind == "(")) then
    self.at = self.at + 1
    return { op = "value", value = t.value:lower() }
  end
  return self:operand()
end

function Parser:comparison()
  local left = self:operand()
  if self:accept("includes") then
    local phrase = self:phrase() or refuse(self.text, "it ends where words are expected")
    return { op = "includes", left, words = { phrase } }
  elseif self:accept("matches") then
    local label = self:phrase()
    return { op = "matches", left, label = label, words = self:words_in_brackets() }
  end
  for _, op in ipairs(operators) do
    if self:accept(op) then
      return { op = op == "=" and "==" or op, left, self:right_side() }
    end
  end
  return left
end

function Parser:negated()
  if self:accept("not") then return { op = "not", self:negated() } end
  return self:comparison()
end

function Parser:both()
  local left = self:negated()
  while self:accept("and") do left = { op = "and", left, self:negated() } end
  return left
end

function Parser:either()
  local left = self:both()
  while self:accept("or") do left = { op = "or", left, self:both() } end
  return left
end

--- Reads a condition. Raises code "condition", naming what is wrong.
---@param text string
---@return table tree
---@usage condition.parse("a OR b.c > 15KB").op --> "or"
function condition.parse(text)
  local p = setmetatable({ text = text, list = tokens(text, 1, #text, {}), at = 1 }, Parser)
  if #p.list == 0 then refuse(text, "it is empty") end
  local tree = p:either()
  local rest = p:peek()
  if rest then
    refuse(text, ("'%s' is left over"):format(text:sub(rest.from)), named(text))
  end
  return tree
end

--- Calls visit(path) for every name a condition reads.
---@param tree table
---@param visit fun(path: string[])
function condition.each(tree, visit)
  if tree.path and not tree.path.literal then visit(tree.path) end
  for _, inner in ipairs(tree) do condition.each(inner, visit) end
end

return condition
