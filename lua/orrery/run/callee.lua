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

local function ctx_view(data, read)
  local results = results_view(data.results, read.results)
  return setmetatable({}, {
    __index = function(_, name)
      if name == "results" then return results end
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

--- Calls a function with its ctx.
---@param fn function
---@param data table the plain part of the ctx
---@return { value: any, read: { results: string[], run?: boolean, attempt?: boolean } }
function callee.call(fn, data)
  local read = { results = {} }
  local value = fn(ctx_view(data, read))
  local ids = {}
  for id in sorted.pairs(read.results) do ids[#ids + 1] = id end
  return { value = value, read = { results = ids, run = read.run, attempt = read.attempt } }
end

return callee
