-- Keys: what determines the result of a step, as a manifest whose digest is the base key.
--
-- The manifest is kept beside the result, so that a miss can be explained as a diff. Never
-- in it: times, absolute paths, host names, run ids, attempts, the order of a table.
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")

local key = {}

--- The format of keys; a change makes every earlier record unreachable.
key.VERSION = 2

--- The digest of a manifest.
---@param manifest table
---@return string hex
function key.of(manifest)
  local d, why = pack.digest(manifest, "key")
  if not d then error(why, 0) end
  return d
end

--- The full key: the base key and the facts of one recorded input set.
---@param base string
---@param facts table?
---@return string
function key.full(base, facts)
  if not facts then return base end
  return key.of({ base = base, facts = facts })
end

local function short(v)
  if v == nil then return "nothing" end
  if v == false then return "unset" end
  local s = type(v) == "table" and "a table" or tostring(v)
  if #s > 40 then s = s:sub(1, 37) .. "..." end
  return (s:gsub("%c", " "))
end

local function by_path(list)
  local out = {}
  for _, f in ipairs(list or {}) do out[f[1]] = f end
  return out
end

local function files(out, old, new, noun)
  local a, b = by_path(old), by_path(new)
  for p, f in sorted.pairs(b) do
    local was = a[p]
    if not was then
      out[#out + 1] = ("%s%s was added"):format(noun, p)
    elseif was[2] ~= f[2] then
      out[#out + 1] = f[2] == false and ("%s%s is missing"):format(noun, p)
        or ("%s%s changed"):format(noun, p)
    elseif was[3] ~= f[3] then
      out[#out + 1] = ("%s%s changed its mode"):format(noun, p)
    end
  end
  for p in sorted.pairs(a) do
    if not b[p] then out[#out + 1] = ("%s%s was removed"):format(noun, p) end
  end
end

local function maps(out, old, new, say)
  old, new = old or {}, new or {}
  for k, v in sorted.pairs(new) do
    if old[k] ~= v then out[#out + 1] = say(k, old[k], v) end
  end
  for k, v in sorted.pairs(old) do
    if new[k] == nil then out[#out + 1] = say(k, v, nil) end
  end
end

local function same(a, b)
  if a == b then return true end
  return a ~= nil and b ~= nil and pack.digest(a) == pack.digest(b)
end

-- As maps, of values of any type, of the names both have.
local function changed(out, old, new, say)
  for k, v in sorted.pairs(new or {}) do
    if old and old[k] ~= nil and not same(old[k], v) then out[#out + 1] = say(k, old[k], v) end
  end
end

local words = {
  command = "the command changed", cwd = "cwd changed", prompt = "the prompt changed",
  with = "with changed", outputs = "the declared outputs changed", model = "the model changed",
  executor = "the agent's executor changed", returns = "the returns schema changed",
  gate = "the gate changed", scope = "the cache scope changed", parse = "parse changed",
  ctx = "item, matrix or args changed", normalize = "normalize changed",
  v = "the key format changed",
  depfile = "depfile changed", agent = "the agent changed", skill = "the skill changed",
  shell = "the shell changed", context = "what the function reads from ctx changed",
  sample = "sample changed",
}

--- The reasons why two manifests differ, as short clauses, files first.
---@param old table? nil: there is no earlier one
---@param new table
---@return string[]
---@usage key.diff(old, new) --> { "src/a.c changed", "env CC gcc → clang" }
function key.diff(old, new)
  if not old then return { "first run" } end
  local out = {}
  files(out, old.inputs, new.inputs, "")
  files(out, old.found, new.found, "")
  maps(out, old.needs, new.needs, function(k, was, now)
    if not was then return ("needs %s now"):format(k) end
    return now and ("%s has a new result"):format(k) or ("no longer needs %s"):format(k)
  end)
  maps(out, old.env, new.env, function(k, was, now)
    return ("env %s %s → %s"):format(k, short(was), short(now))
  end)
  changed(out, old.vars, new.vars, function(k, was, now)
    return ("env %s %s → %s"):format(k, short(was), short(now))
  end)
  changed(out, old.results, new.results, function(k) return ("results.%s changed"):format(k) end)
  changed(out, old.params, new.params, function(k, was, now)
    return ("param %s %s → %s"):format(k, short(was), short(now))
  end)
  maps(out, old.tools, new.tools, function(k) return ("%s itself changed"):format(k) end)
  if old.identity ~= new.identity then
    local n = #out
    maps(out, old.upvalues, new.upvalues, function(k)
      return ("upvalue '%s' changed"):format(k)
    end)
    if #out == n then out[#out + 1] = "the function changed" end
  end
  for k, say in sorted.pairs(words) do
    if not same(old[k], new[k]) then out[#out + 1] = say end
  end
  return out
end

--- Reasons in one line, three at most.
---@param reasons string[]
---@return string
function key.line(reasons)
  if #reasons <= 3 then return table.concat(reasons, ", ") end
  return table.concat(reasons, ", ", 1, 3) .. (" and %d more"):format(#reasons - 3)
end

return key
