-- How two manifests differ, as reasons people read: files first, then what is upstream, then
-- the rest. A reason knows which part it is about, so that its cause can be looked for.
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")

local differ = {}

---@class orrery.Reason
---@field text string   a short clause: "src/a.c changed"
---@field kind string   "file", "needs", "result", "env", "param", "command", "tool", "function", …
---@field name? string  the path, id, or name it is about
---@field step? string  the step upstream that made what changed
---@field chain? { step: string, text: string }[]  why that step came to something else, to the root

-- Longer values and commands are cut.
local VALUE, WORDS = 40, 80

local function cut(s, n)
  s = s:gsub("%c", " ")
  if #s <= n then return s end
  local to = n - 3
  while to > 1 and s:byte(to + 1) & 0xC0 == 0x80 do to = to - 1 end -- not inside a character
  return s:sub(1, to) .. "..."
end

local function short(v)
  if v == nil or v == pack.null then return "nothing" end
  if v == false then return "unset" end
  if type(v) == "table" then return v.secret and "a secret" or "a table" end
  return cut(tostring(v), VALUE)
end

local function same(a, b)
  if a == b then return true end
  return a ~= nil and b ~= nil and pack.digest(a) == pack.digest(b)
end

local function add(out, kind, name, text, ...)
  out[#out + 1] = { kind = kind, name = name, text = select("#", ...) > 0 and text:format(...)
    or text }
end

local function by_path(list)
  local out = {}
  for _, f in ipairs(list or {}) do out[f[1]] = f end
  return out
end

local function files(out, old, new)
  local a, b = by_path(old), by_path(new)
  for p, f in sorted.pairs(b) do
    local was = a[p]
    if not was then
      add(out, "file", p, "%s was added", p)
    elseif was[2] ~= f[2] then
      add(out, "file", p, "%s %s", p, f[2] == false and "is missing"
        or was[2] == false and "appeared" or "changed")
    elseif was[3] ~= f[3] then
      add(out, "file", p, "%s changed its mode", p)
    end
  end
  for p in sorted.pairs(a) do
    if not b[p] then add(out, "file", p, "%s was removed", p) end
  end
end

-- Calls say(name, old, new) for each name whose values differ.
local function maps(old, new, say)
  old, new = old or {}, new or {}
  for k, v in sorted.pairs(new) do
    if not same(old[k], v) then say(k, old[k], v) end
  end
  for k, v in sorted.pairs(old) do
    if new[k] == nil then say(k, v, nil) end
  end
end

-- As maps, of the names that both have: what is read now is known only after it was read.
local function changed(old, new, say)
  for k, v in sorted.pairs(new or {}) do
    if old and old[k] ~= nil and not same(old[k], v) then say(k, old[k], v) end
  end
end

local function values(out, kind, noun)
  return function(k, was, now)
    local a, b = short(was), short(now)
    if a == b then
      add(out, kind, k, "%s%s changed", noun, k)
    else
      add(out, kind, k, "%s%s %s → %s", noun, k, a, b)
    end
  end
end

---------------------------------------------------------------------------
-- commands

local function words_of(command)
  if type(command) == "table" then return command end
  local out = {}
  for w in tostring(command or ""):gmatch("%S+") do out[#out + 1] = w end
  return out
end

-- What differs between two lists, between what they begin and end with in common.
local function middle(a, b)
  local from = 1
  while a[from] ~= nil and a[from] == b[from] do from = from + 1 end
  local x, y = #a, #b
  while x >= from and y >= from and a[x] == b[y] do x, y = x - 1, y - 1 end
  return table.move(a, from, x, 1, {}), table.move(b, from, y, 1, {})
end

-- Are these words the paths of files already spoken of?
local function all_files(list, told)
  for _, w in ipairs(list) do
    if not told[w] then return false end
  end
  return true
end

local function flat(list)
  local out = {}
  for i, w in ipairs(list) do out[i] = type(w) == "table" and "a table" or tostring(w) end
  return out
end

local function joined(list) return cut(table.concat(list, " "), WORDS) end

local function command(out, old, new)
  if same(old, new) then return end
  local gone, came = middle(flat(words_of(old)), flat(words_of(new)))
  local told = {}
  for _, r in ipairs(out) do
    if r.kind == "file" then told[r.name] = true end
  end
  if #gone + #came > 0 and all_files(gone, told) and all_files(came, told) then return end
  if #gone + #came == 0 then
    add(out, "command", nil, "the command changed")
  elseif #came == 0 then
    add(out, "command", nil, "the command lost: " .. joined(gone))
  elseif #gone == 0 then
    add(out, "command", nil, "the command gained: " .. joined(came))
  else
    add(out, "command", nil, ("the command changed: %s → %s"):format(joined(gone), joined(came)))
  end
end

---------------------------------------------------------------------------
-- functions, gates, and what has but a name

local BIG = 100 -- entries of a captured table of which a step hardly needs all

-- "201 entries", "200 entries" to "201 entries, was 200", with what to do when that is much.
local function sizes(now, was)
  local n, before = now:match("^(%d+) entries$"), was:match("^(%d+) entries$")
  if not (n and before) then return ("(%s, was %s)"):format(now, was) end
  return ("(%s entries, was %s)%s"):format(n, before, tonumber(n) >= BIG
    and "; pass only what the step uses: with = {…}" or "")
end

local function functions(out, old, new)
  if old.identity == new.identity then return end
  local n = #out
  local a, b = old.shapes or {}, new.shapes or {}
  maps(old.upvalues, new.upvalues, function(k)
    local was, now = a[k], b[k]
    if was == "a function" and now == was then
      add(out, "function", k, "function '%s' changed", k)
    elseif was and now and was ~= now then
      add(out, "function", k, "upvalue '%s' changed %s", k, sizes(now, was))
    else
      add(out, "function", k, "upvalue '%s' changed", k)
    end
  end)
  maps(old.modules, new.modules, function(k) add(out, "module", k, "module '%s' changed", k) end)
  if #out == n then add(out, "function", nil, "the function changed") end
end

local function gates(out, old, new)
  if same(old, new) then return end
  if not old or not new then
    add(out, "gate", nil, new and "a gate was added" or "the gate was removed")
    return
  end
  local n = #out
  maps(old.schema, new.schema, function(k) add(out, "gate", k, "the schema of %s changed", k) end)
  if #out == n then add(out, "gate", nil, "the gate changed") end
end

local function lists(out, kind, noun, old, new)
  local a, b = {}, {}
  for _, p in ipairs(old or {}) do a[p] = true end
  for _, p in ipairs(new or {}) do b[p] = true end
  local n = #out
  for p in sorted.pairs(b) do
    if not a[p] then add(out, kind, p, "%s %s was declared", noun, p) end
  end
  for p in sorted.pairs(a) do
    if not b[p] then add(out, kind, p, "%s %s is no longer declared", noun, p) end
  end
  if #out == n and not same(old, new) then
    add(out, kind, nil, "the declared %ss changed", noun)
  end
end

-- Fields that are small: both values are said.
local plain = { cwd = "cwd", model = "model", executor = "the agent's executor", agent = "agent",
  skill = "skill", depfile = "depfile", scope = "the cache scope", parse = "parse",
  kind = "the kind", sample = "sample", shell = "shell", v = "the format of keys",
  workflow = "workflow" }

-- Fields that are not: only that they changed.
local words = { prompt = "the prompt changed", returns = "the returns schema changed",
  normalize = "normalize changed", code = "the skill's code changed",
  context = "what the function reads from ctx changed", schemas = "a schema changed",
  names = "the names of inputs or outputs changed", module = "its module changed",
  step_id = "the step's id, which the function reads, changed", io = "its artifacts changed" }

local function fields(out, old, new)
  maps(old.with, new.with, values(out, "with", "with."))
  local a, b = old.ctx or {}, new.ctx or {}
  for _, name in ipairs({ "item", "matrix", "args" }) do
    if not same(a[name], b[name]) then values(out, "ctx", "")(name, a[name], b[name]) end
  end
  lists(out, "outputs", "output", old.outputs, new.outputs)
  gates(out, old.gate, new.gate)
  for k, noun in sorted.pairs(plain) do
    if not same(old[k], new[k]) then
      add(out, k, k, "%s %s → %s", noun, short(old[k]), short(new[k]))
    end
  end
  for k, text in sorted.pairs(words) do
    if not same(old[k], new[k]) then add(out, k, nil, text) end
  end
end

local function upstream(out, old, new)
  maps(old.needs, new.needs, function(k, was, now)
    add(out, "needs", k, not was and "needs %s now" or now and "%s has a new result"
      or "no longer needs %s", k)
    out[#out].step = k
  end)
  changed(old.results, new.results, function(k)
    add(out, "result", k, "results.%s changed", k)
    out[#out].step = k:match("^(.*)%.[^%.]*$")
  end)
end

--- The reasons why two manifests differ.
---@param old table
---@param new table
---@return orrery.Reason[]
---@usage differ.of(old, new)[1].text --> "src/a.c changed"
function differ.of(old, new)
  local out = {}
  files(out, old.inputs, new.inputs)
  files(out, old.found, new.found)
  upstream(out, old, new)
  maps(old.env, new.env, values(out, "env", "env "))
  changed(old.vars, new.vars, values(out, "env", "env "))
  changed(old.looks, new.looks, function(k) add(out, "look", k, "%s changed", k) end)
  maps(old.params, new.params, values(out, "param", "param "))
  changed(old.read_params, new.read_params, values(out, "param", "param "))
  command(out, old.command, new.command)
  maps(old.tools, new.tools, function(k, was, now)
    add(out, "tool", k, not was and "tool %s is new" or now and "tool %s changed"
      or "tool %s is gone", k)
  end)
  functions(out, old, new)
  fields(out, old, new)
  return out
end

local function root_of(reason) return reason.chain and reason.chain[#reason.chain].text end

--- Reasons in one line, three at most.
---@param reasons orrery.Reason[]
---@param more? string what says all, for the rest
---@return string
---@usage differ.line(reasons) --> "src/a.c changed, env CC gcc → clang"
function differ.line(reasons, more)
  local texts = {}
  for i = 1, math.min(3, #reasons) do
    local r, root = reasons[i], root_of(reasons[i])
    local again = i < 3 and reasons[i + 1] and root_of(reasons[i + 1]) == root
    texts[i] = root and not again and ("%s because %s"):format(r.text, root) or r.text
  end
  local line = table.concat(texts, ", ")
  if #reasons <= 3 then return line end
  return ("%s and %d more%s"):format(line, #reasons - 3, more and ": " .. more or "")
end

return differ
