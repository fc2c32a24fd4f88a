-- What a step sees: the ctx that templates, conditions and functions of a step read.
local errors = require("orrery.kernel.errors")
local lazy = require("orrery.kernel.lazy")
local nearest = lazy("orrery.kernel.nearest")

local context = {}

--- The names of a ctx; reading any other is an error.
context.names = {
  params = true, results = true, env = true, with = true, item = true, matrix = true,
  inputs = true, outputs = true, attempt = true, feedback = true, run = true, step = true,
  log = true, args = true, secrets = true, services = true, port = true,
}

local list = {}
for name in pairs(context.names) do list[#list + 1] = name end
table.sort(list)

local ctx_mt = {
  __index = function(_, name)
    if context.names[name] then return nil end
    local guess = type(name) == "string" and nearest.find(name, list)
    errors.raise("ctx", ("ctx has no '%s'%s"):format(tostring(name),
      guess and ("; did you mean '%s'?"):format(guess) or ""))
  end,
}

--- Paths with their names: a list, with named ones under their name as text when they are
--- one, else as a list.
---@param paths string[] one for each spec, or the expansion of each: lists
---@param names table<string, integer[]>
---@return table
function context.named(paths, names)
  local flat = {}
  for _, p in ipairs(paths) do
    if type(p) == "table" then
      table.move(p, 1, #p, #flat + 1, flat)
    else
      flat[#flat + 1] = p
    end
  end
  for name, indexes in pairs(names or {}) do
    local mine = {}
    for _, i in ipairs(indexes) do
      local p = paths[i]
      if type(p) == "table" then table.move(p, 1, #p, #mine + 1, mine) else mine[#mine + 1] = p end
    end
    flat[name] = #mine == 1 and mine[1] or mine
  end
  return flat
end

--- A ctx for one step of a run, before its inputs are known.
---@param run orrery.Run
---@param step orrery.Step
---@param attempt? integer
---@return table
function context.new(run, step, attempt)
  return setmetatable({
    params = run.values,
    results = run.results,
    args = run.args or {},
    env = {},
    with = {},
    item = step.item,
    matrix = step.matrix,
    attempt = attempt or 1,
    feedback = {},
    step = { id = step.id },
    run = { id = run.id },
    services = run.services,
    port = step.kind == "service" and "{{port}}" or nil,
  }, ctx_mt)
end

return context
