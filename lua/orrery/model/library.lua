-- The globals of a workflow file: the standard library without clock, randomness,
-- processes, writing, debug and addresses, and with pairs and next in sorted order. What is
-- missing says why, and where it belongs.
local reading = require("orrery.model.reading")
local sorted = require("orrery.kernel.sorted")

local library = {}

local object = { table = true, ["function"] = true, thread = true, userdata = true }

-- tostring without addresses, which differ from process to process.
local function text(v)
  local kind = type(v)
  if not object[kind] then return tostring(v) end
  local mt = debug.getmetatable(v)
  local meta = type(mt) == "table" and rawget(mt, "__tostring")
  if meta then return tostring(v) end
  local name = type(mt) == "table" and rawget(mt, "__name")
  return type(name) == "string" and name or kind
end

local function format(fmt, ...)
  if type(fmt) == "string" and fmt:gsub("%%%%", ""):find("%%[%-%d]*p") then
    error("%p prints an address, which is another one in each process", 2)
  end
  local args, n = { ... }, select("#", ...)
  for i = 1, n do
    if object[type(args[i])] then args[i] = text(args[i]) end
  end
  return string.format(fmt, table.unpack(args, 1, n))
end

-- next in sorted order. The keys are sorted once per traversal and kept until it ends.
local function make_next()
  local under_way = setmetatable({}, { __mode = "k" })
  local function first(t)
    local least
    for k in next, t do
      if least == nil or sorted.less(k, least) then least = k end
    end
    under_way[t] = nil
    return least
  end
  local function after(t, k)
    local state = under_way[t]
    if not state or state.keys[state.at] ~= k then
      state = { keys = sorted.keys(t), at = 0 }
      for i, key in ipairs(state.keys) do
        if key == k then state.at = i end
      end
      if state.at == 0 then error("next: the key is not in the table", 3) end
      under_way[t] = state
    end
    repeat
      state.at = state.at + 1
    until state.keys[state.at] == nil or rawget(t, state.keys[state.at]) ~= nil
    return state.keys[state.at]
  end
  return function(t, k)
    if type(t) ~= "table" then error("next needs a table, not " .. type(t), 2) end
    if k == nil then k = first(t) else k = after(t, k) end
    if k ~= nil then return k, rawget(t, k) end
    return nil
  end
end

local function copy(t, without)
  local out = {}
  for k, v in pairs(t) do
    if not (without and without[k]) then out[k] = v end
  end
  return out
end

local function refuse(name, why)
  return { __index = function(_, k)
    error(("%s.%s is not there while a workflow loads: %s"):format(name, tostring(k), why), 2)
  end }
end

local plan = "the loaded plan is remembered, so that each load must give the same; "

local why_not = {
  io = plan .. 'to read a file: require("orrery.fs").read(path); to write, use a step',
  os = plan .. "use it inside the function of a step",
  math = plan .. "there is no randomness here; use it inside the function of a step",
  debug = "it would let a file look behind its own environment",
  package = "require searches lua/, workflows/ and the path of orrery.lua",
}

-- Coroutines inherit no hook of ours; the box gives each its own, or a loop in one never ends.
local function coroutines(box)
  local lib = copy(coroutine)
  function lib.create(f)
    local co = coroutine.create(f)
    box:watch(co)
    return co
  end
  function lib.wrap(f)
    local co = lib.create(f)
    return function(...)
      local r = table.pack(coroutine.resume(co, ...))
      if r[1] then return table.unpack(r, 2, r.n) end
      error(r[2], 0)
    end
  end
  return lib
end

local function loader(env)
  return function(chunk, name, _, into)
    if type(chunk) == "function" then
      local parts = {}
      for piece in chunk do
        if piece == "" then break end
        parts[#parts + 1] = piece
      end
      chunk = table.concat(parts)
    end
    return load(chunk, name or "=load", "t", into or env)
  end
end

local function safe_getmetatable(v)
  if type(v) == "string" then return nil end
  return getmetatable(v)
end

local function say(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = text(parts[i]) end
  io.stderr:write(table.concat(parts, "\t"), "\n")
end

local plain = { "assert", "error", "ipairs", "pcall", "rawequal", "rawget", "rawlen", "rawset",
  "select", "setmetatable", "tonumber", "type", "xpcall", "_VERSION" }

--- The environment for one box; its metatable (unknown and new globals) is the box's.
---@param box orrery.Box
---@return table env
function library.new(box)
  local env = { pairs = sorted.strict_pairs, next = make_next(), tostring = text, print = say,
    getmetatable = safe_getmetatable }
  for _, name in ipairs(plain) do env[name] = _G[name] end
  env.string = copy(string, { dump = true })
  env.string.format = format
  env.table, env.utf8 = copy(table), copy(utf8)
  env.math = setmetatable(copy(math, { random = true, randomseed = true }),
    refuse("math", why_not.math))
  env.os = setmetatable({ getenv = reading.getenv(box) }, refuse("os", why_not.os))
  env.io = setmetatable({}, refuse("io", why_not.io))
  env.debug = setmetatable({}, refuse("debug", why_not.debug))
  env.package = setmetatable({}, refuse("package", why_not.package))
  env.coroutine = coroutines(box)
  env.load = loader(env)
  env.require = function(name) return box:require(name, 2) end
  env._G = env
  return env
end

return library
