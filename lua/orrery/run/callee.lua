-- On the worker: the ctx a called function sees. Read-only; an unknown name is an error;
-- which results it reads is recorded, so that they become part of the full key.
local context = require("orrery.run.context")
local errors = require("orrery.kernel.errors")
local nearest = require("orrery.kernel.nearest")
local sorted = require("orrery.kernel.sorted")

local callee = {}

local function read_only(name)
  return function()
    errors.raise("ctx", name .. " is read-only: return what should be kept")
  end
end

local function results_view(results, seen)
  return setmetatable({}, {
    __index = function(_, id)
      local r = results[id]
      if r == nil then
        local guess = type(id) == "string" and nearest.find(id, results)
        errors.raise("ctx", ("results.%s is not a step before this one%s; add needs = { \"%s\" }")
          :format(tostring(id), guess and (" (did you mean '%s'?)"):format(guess) or "",
          tostring(guess or id)))
      end
      seen[id] = true
      return r
    end,
    __newindex = read_only("ctx.results"),
    __pairs = function()
      for id in pairs(results) do seen[id] = true end
      return sorted.pairs(results)
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

local function ctx_view(data, read)
  local results = results_view(data.results, read.results)
  local params = params_view(data.params, read.params)
  return setmetatable({}, {
    __index = function(_, name)
      if name == "results" then return results end
      if name == "params" then return params end
      if name == "run" or name == "attempt" then read[name] = true end
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

-- A view of the params does not travel; what is returned of it is a copy, which reads all.
local function copied(value, params)
  if value ~= params then return value end
  local out = {}
  for k, v in pairs(params) do out[k] = v end
  return out
end

-- The value as it travels: params themselves, or params as a field.
local function plain(value, params)
  if type(value) == "table" and getmetatable(value) == nil then
    for k, v in pairs(value) do value[k] = copied(v, params) end
  end
  return copied(value, params)
end

--- Calls a function with its ctx.
---@param fn function
---@param data table the plain part of the ctx
---@return { value: any, read: { results: string[], params: string[], run?: boolean,
---  attempt?: boolean } }
function callee.call(fn, data)
  local read = { results = {}, params = {} }
  local ctx = ctx_view(data, read)
  local value = plain(fn(ctx), ctx.params)
  return { value = value, read = { results = sorted.keys(read.results),
    params = sorted.keys(read.params), run = read.run, attempt = read.attempt } }
end

return callee
