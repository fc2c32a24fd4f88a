-- On the worker: the ctx a called function sees. Read-only; an unknown name is an error;
-- which params, and which fields of which results, it reads is recorded, so that they become
-- part of the full key.
local context = require("orrery.run.graph.context")
local errors = require("orrery.kernel.errors")
local nearest = require("orrery.kernel.nearest")
local place = require("orrery.model.place")
local shown = require("orrery.run.graph.shown")
local sorted = require("orrery.kernel.sorted")
local views = require("orrery.kernel.views")

local callee = {}

local function read_only(name)
  return function()
    errors.raise("ctx", name .. " is read-only: return what should be kept")
  end
end

-- One result; which of its fields are read is noted.
local function result_view(r, fields)
  return setmetatable({}, {
    __index = function(_, name)
      if type(name) == "string" then fields[name] = true end
      local v = r[name]
      if v == nil then shown.refuse(r, name, place.reader()) end
      return v
    end,
    __newindex = read_only("a result"),
    __pairs = function()
      for name in pairs(r) do fields[name] = true end
      return sorted.pairs(r)
    end,
  })
end

-- The results, and the fields of those that were read; that one is there counts as its status.
local function results_view(results, seen)
  local made = {}
  local function at(id)
    if not made[id] then
      seen[id] = { status = true }
      made[id] = result_view(results[id], seen[id])
    end
    return made[id]
  end
  return setmetatable({}, {
    __index = function(_, id)
      local r = results[id]
      if r == nil then
        local guess = type(id) == "string" and nearest.find(id, results)
        errors.raise("ctx", ("results.%s is not a step before this one%s; add needs = { \"%s\" }")
          :format(tostring(id), guess and (" (did you mean '%s'?)"):format(guess) or "",
          tostring(guess or id)))
      end
      return at(id)
    end,
    __newindex = read_only("ctx.results"),
    __pairs = function()
      local all = {}
      for id in pairs(results) do all[id] = at(id) end
      return sorted.pairs(all)
    end,
  })
end

-- Params, and the names of those that were read; an absent one counts, too.
local function params_view(params, seen)
  return setmetatable({}, {
    __index = function(_, name)
      if type(name) == "string" then seen[name] = true end
      return params[name]
    end,
    __newindex = read_only("ctx.params"),
    __len = function() return #params end,
    __pairs = function()
      for name in pairs(params) do seen[name] = true end
      return sorted.pairs(params)
    end,
  })
end

-- The step's environment, and the names that were read of it: what is only passed on is in
-- no key before. A name that was sought in vain counts, too.
local function env_view(env, seen)
  return setmetatable({}, {
    __index = function(_, name)
      if type(name) == "string" then seen[name] = true end
      return env[name]
    end,
    __newindex = read_only("ctx.env"),
    __pairs = function()
      for name in pairs(env) do seen[name] = true end
      return sorted.pairs(env)
    end,
  })
end

local noted = { run = true, attempt = true, step = true }

local function ctx_view(data, read)
  local results = results_view(data.results, read.results)
  local params = params_view(data.params, read.params)
  local env = env_view(data.env, read.env)
  return setmetatable({}, {
    __index = function(_, name)
      if name == "results" then return results end
      if name == "params" then return params end
      if name == "env" then return env end
      if noted[name] then read[name] = true end
      if name == "log" then return print end
      local v = data[name]
      if v == nil and not context.names[name] then
        local guess = type(name) == "string" and nearest.find(name, context.names)
        errors.raise("ctx", ("ctx has no '%s'%s"):format(tostring(name),
          guess and ("; did you mean '%s'?"):format(guess) or ""))
      end
      return v
    end,
    __newindex = read_only("ctx"),
  })
end

-- { x = { stdout = true } } as { { "x", "stdout" } }, in order.
local function pairs_of(seen)
  local out = {}
  for id, fields in sorted.pairs(seen) do
    for name in sorted.pairs(fields) do out[#out + 1] = { id, name } end
  end
  return out
end

--- Calls a function with its ctx.
---@param fn function
---@param data table the plain part of the ctx
---@return { value: any, read: { results: string[][], params: string[], env: string[],
---  run?: boolean, attempt?: boolean, step?: boolean } }
function callee.call(fn, data)
  local read, records = { results = {}, params = {}, env = {} }, data.records or {}
  shown.mark(fn, records.fn)
  shown.mark(data.with, records.with)
  shown.mark(data.item, records.item)
  local value = views.plain(fn(ctx_view(data, read)))
  return { value = value, read = { results = pairs_of(read.results),
    params = sorted.keys(read.params), env = sorted.keys(read.env), run = read.run,
    attempt = read.attempt, step = read.step } }
end

return callee
