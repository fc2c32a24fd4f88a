-- Templates: {{path}} in the strings of a workflow. Parsed once, rendered against a ctx.
--
-- A template is "{{", a known root, then "." or "[" or "}}", never after "$". Everything
-- else ({{.Name}}, {{json .X}}, ${{ matrix.x }}) is text of other tools and stays as it is.
local errors = require("orrery.kernel.errors")
local lazy = require("orrery.kernel.lazy")
local nearest = lazy("orrery.kernel.nearest")
local null = require("orrery.core.pack").null

local template = {}

--- The words a path may start with.
template.known_roots = {
  params = true, with = true, args = true, results = true, env = true, secrets = true,
  item = true, matrix = true, inputs = true, outputs = true, step = true, run = true,
  services = true, port = true,
}

local root_names = {}
for name in pairs(template.known_roots) do root_names[#root_names + 1] = name end
table.sort(root_names)

-- One accessor after the root: .name, [1], ["name"]. Returns key, next position.
local function accessor(s, i)
  local name, e = s:match("^%.([^%.%[%]{}%s'\"|()]+)()", i)
  if name then return math.tointeger(tonumber(name)) or name, e end
  local n, e2 = s:match("^%[%s*(%d+)%s*%]()", i)
  if n then return math.tointeger(tonumber(n)), e2 end
  local q, text, e3 = s:match("^%[%s*(['\"])(.-)%1%s*%]()", i)
  if q then return text, e3 end
end

local function complaint(s, i, root)
  if s:sub(i):find("^%s*|") then
    return ("'{{%s}}' is not a path: templates have no filters; compute the value in a call step")
      :format(s)
  end
  return ("'{{%s}}' is not a path: cannot read '%s'; write {{%s.name}} or {{%s[\"name\"]}}")
    :format(s, s:sub(i), root, root)
end

-- Parses the inside of one {{…}}: a path; or nil and what is wrong; or nil, nil and the
-- word that looks like a root but is none.
local function path_of(inside)
  local s = inside:match("^%s*(.-)%s*$")
  local root = s:match("^[%a_][%w_]*")
  if not root then return nil end
  local rest = s:sub(#root + 1)
  if rest ~= "" and not rest:find("^[%.%[|%s]") then return nil end
  if not template.known_roots[root] then
    if rest:find("^[%.%[]") then return nil, nil, root end
    return nil
  end
  local path, i = { root }, #root + 1
  while i <= #s do
    local key, e = accessor(s, i)
    if not key then return nil, complaint(s, i, root) end
    path[#path + 1] = key
    i = e
  end
  path.source = s
  return path
end

--- Splits a text into literal strings and paths. A text without templates comes back as
--- itself. Raises code "template" for a malformed one.
---@param text string
---@return string|table parts strings and paths in order; parts.near lists near misses
---@usage template.parse("v{{params.version}}") --> { "v", { "params", "version" } }
function template.parse(text)
  if not text:find("{{", 1, true) then return text end
  local parts, near, from, at = {}, {}, 1, 1
  while true do
    local open = text:find("{{", at, true)
    local close = open and text:find("}}", open + 2, true)
    if not close then break end
    local inside = text:sub(open + 2, close - 1)
    local path, wrong, stranger
    if text:sub(open - 1, open - 1) ~= "$" and not inside:find("{", 1, true) then
      path, wrong, stranger = path_of(inside)
    end
    if wrong then errors.raise("template", wrong) end
    if path then
      if open > from then parts[#parts + 1] = text:sub(from, open - 1) end
      parts[#parts + 1] = path
      at = close + 2
      from = at
    else
      local guess = stranger and nearest.find(stranger, root_names)
      if guess then near[#near + 1] = { word = stranger, guess = guess, source = inside } end
      at = open + 2
    end
  end
  if #parts == 0 and #near == 0 then return text end
  if from <= #text then parts[#parts + 1] = text:sub(from) end
  parts.near = near
  return parts
end

--- The paths a text reads, without rendering it.
---@param text string
---@return any[][] paths
function template.roots(text)
  local parts = template.parse(text)
  local paths = {}
  if type(parts) == "table" then
    for _, p in ipairs(parts) do
      if type(p) == "table" then paths[#paths + 1] = p end
    end
  end
  return paths
end

local function spell(path, n)
  local out = { path[1] }
  for i = 2, n do
    local k = path[i]
    if type(k) == "string" and k:find("^[%a_][%w_%-]*$") then
      out[i] = "." .. k
    else
      out[i] = type(k) == "string" and ('["%s"]'):format(k) or ("[%d]"):format(k)
    end
  end
  return table.concat(out)
end

--- The value at a path of a ctx. An absent one raises code "template", naming the part
--- that is missing.
---@param ctx table
---@param path any[]
---@return any
function template.lookup(ctx, path)
  local v = ctx
  for i, key in ipairs(path) do
    if type(v) ~= "table" then
      errors.raise("template", ("{{%s}}: %s is a %s, it has no '%s'"):format(
        path.source, spell(path, i - 1), type(v), key))
    end
    local child = v[key]
    if child == nil and math.type(key) == "integer" then child = v[tostring(key)] end
    v = child
    if v == nil or v == null then
      errors.raise("template", ("{{%s}}: %s is absent"):format(path.source, spell(path, i)))
    end
  end
  return v
end

-- A scalar, or a list of exactly one scalar, as text.
local function scalar(v, path)
  if type(v) == "table" and #v == 1 then v = v[1] end
  local t = type(v)
  if t == "string" then return v end
  if t == "number" or t == "boolean" then return tostring(v) end
  errors.raise("template", ("{{%s}} is %s; only a text, number or boolean fits here"):format(
    path.source, t == "table" and (#v > 0 and "a list of " .. #v or "a table") or "a " .. t))
end

local function is_list(v)
  return type(v) == "table" and (#v > 0 or next(v) == nil)
end

local function text_of(parts, ctx)
  local out = {}
  for i, p in ipairs(parts) do
    out[i] = type(p) == "string" and p or scalar(template.lookup(ctx, p), p)
  end
  return table.concat(out)
end

-- The shell's quoting state ("'", '"', "#" in a comment, or nil) after reading 'text',
-- begun in 'state' with 'prev' as the character before.
local function quote_state(text, state, prev)
  local i = 1
  if state == "#" then
    i = (text:find("\n", 1, true) or #text) + 1
    if i > #text then return "#" end
    state = nil
  end
  while i <= #text do
    local c = text:sub(i, i)
    if state == "'" then
      if c == "'" then state = nil end
    elseif c == "\\" then
      i = i + 1
    elseif state == '"' then
      if c == '"' then state = nil end
    elseif c == "'" or c == '"' then
      state = c
    elseif c == "#" and (prev == "" or prev:find("[%s;&|(]")) then
      local eol = text:find("\n", i, true)
      if not eol then return "#" end
      i = eol
    end
    prev = text:sub(i, i)
    i = i + 1
  end
  return state
end

local function quote(word)
  if word ~= "" and not word:find("[^%w_@%%+=:,./%-]") then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function glued(parts, i)
  local before, after = parts[i - 1], parts[i + 1]
  return type(before) == "table" or type(after) == "table"
    or (before and before:find("[^%s;&|(]$") ~= nil)
    or (after and after:find("^[^%s;&|)]") ~= nil)
end

local function shell_word(parts, i, ctx)
  local path = parts[i]
  local v = template.lookup(ctx, path)
  if not is_list(v) or #v == 1 then return quote(scalar(v, path)) end
  if glued(parts, i) then
    errors.raise("template", ("{{%s}} is a list of %d; a list must stand alone in its word")
      :format(path.source, #v))
  end
  local words = {}
  for j, item in ipairs(v) do words[j] = quote(scalar(item, path)) end
  return table.concat(words, " ")
end

local function shell_of(parts, ctx)
  local out, state, prev = {}, nil, ""
  for i, p in ipairs(parts) do
    if type(p) == "string" then
      state = quote_state(p, state, prev)
      out[i] = p
      prev = p:sub(-1)
    elseif state == "'" or state == '"' then
      errors.raise("template", ("{{%s}} stands inside quotes; it is already exactly one quoted "
        .. "word: remove the quotes around it"):format(p.source))
    else
      out[i] = state == "#" and "" or shell_word(parts, i, ctx)
      prev = "x"
    end
  end
  return table.concat(out)
end

--- Checks where templates stand in a shell string, without values: one inside quotes
--- raises code "template".
---@param text string
function template.check_shell(text)
  local parts = template.parse(text)
  if type(parts) == "string" then return end
  local probe = {}
  for i, p in ipairs(parts) do
    probe[i] = type(p) == "string" and p or { "probe", source = p.source }
  end
  shell_of(probe, { probe = "x" })
end

--- Renders a text.
---@param text string
---@param ctx table the values by root
---@param how? "text"|"shell"|"value" text: always a string; shell: each template is one
---  quoted word (a list alone in its word: several); value: a whole-value template keeps
---  its type. Default "text".
---@return any
---@usage template.render("{{params.n}}", { params = { n = 3 } }, "value") --> 3
function template.render(text, ctx, how)
  local parts = template.parse(text)
  if type(parts) == "string" then return parts end
  if how == "value" and #parts == 1 and type(parts[1]) == "table" then
    return template.lookup(ctx, parts[1])
  end
  if how == "shell" then return shell_of(parts, ctx) end
  return text_of(parts, ctx)
end

local function deep(v, ctx, made)
  if type(v) == "string" then return template.render(v, ctx, "value") end
  if type(v) ~= "table" then return v end
  if made[v] then return made[v] end
  local out = {}
  made[v] = out
  for k, item in pairs(v) do out[k] = deep(item, ctx, made) end
  return setmetatable(out, getmetatable(v))
end

--- Renders every string of a value, keys left alone, into a new value. What is shared in it is
--- shared in the new one.
---@param v any
---@param ctx table
---@return any
function template.deep(v, ctx) return deep(v, ctx, {}) end

local function add_word(out, word, ctx)
  if type(word) == "table" then
    for _, w in ipairs(word) do add_word(out, w, ctx) end
    return
  end
  local v = type(word) == "string" and template.render(word, ctx, "value") or word
  local path = { source = tostring(word):gsub("^{{(.*)}}$", "%1") }
  if is_list(v) then
    for _, item in ipairs(v) do out[#out + 1] = scalar(item, path) end
  else
    out[#out + 1] = scalar(v, path)
  end
end

--- Renders an argv: lists inside it are flattened; a list alone in its word becomes
--- several words.
---@param words any[]
---@param ctx table
---@return string[]
function template.argv(words, ctx)
  local out = {}
  for _, word in ipairs(words) do add_word(out, word, ctx) end
  return out
end

return template
